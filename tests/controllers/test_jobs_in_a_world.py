"""The life of Jobs that do well: a real registry, the controller manager, a fake kubelet."""

import asyncio

import controllerworld
import pytest
from jobs import Ledger, ended, finished, following, job, kinds

from cluster.aio import tasks, virtual
from cluster.api import objects

TRACKING = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"


def test_a_job_of_one_pod_completes():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (5.0, 0)
            await world.create("jobs.batch", job())
            found = await finished(world)
            status = found["status"]
            assert kinds(found) == ["SuccessCriteriaMet", "Complete"]
            assert {c["reason"] for c in status["conditions"]} == {"CompletionsReached"}
            assert (status["succeeded"], status["ready"], status["terminating"]) == (1, 0, 0)
            assert status.keys().isdisjoint({"active", "failed"})
            assert status["uncountedTerminatedPods"] == {}
            assert status["completionTime"] == status["conditions"][1]["lastTransitionTime"]
            (pod,) = await world.all("pods")
            assert TRACKING not in objects.meta(pod).get("finalizers", [])
            assert objects.name(pod).startswith("work-")
            await world.until(lambda: world.events("Completed"))
            assert await world.events("Completed") == ["Job completed"]
            assert await world.events("SuccessfulCreate") == [f"Created pod: {objects.name(pod)}"]

    virtual.run(scenario())


def test_the_status_follows_the_pods():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (5.0, 0)
            world.kubelet.ready_after = lambda pod: 2.0
            await world.create("jobs.batch", job(parallelism=2, completions=2))
            await asyncio.sleep(1.5)
            status = (await world.get("jobs.batch", "work"))["status"]
            assert (status["active"], status["ready"]) == (2, 0)
            pods = await world.all("pods")
            assert [TRACKING in objects.meta(pod)["finalizers"] for pod in pods] == [True, True]
            await asyncio.sleep(2)
            status = (await world.get("jobs.batch", "work"))["status"]
            assert (status["active"], status["ready"]) == (2, 2)
            await finished(world)

    virtual.run(scenario())


@pytest.mark.parametrize("mode", ["NonIndexed", "Indexed"])
def test_no_more_pods_are_active_than_the_parallelism_and_none_is_made_too_many(mode):
    ledger = Ledger()

    async def scenario():
        async with controllerworld.running() as world, tasks.Group("ledger") as group:
            group.spawn(following(world.client, ledger), "ledger")
            world.kubelet.outcome = lambda pod: (len(objects.uid(pod)[:1]) * 2.0, 0)
            await world.create("jobs.batch", job(parallelism=3, completions=7, completionMode=mode))
            found = await finished(world)
            assert found["status"]["succeeded"] == 7
            assert len(await world.all("pods")) == 7
            assert ledger.most == {objects.uid(found): 3}
            group.cancel()

    virtual.run(scenario())


def test_a_work_queue_ends_when_one_pod_has_succeeded_and_the_others_have_ended():
    async def scenario():
        async with controllerworld.running() as world:
            first = []

            def outcome(pod):
                first.append(objects.uid(pod))
                return (3.0, 0) if len(first) == 1 else (20.0, int(len(first) == 2))

            world.kubelet.outcome = outcome
            await world.create("jobs.batch", job(parallelism=3))
            await asyncio.sleep(15)
            halfway = await world.get("jobs.batch", "work")
            assert not ended(halfway)
            assert (halfway["status"]["succeeded"], halfway["status"]["active"]) == (1, 2)
            found = await finished(world)
            assert ended(found) == "Complete"
            assert (found["status"]["succeeded"], found["status"]["failed"]) == (2, 1)
            assert len(await world.all("pods")) == 3

    virtual.run(scenario())


def test_indexed_pods_know_their_index():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (1.0, 0)
            await world.create(
                "jobs.batch", job(completions=3, parallelism=3, completionMode="Indexed")
            )
            found = await finished(world)
            assert found["status"]["completedIndexes"] == "0-2"
            pods = sorted(await world.all("pods"), key=objects.name)
            for index, pod in enumerate(pods):
                assert objects.name(pod).startswith(f"work-{index}-")
                assert objects.labels(pod)[INDEX] == objects.annotations(pod)[INDEX] == str(index)
                spec = objects.spec(pod)
                assert spec["hostname"] == f"work-{index}"
                path = spec["containers"][0]["env"][0]["valueFrom"]["fieldRef"]["fieldPath"]
                assert spec["containers"][0]["env"][0]["name"] == "JOB_COMPLETION_INDEX"
                assert path == f"metadata.labels['{INDEX}']"

    virtual.run(scenario())


