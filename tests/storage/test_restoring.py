"""Restored stores: what the snapshot had, and never back in revisions."""

import asyncio
from pathlib import Path

import etcds
import pytest

from cluster.storage import restoring
from cluster.storage.interface import Change, Compacted, Record, Unavailable
from cluster.storage.sqlite import SqliteStorage

ROOT = "/registry/"
RECORDS = [
    Record(ROOT + "pods/default/a", b"{}", 40, 12),
    Record(ROOT + "pods/default/b", b'{"x":1}', 17, 17),
]


def test_a_restored_file_begins_beyond_all_that_anybody_may_know(tmp_path: Path):
    path = tmp_path / "data" / "store.db"

    async def scenario():
        begin = restoring.into_sqlite(path, RECORDS, 50)
        assert begin == 50 + restoring.BUMP
        storage = SqliteStorage(path)
        await storage.open()
        assert (await storage.range(ROOT)).records == RECORDS
        for known in (40, 50, 51, begin - 1):
            with pytest.raises(Compacted):
                storage.subscribe(known, list)
        (made,) = await storage.write([Change(RECORDS[0].key, b"{}", 40)])
        assert (made.revision, made.created) == (begin + 1, 12)
        await storage.close()

    asyncio.run(scenario())
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_restored_file_is_ahead_of_the_one_that_it_replaces_and_keeps_it(tmp_path: Path):
    path = tmp_path / "store.db"

    async def scenario():
        old = SqliteStorage(path)
        await old.open()
        for number in range(70):
            await old.write([Change(ROOT + "pods/default/z", b"%d" % number, None)])
        with pytest.raises(Unavailable, match="is in use"):
            restoring.into_sqlite(path, RECORDS, 50)
        assert (await old.get(ROOT + "pods/default/z")).value == b"69"
        await old.close()
        assert restoring.into_sqlite(path, RECORDS, 50, bump=10) == 80
        new, kept = SqliteStorage(path), SqliteStorage(path.with_name("store.db.before-restore"))
        await new.open()
        await kept.open()
        assert (await new.range(ROOT)).records == RECORDS
        assert (await kept.get(ROOT + "pods/default/z")).revision == 70
        await new.close()
        await kept.close()

    asyncio.run(scenario())


def test_a_damaged_store_can_be_replaced_and_a_failed_restore_changes_nothing(tmp_path: Path):
    path = tmp_path / "store.db"
    path.write_bytes(b"nonsense" * 1000)

    def failing():
        yield RECORDS[0]
        raise OSError(5, "Input/output error")

    with pytest.raises(Unavailable, match="cannot be restored"):
        restoring.into_sqlite(path, failing(), 50)
    assert path.read_bytes() == b"nonsense" * 1000
    assert [one.name for one in tmp_path.iterdir()] == ["store.db"]
    assert restoring.into_sqlite(path, RECORDS, 50) == 50 + restoring.BUMP


def test_etcd_is_restored_by_writes_beyond_the_revisions_of_the_snapshot(tmp_path: Path):
    async def scenario(members):
        storage = etcds.store(members, "/here")
        other = etcds.store(members, "/there")
        await storage.open()
        await other.open()
        await storage.write([Change(ROOT + "pods/default/a", b"new", 0)])
        await storage.write([Change(ROOT + "pods/default/later", b"new", 0)])
        await other.write([Change(ROOT + "pods/default/later", b"theirs", 0)])
        await storage.advance(2500)
        assert await restoring.into_store(storage, ROOT, RECORDS) == (2, 1)
        found = (await storage.range(ROOT)).records
        assert [one[:2] for one in found] == [one[:2] for one in RECORDS]
        assert min(one.revision for one in found) > 2500
        assert (await other.get(ROOT + "pods/default/later")).value == b"theirs"
        await storage.close()
        await other.close()

    with etcds.running(tmp_path) as members:
        asyncio.run(scenario(members))
