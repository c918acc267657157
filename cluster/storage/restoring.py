"""A snapshot put in the place of what a store holds, without going back in revisions.

Clients remember revisions. What they know from after the snapshot must not seem to be the present
again, so the restored store begins far beyond every revision that was ever there, and all before
that counts as compacted: whoever resumes a watch is told 410 and lists anew.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from cluster.storage import sqlite
from cluster.storage.interface import Change, Mismatch, Record, Storage, Unavailable

BUMP: Final = 1_000_000
"""Revisions between the newest that is known and the first of the restored store."""
_BATCH: Final = 1000
_EMPTY: Final = 0


def into_sqlite(path: Path, records: Iterable[Record], revision: int, bump: int = BUMP) -> int:
    """Make the store file at `path` of `records`, which are of `revision`; the restored revision.

    What was there is moved to `path.before-restore`. The new file is made beside it and takes its
    place when it is whole. Unavailable where a process has the store open, or the disk refuses.
    """
    beside = path.with_name(f".{path.name}.restoring")
    try:
        begin = max(revision, _newest(path)) + bump
        for leftover in (beside, *_companions(beside)):
            leftover.unlink(missing_ok=True)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside.touch(mode=0o600)
        with closing(sqlite3.connect(beside, isolation_level=None)) as database:
            sqlite.fill(database, records, begin)
        if path.exists():
            path.replace(path.with_name(f"{path.name}.before-restore"))
            for companion in _companions(path):  # of the old file: not for the new one
                companion.unlink(missing_ok=True)
        beside.replace(path)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"{path} cannot be restored: {error}") from error
    finally:
        beside.unlink(missing_ok=True)
    return begin


async def into_store(storage: Storage, prefix: str, records: Sequence[Record]) -> tuple[int, int]:
    """Make an open store hold `records` under `prefix` and nothing else there, by ordinary writes.

    How many keys were written and removed. Unavailable; also where somebody else writes meanwhile,
    who is to be stopped first.
    """
    present = {record.key: record.revision for record in (await storage.range(prefix)).records}
    changes = [Change(one.key, one.value, present.pop(one.key, _EMPTY)) for one in records]
    written = len(changes)
    changes += [Change(key, None, revision) for key, revision in present.items()]
    for start in range(0, len(changes), _BATCH):
        for outcome in await storage.write(changes[start : start + _BATCH]):
            if isinstance(outcome, Unavailable):
                raise outcome
            if isinstance(outcome, Mismatch):
                raise Unavailable(
                    "somebody writes to the store while it is restored: stop all API servers, "
                    "then restore again"
                )
    return written, len(present)


def _newest(path: Path) -> int:
    """The newest revision of the store that is to be replaced; 0 where there is none, or where it
    can no longer be read. Unavailable where it is in use.
    """
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path, isolation_level=None, timeout=1)) as database:
        try:
            database.execute("PRAGMA locking_mode=EXCLUSIVE")
            database.execute("BEGIN EXCLUSIVE")
            (logged,) = database.execute("SELECT MAX(revision) FROM log").fetchone()
            marks = dict(database.execute("SELECT name, value FROM state"))
            database.execute("COMMIT")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            if "locked" in str(error):
                raise Unavailable(
                    f"the store {path} is in use: stop its cluster, or the API server, first"
                ) from error
            return 0
    return max(int(logged or 0), int(marks.get("compacted", 0)))


def _companions(path: Path) -> list[Path]:
    return [path.with_name(path.name + ending) for ending in ("-wal", "-shm")]