def test_an_indexed_job_grows_and_shrinks():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (
                (1.0, 0) if objects.labels(pod)[INDEX] in "03" else (40.0, 0)
            )
            await world.create(
                "jobs.batch", job(completions=2, parallelism=2, completionMode="Indexed")
            )

            async def resize(count):
                patch = {"spec": {"completions": count, "parallelism": count}}
                await world.client.patch("jobs.batch", "work", patch, "default")

            await resize(4)
            await asyncio.sleep(10)
            status = (await world.get("jobs.batch", "work"))["status"]
            assert (status["completedIndexes"], status["active"]) == ("0,3", 2)
            await resize(2)
            await asyncio.sleep(5)
            status = (await world.get("jobs.batch", "work"))["status"]
            assert (status["completedIndexes"], status["active"]) == ("0", 1)
            found = await finished(world)
            assert (found["status"]["succeeded"], found["status"].get("failed")) == (2, None)

    virtual.run(scenario())


def test_less_parallelism_ends_pods_without_counting_them():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (10.0, 0)
            await world.create("jobs.batch", job(parallelism=4, completions=4))
            await asyncio.sleep(3)
            patch = {"spec": {"parallelism": 1}}
            await world.client.patch("jobs.batch", "work", patch, "default")
            await asyncio.sleep(2)
            assert (await world.get("jobs.batch", "work"))["status"]["active"] == 1
            assert len(await world.events("SuccessfulDelete")) == 3
            found = await finished(world)
            assert (found["status"]["succeeded"], found["status"].get("failed")) == (4, None)

    virtual.run(scenario())


def test_a_job_without_work_is_complete_at_once_and_one_without_parallelism_waits():
    async def scenario():
        async with controllerworld.running() as world:
            await world.create("jobs.batch", job("none", completions=0))
            await world.create("jobs.batch", job("waits", parallelism=0, completions=1))
            found = await finished(world, "none")
            assert "succeeded" not in found["status"]
            await asyncio.sleep(30)
            assert not ended(await world.get("jobs.batch", "waits"))
            assert await world.all("pods") == []

    virtual.run(scenario())


def test_a_success_policy_ends_the_job_and_its_other_pods():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (
                (2.0, 0) if objects.labels(pod)[INDEX] == "1" else (500.0, 0)
            )
            policy = {"rules": [{"succeededIndexes": "0-1", "succeededCount": 1}]}
            await world.create(
                "jobs.batch",
                job(completions=3, parallelism=3, completionMode="Indexed", successPolicy=policy),
            )
            found = await finished(world)
            assert kinds(found) == ["SuccessCriteriaMet", "Complete"]
            reasons = {(c["reason"], c["message"]) for c in found["status"]["conditions"]}
            assert reasons == {("SuccessPolicy", "Matched rules at index 0")}
            assert found["status"]["completedIndexes"] == "1"
            assert found["status"].keys().isdisjoint({"failed", "active"})

            async def one_left():
                return len(await world.all("pods")) == 1

            await world.until(one_left)

    virtual.run(scenario())


def test_what_keeps_pods_from_being_made_is_told_and_tried_again():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (2.0, 0)
            quota = {
                "apiVersion": "v1",
                "kind": "ResourceQuota",
                "metadata": {"name": "few", "namespace": "default"},
                "spec": {"hard": {"pods": "2"}},
            }
            await world.create("resourcequotas", quota)
            await world.create("jobs.batch", job(parallelism=5, completions=5))
            found = await finished(world, within=600)
            assert found["status"]["succeeded"] == 5
            told = await world.events("FailedCreate")
            assert told
            assert all(
                text.startswith("Error creating: pods ") and "exceeded quota: few" in text
                for text in told
            )

    virtual.run(scenario())


def test_a_job_of_another_controller_is_left_alone():
    async def scenario():
        async with controllerworld.running() as world:
            await world.create("jobs.batch", job(managedBy="acme.io/queue"))
            await asyncio.sleep(30)
            found = await world.get("jobs.batch", "work")
            assert not found.get("status")
            assert await world.all("pods") == []
            await world.client.delete("jobs.batch", "work", "default")

            async def gone():
                return not await world.exists("jobs.batch", "work")

            await world.until(gone)

    virtual.run(scenario())
