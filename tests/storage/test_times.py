"""When revisions were made, against every commit that there was."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.storage.interface import Change, Kept, TooEarly
from cluster.storage.memory import MemoryStorage
from cluster.storage.sqlite import SqliteStorage
from cluster.storage.times import STEP, Times


class Wall:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        return self.seconds


gaps = st.lists(st.sampled_from([0.0, 0.01, 0.1, STEP, 1.0, 30.0]), min_size=1, max_size=60)


@settings(max_examples=200, deadline=None)
@given(gaps, st.floats(0, 400))
def test_a_time_finds_the_revision_that_was_there_but_for_the_midst_of_a_burst(steps, after):
    times, commits, now = Times(), [], 1000.0
    for number, step in enumerate(steps, start=1):
        now += step
        commits.append((number, now))
        times.note(number, now)
    asked = 1000.0 + after
    true = max((revision for revision, when in commits if when <= asked), default=None)
    found = times.at(asked)
    if true is None:
        assert found is None
        return
    assert found is not None
    assert found <= true
    # What is left out was made within a step before the time asked for.
    assert all(asked - when <= STEP for revision, when in commits if found < revision <= true)
    # Once it is quiet, nothing is left out.
    assert times.at(now + STEP) == commits[-1][0]


def test_bursts_take_a_few_entries_a_second():
    times = Times()
    for number in range(10_000):
        times.note(number + 1, 1000.0 + number / 1000)
    assert len(times) <= 2 * 10 / STEP
    assert times.of(5_000) == pytest.approx(1005, abs=2 * STEP)


def test_a_clock_that_is_set_back_leaves_the_past_readable():
    times = Times()
    for revision, now in ((1, 1000.0), (2, 1010.0), (3, 900.0), (4, 1020.0)):
        times.note(revision, now)
    assert [times.at(when) for when in (999, 1005, 1015, 1020)] == [None, 1, 3, 4]


def test_what_was_taken_back_is_noted_when_it_is_made_again():
    times = Times()
    times.note(1, 1000.0)
    times.note(2, 1005.0)
    times.undo(1)
    times.note(2, 1010.0)
    assert [times.at(when) for when in (1006, 1010)] == [1, 2]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_the_past_is_found_by_time_as_far_as_history_is_kept(tmp_path, kind):
    clock = Wall()
    storage = MemoryStorage(clock) if kind == "memory" else SqliteStorage(tmp_path / "db", clock)

    async def scenario():
        await storage.open()
        for number in range(5):
            clock.seconds += 10
            await storage.write([Change("/a", b"%d" % number, None)])
        found = [await storage.revision_at(when) for when in (1010, 1029.9, 1030, 5000)]
        await storage.compact(3)
        kept = await storage.kept()
        with pytest.raises(TooEarly) as early:
            await storage.revision_at(1029)
        await storage.close()
        return found, kept, early.value.kept

    found, kept, told = asyncio.run(scenario())
    assert found == [1, 2, 3, 5]
    assert kept == told == Kept(3, 5, 1030.0)


def test_times_outlive_the_process_as_the_history_does(tmp_path: Path):
    clock = Wall()

    async def fill():
        storage = SqliteStorage(tmp_path / "db", clock)
        await storage.open()
        for number in range(6):
            clock.seconds += 10
            await storage.write([Change("/a", b"%d" % number, None)])
        await storage.compact(3)
        await storage.close()

    async def look():
        storage = SqliteStorage(tmp_path / "db", clock)
        await storage.open()
        found = await storage.revision_at(1045), await storage.kept()
        await storage.close()
        return found

    asyncio.run(fill())
    assert asyncio.run(look()) == (4, Kept(3, 6, 1030.0))


def test_defragmentation_gives_back_what_compaction_freed(tmp_path: Path):
    async def scenario():
        storage = SqliteStorage(tmp_path / "db")
        await storage.open()
        for _ in range(50):
            await storage.write([Change("/a", b"x" * 50_000, None)])
        await storage.compact(50)
        before, after = await storage.defragment()
        kept = await storage.get("/a")
        await storage.close()
        return before, after, kept

    before, after, kept = asyncio.run(scenario())
    assert before > 2_000_000
    assert after < 200_000
    assert kept is not None
    assert len(kept.value) == 50_000
