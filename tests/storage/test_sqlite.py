"""SQLite storage: what is acknowledged is on disk, whatever happens."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from cluster.aio import tasks
from cluster.storage.interface import Change, Compacted, Mismatch, Record, Unavailable
from cluster.storage.sqlite import SqliteStorage


def run(scenario, path: Path):
    async def main():
        storage = SqliteStorage(path)
        await storage.open()
        try:
            return await scenario(storage)
        finally:
            await storage.close()

    return asyncio.run(main())


def test_what_was_written_is_there_after_reopening(tmp_path):
    async def fill(storage):
        await storage.write([Change("/a", b"1", 0), Change("/b", b"2", 0)])
        await storage.write([Change("/a", b"3", 1), Change("/b", None, 2)])

    async def look(storage):
        events = []
        storage.subscribe(0, events.extend)
        past = await storage.get("/b", 2)
        return storage.revision, (await storage.range("/")).records, past, len(events)

    run(fill, tmp_path / "db")
    revision, records, past, heard = run(look, tmp_path / "db")
    assert revision == 4
    assert records == [Record("/a", b"3", 3, 1)]
    assert past == Record("/b", b"2", 2, 2)
    assert heard == 4


def test_of_two_holders_of_one_lease_only_the_newer_one_writes(tmp_path):
    async def scenario(storage):
        (first,) = await storage.write([Change("/lease", b"first", 0)])
        takeover = storage.write([Change("/lease", b"second", first.revision)])
        late = storage.write([Change("/a", b"1", 0, ("/lease", first.revision))])
        (second,), (refused,) = await asyncio.gather(takeover, late)
        (made,) = await storage.write([Change("/a", b"2", 0, ("/lease", second.revision))])
        return refused, second, made, await storage.newest()

    refused, second, made, newest = run(scenario, tmp_path / "db")
    assert refused == Mismatch(second, guard=True)
    assert (made.value, made.revision, newest) == (b"2", 3, 3)


def test_subscribers_hear_in_order_and_before_the_writer_is_answered(tmp_path):
    async def scenario(storage):
        heard: list[int] = []
        storage.subscribe(0, lambda events: heard.extend(event.revision for event in events))

        async def writer(name: str):
            for number in range(20):
                (result,) = await storage.write([Change(f"/{name}/{number}", b"x", 0)])
                assert result.revision in heard

        await asyncio.gather(*(writer(str(number)) for number in range(8)))
        return heard

    assert run(scenario, tmp_path / "db") == list(range(1, 161))


def test_concurrent_writers_of_one_key_lose_no_update(tmp_path):
    async def scenario(storage):
        await storage.write([Change("/n", b"0", 0)])

        async def add():
            current = await storage.get("/n")
            while True:
                value = b"%d" % (int(current.value) + 1)
                (result,) = await storage.write([Change("/n", value, current.revision)])
                if not isinstance(result, Mismatch):
                    return
                current = result.current

        await asyncio.gather(*(add() for _ in range(50)))
        return (await storage.get("/n")).value

    assert run(scenario, tmp_path / "db") == b"50"


def test_compaction_forgets_the_past_on_disk_too(tmp_path):
    path = tmp_path / "db"

    async def fill(storage):
        for number in range(10):
            await storage.write([Change("/a", b"%d" % number, None)])
        await storage.write([Change("/gone", b"", 0)])
        await storage.write([Change("/gone", None, 11)])
        await storage.compact(12)

    async def look(storage):
        with pytest.raises(Compacted):
            storage.subscribe(11, print)
        (result,) = await storage.write([Change("/b", b"", 0)])
        return storage.revision, result.revision, (await storage.get("/a")).value

    run(fill, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        assert database.execute("SELECT revision FROM log").fetchall() == [(10,)]
    assert run(look, path) == (13, 13, b"9")


def test_a_compaction_cut_short_is_finished_at_the_next_opening(tmp_path):
    path = tmp_path / "db"

    async def fill(storage):
        for number in range(3):
            await storage.write([Change("/a", b"%d" % number, None)])
        await storage.write([Change("/gone", b"", 0)])
        await storage.write([Change("/gone", None, 4)])

    async def look(storage):
        return (await storage.range("/")).records

    run(fill, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("INSERT INTO state VALUES ('compacted', 5)")
    assert run(look, path) == [Record("/a", b"2", 3, 1)]
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        assert database.execute("SELECT revision FROM log").fetchall() == [(3,)]


def test_a_disk_that_refuses_fails_the_writes_and_nothing_else(tmp_path, monkeypatch):
    async def scenario(storage):
        heard: list[int] = []
        storage.subscribe(0, lambda events: heard.extend(event.revision for event in events))
        await storage.write([Change("/a", b"1", 0)])
        _refuses(storage._database)
        with pytest.raises(Unavailable, match="full"):
            await storage.write([Change("/b", b"x" * 100_000, 0)])
        _takes_again(storage._database)
        (result,) = await storage.write([Change("/c", b"2", 0)])
        return heard, result.revision, await storage.get("/b")

    assert run(scenario, tmp_path / "db") == ([1, 2], 2, None)


def test_a_second_process_is_told_that_the_file_is_in_use(tmp_path):
    async def scenario(storage):
        await storage.write([Change("/a", b"1", 0)])
        code = (
            "import asyncio, sys; from pathlib import Path\n"
            "from cluster.storage.sqlite import SqliteStorage\n"
            "asyncio.run(SqliteStorage(Path(sys.argv[1])).open())"
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, str(tmp_path / "db"), stderr=subprocess.PIPE
        )
        _, stderr = await asyncio.wait_for(process.communicate(), 30)
        return process.returncode, stderr.decode()

    code, stderr = run(scenario, tmp_path / "db")
    assert code == 1
    assert "is in use by another process" in stderr


@pytest.mark.parametrize("make", [lambda p: p.write_bytes(b"not SQLite" * 500), Path.mkdir])
def test_a_file_that_is_no_store_is_refused_with_a_sentence(tmp_path, make):
    make(tmp_path / "db")
    with pytest.raises(Unavailable, match=r"the store .*db"):
        run(lambda storage: storage.get("/"), tmp_path / "db")


WRITER = """
import asyncio, sys
from pathlib import Path
from cluster.storage.interface import Change
from cluster.storage.sqlite import SqliteStorage

