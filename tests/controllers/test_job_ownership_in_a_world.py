"""Jobs that are suspended or deleted, and pods that come to jobs and leave them."""

import asyncio

import controllerworld
import pytest
from jobs import condition, ended, finished, job, kinds

from cluster.aio import virtual
from cluster.api import objects, timestamps

TRACKING = "batch.kubernetes.io/job-tracking"


async def _suspend(world, value):
    await world.client.patch("jobs.batch", "work", {"spec": {"suspend": value}}, "default")


@pytest.mark.parametrize(("version", "kept"), [("1.35", True), ("1.36", False)])
def test_a_suspended_job_has_no_pods_and_begins_anew_when_it_is_resumed(version, kept):
    config = controllerworld.Config(kubernetes_version=version)

    async def scenario():
        async with controllerworld.running(config) as world:
            world.kubelet.outcome = lambda pod: (25.0, 0)
            await world.create("jobs.batch", job(activeDeadlineSeconds=40, completions=1))
            await asyncio.sleep(20)
            first = (await world.get("jobs.batch", "work"))["status"]["startTime"]
            await _suspend(world, value=True)
            await asyncio.sleep(60)
            found = await world.get("jobs.batch", "work")
            told = condition(found, "Suspended")
            assert (told["reason"], told["message"]) == ("JobSuspended", "Job suspended")
            assert ("startTime" in found["status"]) == kept
            assert found["status"].keys().isdisjoint({"active", "failed"})
            assert await world.all("pods") == []
            await _suspend(world, value=False)
            found = await finished(world)
            assert ended(found) == "Complete"
            (resumed,) = [c for c in found["status"]["conditions"] if c["type"] == "Suspended"]
            assert (resumed["status"], resumed["reason"]) == ("False", "JobResumed")
            again = found["status"]["startTime"]
            assert timestamps.decode(again) - timestamps.decode(first) == pytest.approx(80, abs=2)
            assert await world.events("Suspended") == ["Job suspended"]
            assert await world.events("Resumed") == ["Job resumed"]

    virtual.run(scenario())


def test_a_job_that_is_made_suspended_has_not_started():
    async def scenario():
        async with controllerworld.running() as world:
            await world.create("jobs.batch", job(suspend=True, activeDeadlineSeconds=5))
            await asyncio.sleep(30)
            found = await world.get("jobs.batch", "work")
            assert kinds(found) == ["Suspended"]
            assert "startTime" not in found["status"]
            assert await world.all("pods") == []

    virtual.run(scenario())


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
@pytest.mark.parametrize("grown_old", [False, True])
def test_a_deleted_job_takes_its_pods_with_it(propagation, grown_old):
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (2.0, 0) if grown_old else (900.0, 0)
            await world.create("jobs.batch", job(parallelism=2, completions=2))
            await asyncio.sleep(10)
            assert bool(ended(await world.get("jobs.batch", "work"))) == grown_old
            await world.client.delete("jobs.batch", "work", "default", propagation=propagation)

            async def nothing_left():
                return not await world.exists("jobs.batch", "work") and not await world.all("pods")

            await world.until(nothing_left)

    virtual.run(scenario())


def test_pods_that_outlive_their_job_lose_its_finalizer():
    async def scenario():
        async with controllerworld.running() as world:
            await world.create("jobs.batch", job(parallelism=2, completions=2))
            await asyncio.sleep(5)
            await world.client.delete("jobs.batch", "work", "default", propagation="Orphan")

            async def free():
                pods = await world.all("pods")
                return all("finalizers" not in objects.meta(pod) for pod in pods) and pods

            pods = await world.until(free)
            assert len(pods) == 2
            assert not any(objects.deleting(pod) for pod in pods)

    virtual.run(scenario())


def test_pods_of_a_job_that_goes_while_the_manager_is_dead_are_released():
    async def scenario():
        async with controllerworld.running() as world:
            await world.create("jobs.batch", job(parallelism=3, completions=3))
            await asyncio.sleep(5)
            await world.client.delete("jobs.batch", "work", "default", propagation="Background")
            await world.restart_manager()

            async def nothing_left():
                return not await world.all("pods")

            await world.until(nothing_left)

    virtual.run(scenario())


def _by_hand(**spec):
    made = job(manualSelector=True, selector={"matchLabels": {"mine": "yes"}}, **spec)
    made["spec"]["template"]["metadata"]["labels"] = {"mine": "yes"}
    return made


def _pod(name):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"mine": "yes"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:1"}]},
    }


def test_a_job_with_a_selector_of_its_own_adopts_pods_and_counts_them():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (30.0, 0)
            await world.create("pods", _pod("early"))
            await world.create("jobs.batch", _by_hand(parallelism=3, completions=3))
            await asyncio.sleep(2)
            await world.create("pods", _pod("late"))
            await asyncio.sleep(5)
            early = await world.get("pods", "early")
            assert objects.controller_of(early)["name"] == "work"
            assert TRACKING in objects.meta(early)["finalizers"]
            # The late one is one too many: a pod is ended, which one is nobody's promise.
            assert (await world.get("jobs.batch", "work"))["status"]["active"] == 3
            found = await finished(world)
            assert (found["status"]["succeeded"], found["status"].get("failed")) == (3, None)

    virtual.run(scenario())


def test_a_pod_that_no_longer_matches_is_let_go_and_replaced():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (30.0, 0)
            await world.create("jobs.batch", _by_hand(completions=1))
            await asyncio.sleep(5)
            (pod,) = await world.all("pods")
            await world.client.patch(
                "pods", objects.name(pod), {"metadata": {"labels": {"mine": "no"}}}, "default"
            )
            await asyncio.sleep(5)
            stranger = await world.get("pods", objects.name(pod))
            assert objects.controller_of(stranger) is None
            assert "finalizers" not in objects.meta(stranger)
            (new,) = [p for p in await world.all("pods") if objects.labels(p)["mine"] == "yes"]
            assert objects.controller_of(new)["name"] == "work"
            await finished(world)

    virtual.run(scenario())
