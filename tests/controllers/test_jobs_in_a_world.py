"""The life of Jobs: a real registry, the controller manager, a fake kubelet, virtual time."""

import controllerworld
from jobs import ended, job

from cluster.aio import virtual
from cluster.api import objects

TRACKING = "batch.kubernetes.io/job-tracking"


def _done(world, name="work"):
    async def done():
        found = await world.get("jobs.batch", name)
        return found if ended(found) else None

    return done


def test_a_job_of_one_pod_completes():
    async def scenario():
        async with controllerworld.running() as world:
            world.kubelet.outcome = lambda pod: (5.0, 0)
            await world.create("jobs.batch", job())
            found = await world.until(_done(world))
            status = found["status"]
            assert ended(found) == "Complete"
            assert [c["type"] for c in status["conditions"]] == ["SuccessCriteriaMet", "Complete"]
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
