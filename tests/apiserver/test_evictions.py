"""Evictions: what a disruption budget lets go, and what it says when it does not."""

import asyncio

import msgspec
import pytest
from registry_world import LateStorage, create, delete, pod, world

from cluster.aio import virtual
from cluster.api import conditions, errors
from cluster.api.operations import Operation, Verb

PDB = "poddisruptionbudgets.policy"
READY = [{"type": "Ready", "status": "True"}]


def eviction(name="web", options=None, **more):
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    if options is not None:
        body["deleteOptions"] = options
    text = msgspec.json.encode(body | more)
    return Operation(Verb.CREATE, "pods", "default", name, "eviction", text)


async def running_pod(at, name="web", phase="Running", ready=True, **meta):
    await at.create("pods", pod(name, "n1", **({"labels": {"app": "web"}} | meta)))
    status = {"phase": phase, "conditions": READY if ready else []}
    return await at.patch("pods", name, {"status": status}, subresource="status")


async def budget(at, name="web", allowed=1, seen=1, selector=None, spec=None, **status):
    selector = {"matchLabels": {"app": "web"}} if selector is None else selector
    spec = {"minAvailable": 1, "selector": selector} | (spec or {})
    made = await at.create(PDB, {"metadata": {"name": name}, "spec": spec})
    status = {
        "observedGeneration": seen, "disruptionsAllowed": allowed, "currentHealthy": 2,
        "desiredHealthy": 1, "expectedPods": 2,
    } | status  # fmt: skip
    return await at.update(PDB, made | {"status": status}, "status")


def run(scenario):
    async def main():
        async with world() as at:
            await scenario(at)

    virtual.run(main())


def test_an_eviction_costs_the_budget_a_disruption_and_tells_the_pod_why():
    async def scenario(at):
        await running_pod(at)
        await budget(at)
        entry = await at.do(eviction())
        answer = msgspec.json.decode(entry.json)
        assert (answer["kind"], answer["status"], answer["code"]) == ("Status", "Success", 201)
        gone = await at.get("pods", "web")
        assert gone["metadata"]["deletionGracePeriodSeconds"] == 30
        told = conditions.find(gone, "DisruptionTarget")
        assert told["reason"] == "EvictionByEvictionAPI"
        assert told["message"] == "Eviction API: evicting"
        status = (await at.get(PDB, "web"))["status"]
        assert status["disruptionsAllowed"] == 0
        assert list(status["disruptedPods"]) == ["web"]
        assert conditions.find({"status": status}, "DisruptionAllowed")["status"] == "False"

    run(scenario)


@pytest.mark.parametrize(
    ("given", "message", "seconds"),
    [
        (
            {"allowed": 0},
            "The disruption budget web needs 1 healthy pods and has 2 currently",
            None,
        ),
        ({"seen": 0}, "The disruption budget web is still being processed by the server.", 10),
        (
            {"allowed": 0, "conditions": [
                {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed",
                 "message": "no owner", "lastTransitionTime": "2024-01-01T00:00:00Z"}
            ]},
            "The disruption budget web does not allow evicting pods currently because it failed "
            "sync: no owner",
            None,
        ),
    ],
)  # fmt: skip
def test_a_budget_that_has_none_to_give_refuses(given, message, seconds):
    async def scenario(at):
        await running_pod(at)
        await budget(at, **given)
        with pytest.raises(errors.TooManyRequests) as caught:
            await at.do(eviction())
        refused = caught.value
        text = "Cannot evict pod as it would violate the pod's disruption budget."
        assert refused.message == text
        assert refused.details["causes"] == [{"reason": "DisruptionBudget", "message": message}]
        assert refused.details.get("retryAfterSeconds") == seconds
        assert "deletionTimestamp" not in (await at.get("pods", "web"))["metadata"]

    run(scenario)


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
def test_a_pod_that_does_not_run_goes_without_asking(phase):
    async def scenario(at):
        await running_pod(at, phase=phase, ready=False)
        await budget(at, allowed=0)
        await at.do(eviction())
        left = await at.exists("pods", "web")
        assert not left or (await at.get("pods", "web"))["metadata"]["deletionTimestamp"]
        assert "disruptedPods" not in (await at.get(PDB, "web"))["status"]

    run(scenario)


@pytest.mark.parametrize(
    ("spec", "status", "goes"),
    [
        ({}, {"allowed": 0, "currentHealthy": 1}, True),
        ({}, {"allowed": 0, "currentHealthy": 0}, False),
        ({"unhealthyPodEvictionPolicy": "IfHealthyBudget"}, {"allowed": 0, "currentHealthy": 0},
         False),
        ({"unhealthyPodEvictionPolicy": "AlwaysAllow"}, {"allowed": 0, "currentHealthy": 0}, True),
    ],
)  # fmt: skip
def test_whether_an_unready_pod_is_guarded_is_the_budgets_policy(spec, status, goes):
    async def scenario(at):
        await running_pod(at, ready=False)
        await budget(at, spec=spec, **status)
        if goes:
            await at.do(eviction())
            assert (await at.get("pods", "web"))["metadata"]["deletionTimestamp"]
        else:
            with pytest.raises(errors.TooManyRequests):
                await at.do(eviction())

    run(scenario)