async def main():
    storage = SqliteStorage(Path(sys.argv[1]))
    await storage.open()
    start = storage.revision

    async def writer(name):
        number = 0
        while True:
            key = f"/{start}/{name}/{number}"
            (made,) = await storage.write([Change(key, key.encode() * 20, 0)])
            sys.stdout.write(f"{made.revision} {key}\\n")
            if number % 5 == 0:
                (gone,) = await storage.write([Change(key, None, made.revision)])
                sys.stdout.write(f"{gone.revision} -{key}\\n")
            number += 1
            if number % 50 == 0:
                await storage.compact(storage.revision - 20)

    await asyncio.gather(*(writer(n) for n in range(16)))

sys.stdout.reconfigure(line_buffering=True)
asyncio.run(main())
"""


def _write_until_killed(path: Path, seconds: float) -> dict[int, str]:
    """What a writer had acknowledged when it was killed: revision to key, `-key` for deletions."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        first = process.stdout.readline()
        timer = asyncio.new_event_loop()
        timer.run_until_complete(asyncio.sleep(seconds))
        timer.close()
    finally:
        os.kill(process.pid, signal.SIGKILL)
    lines = (first + process.communicate(timeout=30)[0]).splitlines(keepends=True)
    pairs = (line.split() for line in lines if line.endswith("\n"))
    return {int(revision): key for revision, key in pairs}


