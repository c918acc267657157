"""What scripts/soak.py calls growth, and what a process tells of its tasks."""

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent.parent / "scripts"))

from cluster.aio import tasks, virtual
from cluster.cli import census
from soaking import sampling, verdict


def samples(*pss: int, descriptors: int = 20, running: int = 10) -> list[sampling.Sample]:
    return [
        sampling.Sample(at, 7, size, 3 * size, size // 2, descriptors, 8, running)
        for at, size in enumerate(pss)
    ]


def faults(found: list[sampling.Sample]) -> list[str]:
    judged = verdict.judge("one", found)
    assert judged is not None
    return judged.faults()


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ((100, 100, 100, 100), []),
        ((100, 101, 104, 105), []),
        ((100, 101, 104, 106), ["its memory grew by 6.0%"]),
        # A peak in between is no growth, nor is one sample of a quarter.
        ((100, 100, 400, 400, 400, 400, 100, 100), []),
        ((100, 100, 100, *(100,) * 6, 100, 900, 100), []),
        ((200, 200, 100, 100), []),
    ],
)
def test_memory_grew_where_the_last_quarter_is_five_percent_above_the_first(
    sizes: tuple[int, ...], said: list[str]
) -> None:
    assert faults(samples(*sizes)) == said


def test_memory_is_not_judged_where_the_run_was_too_short() -> None:
    judged = verdict.judge("one", samples(100, 100, 200, 200, descriptors=20))
    assert judged is not None
    assert judged.faults(memory=False) == []
    assert judged.faults() == ["its memory grew by 100.0%"]


def test_a_few_descriptors_and_tasks_more_are_no_leak() -> None:
    before, few = samples(100, 100), samples(100, 100, descriptors=30, running=20)
    assert faults(before + few) == []
    many = samples(100, 100, descriptors=32, running=300)
    assert faults(before + many) == [
        "its descriptors grew from 20 to 32",
        "its tasks grew from 10 to 300",
    ]


def test_a_process_that_died_meanwhile_is_a_fault() -> None:
    again = [sampling.Sample(9, 8, 100, 300, 50, 20, 8, 10)]
    died = verdict.deaths(samples(100, 100, 100) + again, 9, 10)
    assert died == ["it died and was started again"]


def test_a_process_of_which_nothing_was_seen_for_long_has_died() -> None:
    assert verdict.deaths(samples(100, 100, 100), 12, 10) == []
    said = "it died: nothing was seen of it in the last 13 s"
    assert verdict.deaths(samples(100, 100, 100), 15, 10) == [said]


def test_too_few_samples_are_no_verdict() -> None:
    assert verdict.judge("one", samples(100, 900, 900)) is None


def test_a_process_tells_its_tasks_by_what_they_run() -> None:
    async def waits(event: asyncio.Event) -> None:
        await event.wait()

    async def main() -> None:
        event = asyncio.Event()
        async with tasks.Group("waiters") as group:
            for number in range(3):
                group.spawn(waits(event), str(number))
            counted = census.kinds(asyncio.all_tasks())
            event.set()
        name = "test_a_process_tells_its_tasks_by_what_they_run.<locals>."
        assert counted[f"{name}waits"] == 3
        assert counted[f"{name}main"] == 1

    virtual.run(main())
