"""Jobs whose controller dies at any moment, and whose way to the API is rough.

No completion may be counted twice or lost, no more pods than the parallelism may be active, and no
pod may be left with the tracking finalizer.
"""

import asyncio
import random

import controllerworld
import pytest
from jobs import Ledger, ended, following, job

from cluster.aio import tasks, virtual
from cluster.api import objects

TRACKING = "batch.kubernetes.io/job-tracking"
CONFIG = controllerworld.Config(terminated_pod_gc_threshold=0)


def _outcome(seed, failing):
    """Run times and exit codes by a pod's uid, so that they do not depend on the order."""

    def outcome(pod):
        chance = random.Random(f"{seed}/{objects.uid(pod)}")
        return chance.uniform(0.1, 4.0), int(chance.random() < failing)

    return outcome


async def _nobody(world):
    """Changes nothing while the jobs run."""


async def _run(seed, wanted, failing, within=3000.0, meddle=_nobody):
    """The finished jobs and what was seen of their pods; the world's own checks come after."""
    ledger = Ledger()
    found = {}
    async with controllerworld.running(CONFIG, crash_every=seed) as world:
        world.kubelet.outcome = _outcome(seed, failing)
        world.kubelet.ready_after = lambda pod: 0.2
        async with tasks.Group("ledger") as group:
            group.spawn(following(world.client, ledger), "ledger")
            for each in wanted:
                await world.create("jobs.batch", each)

            group.spawn(meddle(world), "meddler")

            async def all_ended():
                jobs = await world.all("jobs.batch")
                return all(ended(each) for each in jobs) and jobs

            jobs = await world.until(all_ended, within=within, every=1.0)
            found = {objects.name(each): each for each in jobs}

            async def nothing_held():
                pods = await world.all("pods")
                return not [p for p in pods if TRACKING in objects.meta(p).get("finalizers", ())]

            await world.until(nothing_held, within=120, every=1.0)
            pods = await world.all("pods")
            assert world.mortal.deaths >= 2
            group.cancel()
    return found, pods, ledger


@pytest.mark.parametrize("seed", range(4))
def test_crashes_neither_lose_nor_double_a_completion(seed):
    wanted = [
        job("plain", parallelism=4, completions=20, backoffLimit=1000),
        job("indexed", parallelism=5, completions=20, backoffLimit=1000, completionMode="Indexed"),
    ]
    found, pods, ledger = virtual.run(_run(seed, wanted, failing=0.0))
    assert not ledger.doubled
    for name, limit in (("plain", 4), ("indexed", 5)):
        status, uid = found[name]["status"], objects.uid(found[name])
        assert ended(found[name]) == "Complete"
        assert status["succeeded"] == 20 == len(ledger.succeeded[uid])
        assert ledger.most[uid] <= limit
        assert not any(status["uncountedTerminatedPods"].values())
    assert found["indexed"]["status"]["completedIndexes"] == "0-19"
    indexes = ledger.succeeded[objects.uid(found["indexed"])].values()
    assert sorted(indexes) == list(range(20))
    assert len(pods) == 40


@pytest.mark.parametrize("seed", range(4, 7))
def test_crashes_count_each_failure_once(seed):
    wanted = [
        job("plain", parallelism=3, completions=6, backoffLimit=1000),
        job(
            "indexed", parallelism=4, completions=8, backoffLimitPerIndex=1000,
            completionMode="Indexed",
        ),
        job("strict", parallelism=3, completions=6, backoffLimit=2, podReplacementPolicy="Failed"),
    ]  # fmt: skip
    found, pods, ledger = virtual.run(_run(seed, wanted, failing=0.3, within=30_000.0))
    assert not ledger.doubled
    for name, limit in (("plain", 3), ("indexed", 4), ("strict", 3)):
        status, uid = found[name].get("status", {}), objects.uid(found[name])
        assert ledger.most[uid] <= limit
        own = [p for p in pods if (objects.controller_of(p) or {}).get("uid") == uid]
        phases = [objects.status(p).get("phase") for p in own]
        # A pod that was ended on the way is gone and counted as failed: at least those that are.
        assert status.get("succeeded", 0) == phases.count("Succeeded")
        assert status.get("failed", 0) >= phases.count("Failed")
        assert status.get("failed", 0) <= phases.count("Failed") + limit
    assert ended(found["plain"]) == ended(found["indexed"]) == "Complete"
    assert found["indexed"]["status"]["failedIndexes"] == ""


@pytest.mark.parametrize("seed", range(7, 10))
def test_a_job_that_is_changed_all_the_time_still_counts_what_it_says(seed):
    chance = random.Random(f"{seed}/meddler")

    async def meddle(world):
        for _ in range(12):
            await asyncio.sleep(chance.uniform(0.5, 6.0))
            for name in ("plain", "indexed"):
                spec = {"suspend": chance.random() < 0.3, "parallelism": chance.randint(1, 6)}
                await world.client.patch("jobs.batch", name, {"spec": spec}, "default")
        for name in ("plain", "indexed"):
            patch = {"spec": {"suspend": False, "parallelism": 6}}
            await world.client.patch("jobs.batch", name, patch, "default")

    wanted = [
        job("plain", parallelism=4, completions=40, backoffLimit=0),
        job("indexed", parallelism=5, completions=40, backoffLimit=0, completionMode="Indexed"),
    ]
    found, _, ledger = virtual.run(_run(seed, wanted, failing=0.0, meddle=meddle))
    assert not ledger.doubled
    for name in ("plain", "indexed"):
        status, uid = found[name]["status"], objects.uid(found[name])
        # Pods that were ended on the way were not counted, as a failure would fail the job.
        assert ended(found[name]) == "Complete"
        assert 40 <= status["succeeded"] <= len(ledger.succeeded[uid])
        assert ledger.most[uid] <= 6
    assert found["indexed"]["status"]["completedIndexes"] == "0-39"