def test_two_budgets_for_a_pod_are_more_than_an_eviction_can_serve():
    async def scenario(at):
        await running_pod(at)
        await budget(at)
        await budget(at, "all", selector={})
        with pytest.raises(errors.InternalError, match="has more than one PodDisruptionBudget"):
            await at.do(eviction())

    run(scenario)


def test_a_dry_run_asks_and_changes_nothing():
    async def scenario(at):
        await running_pod(at)
        await budget(at)
        before = at.registry.revision
        await at.do(eviction(options={"dryRun": ["All"]}))
        assert at.registry.revision == before
        await at.patch(PDB, "web", {"status": {"disruptionsAllowed": 0}}, subresource="status")
        with pytest.raises(errors.TooManyRequests):
            await at.do(eviction(options={"dryRun": ["All"]}))

    run(scenario)


def test_preconditions_and_grace_are_those_of_the_options():
    async def scenario(at):
        made = await running_pod(at)
        with pytest.raises(errors.Conflict, match="UID in the precondition"):
            await at.do(eviction(options={"preconditions": {"uid": "other"}}))
        with pytest.raises(errors.Conflict, match="ResourceVersion in the precondition"):
            await at.do(eviction(options={"preconditions": {"resourceVersion": "1"}}))
        revision = made["metadata"]["resourceVersion"]
        options = {"gracePeriodSeconds": 5, "preconditions": {"resourceVersion": revision}}
        await at.do(eviction(options=options))
        gone = await at.get("pods", "web")
        assert gone["metadata"]["deletionGracePeriodSeconds"] == 5

    run(scenario)


@pytest.mark.parametrize(
    ("operation", "error", "message"),
    [
        (eviction(metadata={"name": "other"}), errors.BadRequest, "name in URL does not match"),
        (eviction(apiVersion="apps/v1"), errors.BadRequest, "Eviction"),
        (eviction(deleteOptions=7), errors.BadRequest, "deleteOptions"),
        (eviction(deleteOptions={"gracePeriodSeconds": "x"}), errors.BadRequest, "integer"),
        (eviction("gone"), errors.NotFound, 'pods "gone" not found'),
        (eviction(apiVersion="policy/v1beta1", metadata={}), errors.BadRequest, "name in URL"),
    ],
)
def test_what_is_no_eviction_is_refused(operation, error, message):
    async def scenario(at):
        await running_pod(at)
        with pytest.raises(error, match=message):
            await at.do(operation)

    run(scenario)


def test_many_evictions_at_once_never_spend_more_than_the_budget_has():
    async def main():
        async with world(LateStorage()) as at:
            names = [f"web-{number}" for number in range(12)]
            await asyncio.gather(*[running_pod(at, name) for name in names])
            await budget(at, allowed=5)
            results = await asyncio.gather(
                *[at.do(eviction(name)) for name in names], return_exceptions=True
            )
            refused = [each for each in results if isinstance(each, errors.TooManyRequests)]
            assert len(refused) == 7
            status = (await at.get(PDB, "web"))["status"]
            assert status["disruptionsAllowed"] == 0
            assert len(status["disruptedPods"]) == 5

    virtual.run(main())


def test_a_job_leaves_its_pods_behind_unless_more_is_said():
    async def scenario(at):
        template = {"spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}}
        for name in ("keeps", "takes"):
            job = {"metadata": {"name": name}, "spec": {"template": template}}
            await at.create("jobs.batch", job)
        await at.do(delete("jobs.batch", "keeps"))
        kept = await at.get("jobs.batch", "keeps")
        assert kept["metadata"]["finalizers"] == ["orphan"]
        await at.do(delete("jobs.batch", "takes", propagationPolicy="Background"))
        assert not await at.exists("jobs.batch", "takes")

    run(scenario)


def test_a_put_makes_what_is_not_there_of_some_kinds():
    async def scenario(at):
        lease = {"metadata": {"name": "a", "namespace": "default"}, "spec": {}}
        made = await at.update("leases.coordination.k8s.io", lease)
        assert made["metadata"]["uid"]
        with pytest.raises(errors.Conflict, match="UID in precondition: 1"):
            await at.update(
                "events", {"metadata": {"name": "e", "namespace": "default", "uid": "1"}}
            )
        with pytest.raises(errors.NotFound):
            await at.update("configmaps", {"metadata": {"name": "a", "namespace": "default"}})

    run(scenario)


def test_a_put_of_some_kinds_must_say_what_it_changes():
    async def scenario(at):
        made = await budget(at)
        del made["metadata"]["resourceVersion"]
        with pytest.raises(errors.Invalid) as caught:
            await at.update(PDB, made)
        text = (
            'poddisruptionbudgets.policy "web" is invalid: metadata.resourceVersion: Invalid '
            "value: 0x0: must be specified for an update"
        )
        assert caught.value.message == text
        quota = {"metadata": {"name": "q", "namespace": "default"}, "spec": {}}
        await at.do(create("resourcequotas", quota))
        await at.update("resourcequotas", quota | {"spec": {"hard": {"pods": "1"}}})

    run(scenario)
