"""Storage in one SQLite file: the embedded default. WAL, `synchronous=FULL`, group commit.

The multi-version core decides in memory and at once; rows then go to disk in batches on one
writer thread, and whatever arrives while a batch is being written makes the next one. A write is
answered, and subscribers hear of it, only after its batch is on disk: a process killed at any
instant loses nothing acknowledged. Every row is one revision of one key.
"""

import asyncio
import functools
import itertools
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import structlog

from cluster.aio.clock import Clock
from cluster.storage.interface import (
    Change,
    Kept,
    Outcome,
    Range,
    Record,
    Sink,
    Unavailable,
    closed,
)
from cluster.storage.mvcc import Mvcc
from cluster.storage.sinks import Sinks
from cluster.storage.times import Times

_log = structlog.get_logger(component="storage")

_FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB, created INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS times (revision INTEGER PRIMARY KEY, seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
_INSERT = "INSERT INTO log (revision, key, value, created) VALUES"
_VALUES = "(?, ?, ?, ?)"
_INSERT_TIME = "INSERT OR REPLACE INTO times (revision, seconds) VALUES (?, ?)"
_ROWS_A_STATEMENT = 256
_SET_STATE = "INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)"
_COMPACT_CHUNK = 5000

T = TypeVar("T")
_Row = tuple[int, str, bytes | None, int]
_Time = tuple[int, float]


class SqliteStorage:
    """A `Storage` in the file `path`, which one process at a time may open.

    Without a `clock` it does not remember when revisions were made.
    """

    shared = False

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock
        self._times = Times()
        self._core = Mvcc()
        self._sinks = Sinks()
        self._pending: list[_Row] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._garbage: list[int] = []
        self._failed = False
        self._committing: asyncio.Future[None] | None = None
        self._database: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Load the file, making it where it is missing. Unavailable, with a sentence."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        try:
            loaded = await self._run(lambda: _load(self._path))
            self._database, self._core, self._times = loaded
        except (sqlite3.Error, OSError) as error:
            self._thread.shutdown(wait=False)
            self._thread = None
            raise _unavailable(self._path, error) from error

    async def close(self) -> None:
        """Finish the commits under way, then close the file."""
        while self._committing is not None:
            with suppress(Unavailable):  # its writers hear of it
                await asyncio.wait_for(self._settled(), timeout=60)
        if self._database is not None and self._thread is not None:
            database, self._database = self._database, None
            await self._run(database.close)
            self._thread.shutdown(wait=False)

    @property
    def revision(self) -> int:
        """The newest durable revision; 0 for an empty store."""
        return self._core.settled

    async def newest(self) -> int:
        """See `Storage.newest`: nobody else writes here."""
        return self._core.settled

    async def write(self, changes: Sequence[Change]) -> list[Outcome]:
        """See `Storage.write`. Unavailable where the disk refused: nothing was made then."""
        if self._database is None:
            raise closed()
        results: list[Outcome] = []
        made = False
        for change in changes:
            result, event = self._core.apply(change)
            results.append(result)
            if event is not None:
                record = event.record
                created = record.created if record is not None else 0
                self._pending.append((event.revision, event.key, change.value, created))
                made = True
        if made:
            await self._outcome()
        return results

    async def get(self, key: str, revision: int = 0) -> Record | None:
        """See `Storage.get`."""
        return self._core.get(key, revision)

    async def range(
        self, prefix: str, *, revision: int = 0, after: str = "", limit: int = 0
    ) -> Range:
        """See `Storage.range`."""
        return self._core.range(prefix, revision, after, limit)

    def subscribe(self, after: int, sink: Sink) -> Callable[[], None]:
        """See `Storage.subscribe`."""
        return self._sinks.add(self._core.history(after), sink)

    async def check(self) -> None:
        """See `Storage.check`. The thread that commits answers; after a commit that failed, it
        must be able to write as well.
        """
        database = self._connection()
        work: Callable[[], object] = functools.partial(_answers, database)
        if self._failed:
            mark = ("compacted", self._core.compacted)
            work = functools.partial(database.execute, _SET_STATE, mark)
        try:
            await self._run(work)
        except sqlite3.Error as error:
            raise _unavailable(self._path, error) from error
        self._failed = False

    async def compact(self, revision: int) -> None:
        """See `Storage.compact`. Rows go in small steps, between commits; what the disk refuses to
        forget is tried again by the next compaction.
        """
        database = self._connection()
        self._garbage += self._core.compact(revision)
        self._times.forget(self._core.compacted)
        mark = ("compacted", self._core.compacted)
        try:
            # The mark goes first: rows that a crash leaves behind it are swept at the next opening.
            await self._run(functools.partial(database.execute, _SET_STATE, mark))
            while self._garbage:
                await self._forget_some(database)
            await self._run(functools.partial(_forget_times, database, self._core.compacted))
        except sqlite3.Error as error:
            raise _unavailable(self._path, error) from error

    async def turn(self, revision: int) -> bool:
        """It always is: nobody else has the file."""
        return True

    async def defragment(self) -> tuple[int, int]:
        """See `Storage.defragment`. Commits wait meanwhile."""
        database = self._connection()
        before = await self._run(functools.partial(_size, database))
        try:
            await self._run(functools.partial(_vacuum, database))
        except sqlite3.Error as error:
            raise _unavailable(self._path, error) from error
        return before, await self._run(functools.partial(_size, database))

    async def kept(self) -> Kept:
        """See `Storage.kept`."""
        return self._core.kept(self._times)

    async def revision_at(self, when: float) -> int:
        """See `Storage.revision_at`."""
        return self._core.revision_at(self._times, when)

    async def lasting(self) -> None:
        """It lasts."""
        await asyncio.get_running_loop().create_future()

    async def _forget_some(self, database: sqlite3.Connection) -> None:
        chunk = self._garbage[:_COMPACT_CHUNK]
        del self._garbage[:_COMPACT_CHUNK]
        try:
            await self._run(functools.partial(_forget, database, chunk))
        except BaseException:
            self._garbage += chunk
            raise

    async def _outcome(self) -> None:
        """Wait for the changes just made to be durable. Unavailable where they were refused.

        A writer that is cancelled stays until that is known: what it holds for the write (a
        reserved address) must not be free while the write may still come to be.
        """
        try:
            await self._settled()
        except asyncio.CancelledError:
            if self._committing is not None:
                with suppress(Unavailable):
                    await self._settled()
            raise

    def _settled(self) -> asyncio.Future[None]:
        """Done when everything that is pending now is durable."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        if self._committing is None:
            self._commit()
        return future

    def _commit(self) -> None:
        rows, self._pending = self._pending, []
        waiting, self._waiting = self._waiting, []
        database = self._connection()
        time = self._time(rows[-1][0]) if rows else None
        self._committing = self._run(lambda: _insert(database, rows, time))
        self._committing.add_done_callback(
            functools.partial(self._committed, rows=rows, waiting=waiting)
        )

    def _time(self, revision: int) -> _Time | None:
        """What to remember of when `revision` was made, if anything."""
        if self._clock is None:
            return None
        now = self._clock.now()
        return (revision, now) if self._times.note(revision, now) else None

    def _committed(
        self, done: asyncio.Future[None], rows: list[_Row], waiting: list[asyncio.Future[None]]
    ) -> None:
        self._committing = None
        failure: BaseException | None = done.exception() if not done.cancelled() else None
        if done.cancelled() or failure is not None:
            self._refuse(failure, waiting)
            return
        try:
            if rows:
                self._sinks.publish(self._core.settle(rows[-1][0]))
        except Exception as error:  # noqa: BLE001  (a sink's fault goes to the writers it concerns)
            failure = error
        _answer(waiting, failure)
        if self._waiting:
            self._commit()

    def _refuse(self, failure: BaseException | None, waiting: list[asyncio.Future[None]]) -> None:
        """The disk said no: take back everything that is not durable, and tell every writer."""
        _log.error("a commit failed; its writes were refused", error=str(failure))
        self._failed = True
        self._core.undo()
        self._times.undo(self._core.settled)
        self._pending.clear()
        waiting += self._waiting
        self._waiting = []
        _answer(waiting, _unavailable(self._path, failure))

    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            raise closed()
        return self._database

    def _run(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        return asyncio.get_running_loop().run_in_executor(self._thread, work)


def _answer(waiting: Sequence[asyncio.Future[None]], failure: BaseException | None) -> None:
    for future in waiting:
        if future.done():
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)


def _load(path: Path) -> tuple[sqlite3.Connection, Mvcc, Times]:
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2)
    try:
        path.chmod(0o600)
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.executescript(_SCHEMA)
        state = dict(database.execute("SELECT name, value FROM state"))
        if state.setdefault("format", _FORMAT) != _FORMAT:
            raise sqlite3.DatabaseError(f"its format is {state['format']}, not {_FORMAT}")
        database.execute(_SET_STATE, ("format", _FORMAT))
        core = Mvcc(state.get("compacted", 0))
        rows = database.execute("SELECT revision, key, value, created FROM log ORDER BY revision")
        _forget(database, core.restore(rows))
        times = Times()
        for revision, seconds in database.execute("SELECT * FROM times ORDER BY revision"):
            if revision <= core.revision:
                times.note(revision, seconds)
        times.forget(core.compacted)
    except BaseException:
        database.close()
        raise
    return database, core, times


def fill(database: sqlite3.Connection, records: Iterable[Record], compacted: int) -> None:
    """Make an empty database the store of `records`, whose history up to `compacted` is gone."""
    database.execute("PRAGMA synchronous=FULL")
    database.executescript(_SCHEMA)
    with _transaction(database):
        database.executemany(
            f"{_INSERT} {_VALUES}",
            ((one.revision, one.key, one.value, one.created) for one in records),
        )
        database.executemany(_SET_STATE, (("format", _FORMAT), ("compacted", compacted)))


def _answers(database: sqlite3.Connection) -> object:
    return database.execute("SELECT 1").fetchone()


def _size(database: sqlite3.Connection) -> int:
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    (bytes_each,) = database.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(bytes_each)


def _vacuum(database: sqlite3.Connection) -> None:
    database.execute("VACUUM")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _insert(database: sqlite3.Connection, rows: Sequence[_Row], time: _Time | None = None) -> None:
    """Write rows by statements of many rows each.

    Every statement gives the interpreter's lock away and has to win it back from the event loop:
    one a row would make a busy server wait on its own loop.
    """
    with _transaction(database):
        start = 0
        while start < len(rows):
            size = min(1 << (len(rows) - start).bit_length() - 1, _ROWS_A_STATEMENT)
            values = itertools.chain.from_iterable(rows[start : start + size])
            database.execute(f"{_INSERT} {', '.join([_VALUES] * size)}", tuple(values))
            start += size
        if time is not None:
            database.execute(_INSERT_TIME, time)


def _forget(database: sqlite3.Connection, revisions: Sequence[int]) -> None:
    with _transaction(database):
        database.executemany("DELETE FROM log WHERE revision = ?", ((r,) for r in revisions))


def _forget_times(database: sqlite3.Connection, compacted: int) -> None:
    """Give up what tells of times before `compacted`, but for the entry that holds at it."""
    database.execute(
        "DELETE FROM times WHERE revision < (SELECT MAX(revision) FROM times WHERE revision <= ?)",
        (compacted,),
    )


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _unavailable(path: Path, error: BaseException | None) -> Unavailable:
    """What the disk's refusal is to who runs the server, and to clients."""
    text = str(error)
    if "locked" in text:
        why = f"the store {path} is in use by another process: stop it first"
        return Unavailable(why, "it is in use by another process")
    if "not a database" in text or "malformed" in text:
        why = f"the store {path} is damaged ({text}): move it away to start with an empty one"
        return Unavailable(why, f"it is damaged ({text})")
    told = error.strerror if isinstance(error, OSError) else text
    return Unavailable(f"the store {path} cannot be used: {text}", told or text)
