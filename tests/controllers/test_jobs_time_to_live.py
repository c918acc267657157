"""Finished Jobs are deleted when their time is over, and not before."""

import asyncio

import controllerworld
import pytest
from jobs import finished, job

from cluster.aio import virtual
from cluster.api import errors
from cluster.controllers import ttlafterfinished

NOW = 1_800_000_100.0


def _job(ttl=50, kind="Complete", at="2027-01-15T08:00:00Z", status="True", **meta):
    condition = {"type": kind, "status": status}
    if at:
        condition["lastTransitionTime"] = at
    spec = {} if ttl is None else {"ttlSecondsAfterFinished": ttl}
    return {"metadata": {"name": "j", **meta}, "spec": spec, "status": {"conditions": [condition]}}


@pytest.mark.parametrize(
    ("found", "left"),
    [
        (_job(), -50),
        (_job(ttl=0), -100),
        (_job(ttl=130, kind="Failed"), 30),
        (_job(ttl=None), None),
        (_job(kind="FailureTarget"), None),
        (_job(status="False"), None),
        (_job(deletionTimestamp="2027-01-15T08:01:00Z"), None),
    ],
)
def test_the_time_runs_from_the_end_of_the_job(found, left):
    assert ttlafterfinished.seconds_left(found, NOW) == left


def test_a_finished_job_that_does_not_say_since_when_is_an_error():
    with pytest.raises(errors.InternalError, match="unable to find the time"):
        ttlafterfinished.seconds_left(_job(at=""), NOW)


async def _exists(world):
    return await world.exists("jobs.batch", "work")


@pytest.mark.parametrize("exit_code", [0, 1])
def test_a_job_goes_with_its_pods_when_its_time_is_over(exit_code):
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (1.0, exit_code)
            await world.create("jobs.batch", job(ttlSecondsAfterFinished=100, backoffLimit=0))
            await finished(world)
            await asyncio.sleep(95)
            assert await _exists(world)
            await asyncio.sleep(10)
            assert not await _exists(world)
            assert await world.all("pods") == []

    virtual.run(scenario())


def test_more_time_and_a_manager_that_was_dead_are_heeded():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (1.0, 0)
            await world.create("jobs.batch", job(ttlSecondsAfterFinished=50))
            await finished(world)
            patch = {"spec": {"ttlSecondsAfterFinished": 200}}
            await world.client.patch("jobs.batch", "work", patch, "default")
            await asyncio.sleep(100)
            await world.restart_manager()
            await asyncio.sleep(90)
            assert await _exists(world)
            await asyncio.sleep(20)
            assert not await _exists(world)

    virtual.run(scenario())
