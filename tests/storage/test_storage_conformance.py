"""What every store promises: one table of tests over memory, SQLite and real etcd."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import etcds
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.aio import tasks
from cluster.storage.interface import (
    Change,
    Compacted,
    Deleted,
    Event,
    FutureRevision,
    Mismatch,
    Record,
    Storage,
)
from cluster.storage.memory import MemoryStorage
from cluster.storage.sqlite import SqliteStorage

KINDS = ["memory", "sqlite", *(etcds.programs() or ["etcd"])]
ROOT = "/registry/"
KEYS = tuple(ROOT + name for name in ("a/1", "a/2", "a/2/x", "b/1", "b/ü"))

Scenario = Callable[[Storage], Awaitable[Any]]
Runner = Callable[[Scenario], Any]


@pytest.fixture(scope="module", params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Callable[[], Storage]]:
    """Makes empty stores of one kind."""
    folder: Path = tmp_path_factory.mktemp("store")
    numbers = itertools.count()
    if request.param == "memory":
        yield MemoryStorage
    elif request.param == "sqlite":
        yield lambda: SqliteStorage(folder / f"{next(numbers)}.db")
    else:
        path = etcds.programs().get(request.param, "") or etcds.program()
        with etcds.running(folder, path=path) as members:
            yield lambda: etcds.store(members, f"/registry-{next(numbers)}")


@pytest.fixture
def run(make: Callable[[], Storage]) -> Runner:
    """Runs a scenario on an open store of its own."""

    def run(scenario: Scenario) -> Any:
        async def main() -> Any:
            storage = make()
            await storage.open()
            try:
                async with asyncio.timeout(30):
                    return await scenario(storage)
            finally:
                await storage.close()

        return asyncio.run(main())

    return run


async def put(storage: Storage, key: str, value: bytes, expected: int | None = None) -> Record:
    (result,) = await storage.write([Change(key, value, expected)])
    assert isinstance(result, Record), result
    return result


def test_each_change_gets_a_revision_of_its_own_and_keeps_the_creation(run):
    async def scenario(storage):
        first, second = await storage.write([Change(KEYS[0], b"1", 0), Change(KEYS[1], b"2", 0)])
        third = await put(storage, KEYS[0], b"3", first.revision)
        assert first.revision != second.revision
        assert max(first.revision, second.revision) < third.revision == storage.revision
        assert (third.key, third.value, third.created) == (KEYS[0], b"3", first.revision)
        assert await storage.get(KEYS[0]) == third
        assert await storage.newest() >= third.revision

    run(scenario)


@pytest.mark.parametrize("value", [b"2", None], ids=["write", "delete"])
@pytest.mark.parametrize("expected", ["none", "right", "older", "zero"])
def test_a_change_is_made_only_when_its_expectation_holds(run, value, expected):
    async def scenario(storage):
        older = await put(storage, KEYS[0], b"0")
        current = await put(storage, KEYS[0], b"1")
        told = {"none": None, "right": current.revision, "older": older.revision, "zero": 0}
        (result,) = await storage.write([Change(KEYS[0], value, told[expected])])
        if expected in {"older", "zero"}:
            assert result == Mismatch(current)
            assert await storage.get(KEYS[0]) == current
        elif value is None:
            assert result == Deleted(storage.revision, current)
            assert await storage.get(KEYS[0]) is None
        else:
            assert result == Record(KEYS[0], value, storage.revision, older.revision)

    run(scenario)


@pytest.mark.parametrize("expected", [0, 1, None])
def test_deleting_what_is_not_there_is_a_mismatch_and_no_revision(run, expected):
    async def scenario(storage):
        before = await storage.newest()
        (result,) = await storage.write([Change(KEYS[0], None, expected)])
        assert result == Mismatch(None)
        assert await storage.newest() == before

    run(scenario)


@pytest.mark.parametrize("value", [b"2", None], ids=["write", "delete"])
@pytest.mark.parametrize("expected", ["right", "wrong", "none"])
@pytest.mark.parametrize("held", [True, False], ids=["held", "lost"])
def test_a_guard_is_asked_in_the_same_instant(run, value, expected, held):
    async def scenario(storage):
        lease = await put(storage, KEYS[3], b"me")
        current = await put(storage, KEYS[0], b"1")
        wanted = {"right": current.revision, "wrong": 0, "none": None}[expected]
        guard = (KEYS[3], lease.revision if held else 0)
        (result,) = await storage.write([Change(KEYS[0], value, wanted, guard)])
        if not held:
            assert result == Mismatch(lease, guard=True)
        elif expected == "wrong":
            assert result == Mismatch(current)
        else:
            assert not isinstance(result, Mismatch)
        made = held and expected != "wrong"
        assert (await storage.get(KEYS[0]) != current) is made

    run(scenario)


def test_several_guards_hold_together(run):
    async def scenario(storage):
        lease, space = await put(storage, KEYS[3], b"me"), await put(storage, KEYS[4], b"here")
        both = ((KEYS[3], lease.revision), (KEYS[4], space.revision))
        (made,) = await storage.write([Change(KEYS[0], b"1", 0, guards=both)])
        assert isinstance(made, Record)
        gone = await put(storage, KEYS[4], b"going")
        (late,) = await storage.write([Change(KEYS[1], b"1", 0, guards=both)])
        assert late == Mismatch(gone, guard=True)

    run(scenario)


def test_subscribers_hear_everything_in_order_and_before_the_writer_does(run):
    async def scenario(storage):
        heard: list[Event] = []
        storage.subscribe(storage.revision, heard.extend)

        async def writer(name: str) -> None:
            for number in range(15):
                key = f"{ROOT}{name}/{number}"
                (made,) = await storage.write([Change(key, b"x", 0)])
                assert heard[-1].revision >= made.revision
                assert Event(made.revision, key, made, None) in heard
                if number % 3 == 0:
                    (gone,) = await storage.write([Change(key, None, made.revision)])
                    assert Event(gone.revision, key, None, made) in heard

        async with tasks.Group("writers") as group:
            for number in range(8):
                group.spawn(writer(str(number)), str(number))
        revisions = [event.revision for event in heard]
        assert revisions == sorted(set(revisions))
        assert len(revisions) == 8 * 20

    run(scenario)


def test_a_subscriber_gets_the_history_and_then_the_rest_without_gap_or_double(run):
    async def scenario(storage):
        start = storage.revision
        for number in range(6):
            await put(storage, KEYS[0], b"%d" % number)
        heard: list[Event] = []
        late: list[Event] = []
        middle = storage.revision - 3
        storage.subscribe(start, heard.extend)
        leave = storage.subscribe(middle, late.extend)
        await put(storage, KEYS[0], b"6")
        leave()
        await put(storage, KEYS[0], b"7")
        assert [event.record.value for event in heard] == [b"%d" % n for n in range(8)]
        assert heard[0].previous is None
        assert all(b.previous == a.record for a, b in itertools.pairwise(heard))
        assert [event.record.value for event in late] == [b"3", b"4", b"5", b"6"]

    run(scenario)


def test_concurrent_writers_of_one_key_lose_no_update(run):
    async def scenario(storage):
        await put(storage, KEYS[0], b"0")

        async def add() -> None:
            current = await storage.get(KEYS[0])
            while True:
                value = b"%d" % (int(current.value) + 1)
                (result,) = await storage.write([Change(KEYS[0], value, current.revision)])
                if not isinstance(result, Mismatch):
                    return
                current = result.current

        async with tasks.Group("adders") as group:
            for number in range(20):
                group.spawn(add(), str(number))
        assert (await storage.get(KEYS[0])).value == b"20"

    run(scenario)


def test_a_range_pages_through_a_prefix_and_not_its_neighbours(run):
    async def scenario(storage):
        for name in ("a/1", "a/2", "a/3", "ab", "b"):
            await put(storage, ROOT + name, b"")
        first = await storage.range(ROOT + "a/", limit=2)
        assert [record.key for record in first.records] == [ROOT + "a/1", ROOT + "a/2"]
        assert first.more == 1
        await put(storage, ROOT + "a/25", b"")
        (gone,) = await storage.write([Change(ROOT + "a/3", None, None)])
        rest = await storage.range(
            ROOT + "a/", revision=first.revision, after=ROOT + "a/2", limit=2
        )
        assert [record.key for record in rest.records] == [ROOT + "a/3"]
        assert (rest.more, rest.revision) == (0, first.revision)
        now = await storage.range(ROOT)
        assert [record.key[len(ROOT) :] for record in now.records] == [
            "a/1", "a/2", "a/25", "ab", "b",
        ]  # fmt: skip
        assert now.revision >= gone.revision

    run(scenario)


def test_more_records_than_a_page_come_whole_and_in_order(run):
    async def scenario(storage):
        names = [f"{ROOT}p/{number:04}" for number in range(1201)]
        await storage.write([Change(name, b"x", 0) for name in names])
        found = await storage.range(ROOT + "p/")
        assert [record.key for record in found.records] == names
        part = await storage.range(ROOT + "p/", limit=700)
        assert ([record.key for record in part.records], part.more) == (names[:700], 501)

    run(scenario)


def test_the_past_is_read_as_it_was_until_it_is_compacted(run):
    async def scenario(storage):
        made = [await put(storage, KEYS[0], b"%d" % number) for number in range(4)]
        (gone,) = await storage.write([Change(KEYS[0], None, None)])
        assert [await storage.get(KEYS[0], one.revision) for one in made] == made
        assert await storage.get(KEYS[0], gone.revision) is None
        await storage.compact(made[2].revision)
        with pytest.raises(Compacted) as compacted:
            await storage.get(KEYS[0], made[1].revision)
        assert compacted.value.oldest == made[2].revision
        with pytest.raises(Compacted):
            await storage.range(ROOT, revision=made[1].revision)
        with pytest.raises(Compacted):
            storage.subscribe(made[1].revision, list)
        assert await storage.get(KEYS[0], made[2].revision) == made[2]
        assert (await storage.kept()).oldest == made[2].revision
        await storage.compact(made[0].revision)  # is older: changes nothing
        assert await storage.get(KEYS[0], made[3].revision) == made[3]

    run(scenario)


def test_the_future_cannot_be_read(run):
    async def scenario(storage):
        await put(storage, KEYS[0], b"1")
        ahead = await storage.newest() + 1_000_000
        with pytest.raises(FutureRevision):
            await storage.get(KEYS[0], ahead)
        with pytest.raises(FutureRevision):
            await storage.range(ROOT, revision=ahead)
        with pytest.raises(FutureRevision):
            await storage.compact(ahead)

    run(scenario)


def test_a_cancelled_write_ends_when_it_is_known_what_became_of_it(run):
    async def scenario(storage):
        async with tasks.Group("test") as group:
            writing = group.spawn(storage.write([Change(KEYS[0], b"1", 0)]), "write")
            await asyncio.sleep(0)
            writing.cancel()
        assert (await storage.get(KEYS[0])).value == b"1"

    run(scenario)


def test_a_store_that_takes_work_says_so_and_may_be_compacted_and_defragmented(run):
    async def scenario(storage):
        await put(storage, KEYS[0], b"1")
        await storage.check()
        await storage.turn(storage.revision)
        before, after = await storage.defragment()
        assert after <= before
        assert (await storage.get(KEYS[0])).value == b"1"

    run(scenario)


change = st.tuples(
    st.sampled_from(KEYS), st.none() | st.binary(max_size=2), st.sampled_from(["any", "right", 0])
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.lists(change, max_size=25), compact_at=st.integers(0, 25))
def test_every_kept_revision_reads_as_a_full_copy_would(run, changes, compact_at):
    async def scenario(storage):
        start = storage.revision
        model: dict[str, Record] = {}
        copies = {start: dict(model)}
        for key, value, rule in changes:
            current = model.get(key)
            expected = {"any": None, "right": current.revision if current else 0}.get(rule, 0)
            (result,) = await storage.write([Change(key, value, expected)])
            if isinstance(result, Mismatch):
                assert result.current == current
            elif isinstance(result, Deleted):
                assert result.previous == model.pop(key)
                copies[result.revision] = dict(model)
            else:
                assert result.created == (current.created if current else result.revision)
                model[key] = result
                copies[result.revision] = dict(model)
        revisions = list(copies)
        kept = revisions[min(compact_at, len(revisions) - 1) :]
        await storage.compact(kept[0])
        for revision in kept:
            if revision:
                found = await storage.range(ROOT, revision=revision)
                assert list(found.records) == [
                    copies[revision][k] for k in sorted(copies[revision])
                ]
        replayed = dict(copies[kept[0]])
        events: list[Event] = []
        storage.subscribe(kept[0], events.extend)
        await put(storage, ROOT + "end", b"")
        for event in events[:-1]:
            assert event.previous == replayed.get(event.key)
            replayed.pop(event.key, None)
            if event.record is not None:
                replayed[event.key] = event.record
        assert replayed == model

    run(scenario)