@pytest.mark.parametrize("rounds", [12, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.timeout(600)
def test_a_process_killed_at_any_instant_loses_nothing_acknowledged(tmp_path, rounds):
    """Rounds under load in one file, with deletions and compactions on the way."""
    path = tmp_path / "db"
    moments = random.Random(7)
    acknowledged: dict[int, str] = {}

    async def look(storage):
        return storage.revision, {r.key: r.value for r in (await storage.range("/")).records}

    for _ in range(rounds):
        acknowledged |= _write_until_killed(path, moments.uniform(0.0, 0.35))
        expected: dict[str, int] = {}
        for revision in sorted(acknowledged):
            key = acknowledged[revision]
            if key.startswith("-"):
                expected.pop(key[1:], None)
            else:
                expected[key] = revision
        newest, stored = run(look, path)
        assert newest >= max(acknowledged)
        lost = {key for key in expected if stored.get(key) != key.encode() * 20}
        # A deletion may have become durable in the instant before its writer was told.
        told = len(acknowledged)
        assert len(lost) <= 16, f"{len(lost)} of {told} lost: {sorted(lost)[:5]}"
        assert all(key.rsplit("/", 1)[1].endswith(("0", "5")) for key in lost)
        acknowledged = {r: k for r, k in acknowledged.items() if k not in lost}
        back = {k[1:] for k in acknowledged.values() if k.startswith("-")} & stored.keys()
        assert not back, "deleted and there again"
    assert len(acknowledged) > 1000


def _refuses(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA max_page_count = 1")


def _takes_again(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA max_page_count = 1000000")


def test_a_compaction_that_the_disk_refuses_is_told_and_made_up_for(tmp_path):
    path = tmp_path / "db"

    async def scenario(storage):
        for number in range(10):
            await storage.write([Change("/a", b"%d" % number, None)])
        database = storage._database
        database.execute("PRAGMA query_only = 1")
        with pytest.raises(Unavailable, match=r"the store .*db"):
            await storage.compact(5)
        database.execute("PRAGMA query_only = 0")
        await storage.compact(8)

    run(scenario, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        assert database.execute("SELECT revision FROM log").fetchall() == [(8,), (9,), (10,)]


def test_closing_lets_go_of_the_file_though_the_last_commit_failed(tmp_path):
    path = tmp_path / "db"

    async def main():
        storage = SqliteStorage(path)
        await storage.open()
        await storage.write([Change("/a", b"1", 0)])
        _refuses(storage._database)
        too_large = storage.write([Change("/b", b"x" * 100_000, 0)])
        refused, _ = await asyncio.gather(too_large, storage.close(), return_exceptions=True)
        assert isinstance(refused, Unavailable)
        again = SqliteStorage(path)
        await again.open()
        found = (await again.range("/")).records
        await again.close()
        return found

    assert asyncio.run(main()) == [Record("/a", b"1", 1, 1)]


def test_a_cancelled_write_ends_when_it_is_known_what_became_of_it(tmp_path):
    async def scenario(storage):
        async with tasks.Group("test") as group:
            writing = group.spawn(storage.write([Change("/a", b"1", 0)]), "write")
            await asyncio.sleep(0)
            writing.cancel()
        assert writing.cancelled()
        return storage.revision, await storage.get("/a")

    assert run(scenario, tmp_path / "db") == (1, Record("/a", b"1", 1, 1))


def test_a_compaction_to_an_older_revision_changes_nothing(tmp_path):
    async def fill(storage):
        for number in range(10):
            await storage.write([Change("/a", b"%d" % number, None)])
        await storage.compact(8)
        await storage.compact(3)

    async def look(storage):
        events = []
        storage.subscribe(8, events.extend)
        await storage.write([Change("/b", b"", 0)])
        return [event.revision for event in events]

    run(fill, tmp_path / "db")
    assert run(look, tmp_path / "db") == [9, 10, 11]
