"""What is said of what a soak has measured: rates, deaths, and what could not be judged."""

import asyncio
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent.parent / "scripts"))

from cluster.aio import virtual
from soaking import record, report, running, sampling

EVERY = record.SAMPLE_SECONDS


def sample(at: float, pid: int = 7) -> sampling.Sample:
    return sampling.Sample(at, pid, 100, 300, 50, 20, 8, 10)


def soaked(looks: int = 20, *, dies: int | None = None, again: int | None = None) -> record.Record:
    """A record of two processes; `mortal` has a sample at each look, but from `dies` on until it
    is there `again` with another process id.
    """
    found = record.Record(rate=1.0, warm_up=10 * EVERY, memory=True)
    for number in range(1, looks + 1):
        at = number * EVERY
        there = {"steady": sample(at)}
        if dies is None or number < dies:
            there["mortal"] = sample(at)
        elif again is not None and number >= again:
            there["mortal"] = sample(at, 8)
        found.look(at, 10, {"created": round(at), "deleted": round(at)}, there)
    return found


def test_a_soak_in_which_nothing_grew_passes() -> None:
    found = soaked()
    assert (found.faults(), report.code(found)) == ([], 0)
    assert found.rates() == (1.0, 1.0)
    assert found.quarters() == (10, 10)
    assert list(report.lines(found))[-1].startswith("10 pods were alive")


@pytest.mark.parametrize("dies", [15, 18])
def test_a_process_that_died_and_stayed_away_is_a_fault(dies: int) -> None:
    found = soaked(dies=dies)
    assert "mortal: it died: nothing was seen of it in the last" in "\n".join(found.faults())
    assert report.code(found) == 1


def test_a_process_that_one_look_does_not_find_is_alive() -> None:
    assert soaked(dies=19, again=99).faults() == []


def test_a_process_that_was_started_again_in_the_warm_up_has_died() -> None:
    assert soaked(dies=3, again=4).faults() == ["mortal: it died and was started again"]


def test_a_process_that_came_too_late_to_be_judged_is_a_fault() -> None:
    assert soaked(dies=1, again=19).faults() == [
        "mortal: it was seen too few times to be judged (2)"
    ]


def test_a_cluster_that_died_whole_is_no_pass() -> None:
    found = soaked(looks=14)
    for number in range(15, 30):
        found.look(number * EVERY, 10, found.counts, {})
    assert [fault.partition(":")[0] for fault in found.faults()] == ["steady", "mortal"]
    assert report.code(found) == 1
    assert max(found.rates()) < 0.5
    assert found.missed()


def test_a_soak_that_saw_no_process_is_no_pass() -> None:
    found = record.Record(rate=1.0, warm_up=0.0, memory=True)
    found.look(EVERY, 0, {}, {})
    assert found.faults() == ["no process was seen"]
    assert report.code(found) == 1


def test_a_rate_that_was_not_held_is_told() -> None:
    found = soaked()
    found.rate = 2.0
    assert report.code(found) == 2
    assert list(report.lines(found))[-1].startswith("MISSED the rate of 2 pods a second")


class Load:
    """Churns in name only."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.alive = 3
        self.counts: Counter[str] = Counter(created=5)
        self._failure = failure

    async def run(self, seconds: float, peaks: object) -> None:
        await asyncio.sleep(seconds)
        if self._failure is not None:
            raise self._failure


class Eyes:
    """Sees one process, until it fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure

    def ask(self) -> None:
        pass

    def take(self, at: float) -> dict[str, sampling.Sample]:
        if self._failure is not None:
            raise self._failure
        return {"steady": sample(at)}


def run(load: Load, eyes: Eyes) -> tuple[record.Record, list[str]]:
    found = record.Record(rate=1.0, warm_up=60.0, memory=True)
    told: list[str] = []
    shell = running.soak(load, eyes, found, 301, lambda seen: told.append(report.progress(seen)))
    virtual.run(shell)
    return found, told


def test_what_is_seen_during_a_churn_is_entered() -> None:
    found, told = run(Load(), Eyes())
    assert len(found.samples["steady"]) == len(found.alive) == 60
    assert found.judged_from == 60
    assert len(told) == 5
    assert told[0] == "  1.0 min: created 5, alive 3; MB: steady=0"


@pytest.mark.parametrize(
    ("load", "eyes"), [(Load(OSError("no load")), Eyes()), (Load(), Eyes(OSError("no eyes")))]
)
def test_a_failure_of_either_side_is_raised(load: Load, eyes: Eyes) -> None:
    with pytest.raises(OSError, match="no "):
        run(load, eyes)
