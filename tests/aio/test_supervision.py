"""Supervised tasks: started again after a crash, later each time, and nobody else is disturbed."""

import asyncio
import itertools
import random

import pytest
import structlog

from cluster.aio import retrying, supervision, tasks, virtual


def supervisor(group):
    return supervision.Supervisor(group, random=random.Random(1), log=structlog.get_logger())


class Crashing:
    """Notes when it is started, and ends as it is told."""

    def __init__(self, end, lasts=0.0):
        self.starts = []
        self.end = end
        self.lasts = lasts

    async def run(self):
        self.starts.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.lasts)
        if self.end is not None:
            raise self.end


def watched(*runs, seconds):
    """Run them under supervision for so long; what was logged."""

    async def main():
        async with tasks.Group("test") as group:
            for number, run in enumerate(runs):
                supervisor(group).spawn(run, f"task-{number}")
            await asyncio.sleep(seconds)
            assert len(group) == len(runs)
            group.cancel()

    with structlog.testing.capture_logs() as logs:
        virtual.run(main())
    return logs


@pytest.mark.parametrize("end", [ValueError("no"), asyncio.CancelledError(), RecursionError()])
def test_what_crashes_is_started_again_later_each_time(end):
    crashing = Crashing(end)
    logs = watched(crashing.run, seconds=40)
    gaps = [after - before for before, after in itertools.pairwise(crashing.starts)]
    assert len(gaps) >= 3
    for number, gap in enumerate(gaps):
        assert 2**number <= gap < 2 ** (number + 1)
    assert {(log["event"], log["task"], log["exc_info"]) for log in logs} == {
        ("crashed; it is started again", "task-0", end)
    }


def test_what_ends_by_itself_is_started_again_and_told_of():
    ending = Crashing(None, lasts=5)
    logs = watched(ending.run, seconds=20)
    assert len(ending.starts) >= 2
    assert logs[0]["event"] == "ended by itself; it is started again"


def test_others_of_the_group_go_on():
    crashing, steady = Crashing(ValueError("no")), Crashing(None, lasts=1000)
    watched(crashing.run, steady.run, seconds=100)
    assert len(steady.starts) == 1
    assert len(crashing.starts) > 4


def test_crashes_of_long_ago_are_forgotten():
    crashing = Crashing(ValueError("no"), lasts=supervision.STEADY + 1)
    watched(crashing.run, seconds=2000)
    gaps = [after - before for before, after in itertools.pairwise(crashing.starts)]
    assert len(gaps) > 10
    assert max(gaps) < supervision.STEADY + 1 + 2 * supervision.RESTART_INITIAL


def test_a_crash_for_ever_is_tried_every_two_minutes_at_least():
    crashing = Crashing(ValueError("no"))
    watched(crashing.run, seconds=3600)
    assert 40 < len(crashing.starts) < 75


def test_retries_of_one_key_grow_and_leave_others_alone():
    async def main():
        loop = asyncio.get_running_loop()
        calls = []

        def again(key):
            calls.append((key, loop.time()))
            if key == "bad":
                retries.later(key)

        retries = retrying.Retries(again, random=random.Random(1), initial=1, maximum=8)
        retries.later("bad")
        await asyncio.sleep(60)
        retries.later("good")
        await asyncio.sleep(2.1)
        bad = [at for key, at in calls if key == "bad"]
        gaps = [after - before for before, after in itertools.pairwise([0.0, *bad])]
        assert 1 <= gaps[0] < 2 <= gaps[1] < 4 <= gaps[2] < 8 <= gaps[3] < 16
        assert [key for key, at in calls if at > 60 and key == "good"] == ["good"]

        retries.forget("bad")
        calls.clear()
        retries.later("bad")
        await asyncio.sleep(2)
        assert calls

    virtual.run(main())
