"""Jobs whose pods fail: back-off, limits, deadlines and policies."""

import asyncio

import controllerworld
import pytest
from jobs import Ledger, condition, ended, finished, following, job, kinds

from cluster.aio import tasks, virtual
from cluster.api import objects, timestamps

INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"


def _created(pods):
    times = sorted(timestamps.decode(objects.meta(pod)["creationTimestamp"]) for pod in pods)
    return [round(time - times[0]) for time in times]


async def _failed(world, reason, message, within=3600.0):
    """The job, which must have failed so, in both steps; its event must have been told."""
    found = await finished(world, within=within)
    assert kinds(found)[-2:] == ["FailureTarget", "Failed"]
    for kind in ("FailureTarget", "Failed"):
        told = condition(found, kind)
        assert (told["reason"], told["message"]) == (reason, message)
    assert found["status"].keys().isdisjoint({"active", "completionTime"})

    async def said():
        return await world.events(reason) == [message]

    await world.until(said)
    return found


def test_each_failure_doubles_the_wait_and_one_too_many_fails_the_job():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (0.5, 1)
            world.kubelet.ready_after = lambda pod: 0.5
            await world.create("jobs.batch", job(backoffLimit=3))
            text = "Job has reached the specified backoff limit"
            found = await _failed(world, "BackoffLimitExceeded", text)
            assert found["status"]["failed"] == 4
            waits = _created(await world.all("pods"))
            # 10 s, 20 s, 40 s after the failure, a second after the pod was made.
            assert waits == pytest.approx([0, 11, 32, 73], abs=2)

    virtual.run(scenario())


def test_the_pods_that_still_run_are_ended_and_counted_when_a_job_fails():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (2.0, 1) if _is_first(pod) else (900.0, 0)
            spec = job(parallelism=3, completions=3, backoffLimit=0, completionMode="Indexed")
            await world.create("jobs.batch", spec)
            text = "Job has reached the specified backoff limit"
            found = await _failed(world, "BackoffLimitExceeded", text)
            assert found["status"]["failed"] == 3
            assert found["status"]["terminating"] == 0

    def _is_first(pod):
        return objects.labels(pod)[INDEX] == "0"

    virtual.run(scenario())


@pytest.mark.parametrize(
    ("limit", "restarts", "fails"), [(2, 2, True), (2, 1, False), (0, 1, True)]
)
def test_restarts_count_where_containers_are_restarted(limit, restarts, fails):
    async def scenario():
        async with controllerworld.running() as world:
            await world.create("jobs.batch", job(backoffLimit=limit, restartPolicy="OnFailure"))
            await asyncio.sleep(5)
            (pod,) = await world.all("pods")
            state = {
                "name": "c", "image": "busybox:1", "imageID": "", "ready": True,
                "restartCount": restarts, "state": {"running": {}},
            }  # fmt: skip
            await world.client.patch(
                "pods", objects.name(pod), {"status": {"containerStatuses": [state]}}, "default",
                subresource="status",
            )  # fmt: skip
            await asyncio.sleep(5)
            assert ended(await world.get("jobs.batch", "work")) == ("Failed" if fails else "")

    virtual.run(scenario())


def test_a_deadline_ends_the_job_whatever_its_pods_do():
    async def scenario():
        async with controllerworld.running() as world:
            await world.create("jobs.batch", job(activeDeadlineSeconds=30))
            await asyncio.sleep(29)
            assert not ended(await world.get("jobs.batch", "work"))
            text = "Job was active longer than specified deadline"
            await _failed(world, "DeadlineExceeded", text, within=5)

            async def gone():
                return await world.all("pods") == []

            await world.until(gone)

    virtual.run(scenario())


def test_a_deadline_that_is_brought_forward_counts_from_the_start():
    async def scenario():
        async with controllerworld.running() as world:
            await world.create("jobs.batch", job(activeDeadlineSeconds=3000))
            await asyncio.sleep(20)
            patch = {"spec": {"activeDeadlineSeconds": 10}}
            await world.client.patch("jobs.batch", "work", patch, "default")
            text = "Job was active longer than specified deadline"
            await _failed(world, "DeadlineExceeded", text, within=3)

    virtual.run(scenario())


def _policy(*rules):
    return {
        "rules": [
            {"action": action, "onExitCodes": {"operator": "In", "values": [code]}}
            for action, code in rules
        ]
    }


def test_a_policy_fails_the_job_at_once():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (2.0, 42)
            policy = _policy(("Ignore", 7), ("FailJob", 42))
            await world.create("jobs.batch", job(podFailurePolicy=policy))
            found = await finished(world)
            (pod,) = await world.all("pods")
            text = (
                f"Container c for pod default/{objects.name(pod)} failed with exit code 42"
                " matching FailJob rule at index 1"
            )
            await _failed(world, "PodFailurePolicy", text)
            assert found["status"]["failed"] == 1

    virtual.run(scenario())


def test_failures_that_a_policy_ignores_are_not_counted():
    async def scenario():
        async with controllerworld.running() as world:
            seen = []

            def outcome(pod):
                seen.append(objects.uid(pod))
                return 1.0, 7 if len(seen) < 4 else 0

            world.kubelet.outcome = outcome
            policy = _policy(("Ignore", 7))
            await world.create("jobs.batch", job(backoffLimit=0, podFailurePolicy=policy))
            found = await finished(world, within=600)
            assert ended(found) == "Complete"
            assert (found["status"]["succeeded"], found["status"].get("failed")) == (1, None)
            assert len(await world.all("pods")) == 4

    virtual.run(scenario())


def test_a_disrupted_pod_can_be_ignored_by_its_condition():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (20.0, 0)
            pattern = {"type": "DisruptionTarget", "status": "True"}
            policy = {"rules": [{"action": "Ignore", "onPodConditions": [pattern]}]}
            await world.create("jobs.batch", job(backoffLimit=0, podFailurePolicy=policy))
            await asyncio.sleep(5)
            (pod,) = await world.all("pods")
            await world.client.create(
                "pods",
                {
                    "apiVersion": "policy/v1",
                    "kind": "Eviction",
                    "metadata": {"name": objects.name(pod), "namespace": "default"},
                },
                subresource="eviction",
            )
            found = await finished(world)
            assert ended(found) == "Complete"
            assert "failed" not in found["status"]

    virtual.run(scenario())


def test_each_index_has_a_limit_of_its_own():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.ready_after = lambda pod: 0.5
            world.kubelet.outcome = lambda pod: (0.5, int(objects.labels(pod)[INDEX] == "1"))
            await world.create(
                "jobs.batch",
                job(completions=3, parallelism=3, completionMode="Indexed", backoffLimitPerIndex=2),
            )
            found = await _failed(world, "FailedIndexes", "Job has failed indexes")
            status = found["status"]
            assert (status["completedIndexes"], status["failedIndexes"]) == ("0,2", "1")
            assert (status["succeeded"], status["failed"]) == (2, 3)
            unlucky = [p for p in await world.all("pods") if objects.labels(p)[INDEX] == "1"]
            counts = sorted(objects.annotations(pod)[FAILURES] for pod in unlucky)
            assert counts == ["0", "1", "2"]
            assert _created(unlucky) == pytest.approx([0, 11, 32], abs=2)

    virtual.run(scenario())


def test_too_many_failed_indexes_end_the_job():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (1.0, int(int(objects.labels(pod)[INDEX]) < 2))
            await world.create(
                "jobs.batch",
                job(
                    completions=9, parallelism=2, completionMode="Indexed", backoffLimitPerIndex=0,
                    maxFailedIndexes=1,
                ),
            )  # fmt: skip
            text = "Job has exceeded the specified maximal number of failed indexes"
            found = await _failed(world, "MaxFailedIndexesExceeded", text)
            assert found["status"]["failedIndexes"] == "0,1"

    virtual.run(scenario())


def test_a_policy_gives_an_index_up_at_once_and_counts_what_it_ignores_apart():
    async def scenario():
        async with controllerworld.running() as world:
            tries = []

            def outcome(pod):
                if objects.labels(pod)[INDEX] == "0":
                    return 1.0, 42
                tries.append(pod)
                return 1.0, 7 if len(tries) < 3 else 0

            world.kubelet.outcome = outcome
            await world.create(
                "jobs.batch",
                job(
                    completions=2, parallelism=2, completionMode="Indexed", backoffLimitPerIndex=9,
                    podFailurePolicy=_policy(("FailIndex", 42), ("Ignore", 7)),
                ),
            )  # fmt: skip
            found = await _failed(world, "FailedIndexes", "Job has failed indexes")
            status = found["status"]
            assert (status["completedIndexes"], status["failedIndexes"]) == ("1", "0")
            assert status["failed"] == 1
            assert objects.annotations(tries[-1]) | {FAILURES: "0", IGNORED: "2"} == (
                objects.annotations(tries[-1])
            )

    virtual.run(scenario())


@pytest.mark.parametrize(
    ("policy", "most", "failed"), [("TerminatingOrFailed", 2, 1), ("Failed", 1, 1)]
)
def test_a_pod_that_is_deleted_is_replaced_at_once_or_when_it_has_ended(policy, most, failed):
    alive = []

    async def scenario():
        async with controllerworld.running() as world, tasks.Group("ledger") as group:
            group.spawn(following(world.client, Ledger()), "ledger")
            world.kubelet.end_after = 15.0
            world.kubelet.outcome = lambda pod: (60.0, 0)
            await world.create("jobs.batch", job(podReplacementPolicy=policy))
            await asyncio.sleep(5)
            (pod,) = await world.all("pods")
            await world.client.delete("pods", objects.name(pod), "default")
            await asyncio.sleep(12)
            alive.append(len(await world.all("pods")))
            status = (await world.get("jobs.batch", "work"))["status"]
            assert status["terminating"] == 1
            assert status.get("failed", 0) == (failed if most == 2 else 0)
            found = await finished(world, within=300)
            assert (found["status"]["succeeded"], found["status"]["failed"]) == (1, failed)
            group.cancel()

    virtual.run(scenario())
    assert alive == [most]
