"""Disruption budgets for every kind of workload, draining under crashes, and what comes of pods
that were to be evicted and were not.
"""

import asyncio
import contextlib
import random
from typing import Any

import msgspec
import pytest
from controllerworld import World, deployment, running

from cluster.aio import tasks, virtual
from cluster.api import conditions, errors, objects, timestamps
from cluster.api.operations import STRATEGIC_PATCH, Operation, Verb
from cluster.apiserver.extensions.controller import Extensions

PDB = "poddisruptionbudgets.policy"
TEMPLATE = deployment()["spec"]["template"]


def budget(name: str = "web", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"metadata": metadata, "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}}


def workload(api_version: str, kind: str, replicas: int = 4, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": replicas, "template": TEMPLATE, **spec},
    }


SELECTOR = {"matchLabels": {"app": "web"}}


@pytest.mark.parametrize(
    ("resource", "made"),
    [
        ("replicasets.apps", workload("apps/v1", "ReplicaSet", selector=SELECTOR)),
        (
            "replicationcontrollers",
            workload("v1", "ReplicationController", selector={"app": "web"}),
        ),
        (
            "statefulsets.apps",
            workload(
                "apps/v1",
                "StatefulSet",
                selector=SELECTOR,
                serviceName="web",
                podManagementPolicy="Parallel",
            ),
        ),
        ("deployments.apps", deployment(replicas=4)),
    ],
)
@pytest.mark.parametrize(
    ("spec", "desired"),
    [
        ({"maxUnavailable": "30%"}, 2),
        ({"minAvailable": "51%"}, 3),
        ({"minAvailable": 1}, 1),
        ({"maxUnavailable": 0}, 4),
    ],
)
def test_a_budget_knows_how_many_pods_a_workload_wants(resource, made, spec, desired) -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(resource, made)
            await world.create(PDB, budget(**spec))

            async def counted() -> bool:
                status = (await world.get(PDB, "web")).get("status") or {}
                names = ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed")
                return [status.get(n, 0) for n in names] == [4, desired, 4, 4 - desired]

            await world.until(counted)
            status = (await world.get(PDB, "web"))["status"]
            told = conditions.find({"status": status}, "DisruptionAllowed")
            assert told is not None
            enough = "SufficientPods" if desired < 4 else "InsufficientPods"
            assert told["reason"] == enough

    virtual.run(main())


def definition(*, scale: bool) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {
                    "spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
                    "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
                },
            }
        },
    }
    if scale:
        paths = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
        version["subresources"] = {"scale": paths, "status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "crops.farm.example.com"},
        "spec": {
            "group": "farm.example.com",
            "scope": "Namespaced",
            "names": {"plural": "crops", "kind": "Crop"},
            "versions": [version],
        },
    }


@pytest.mark.parametrize("scale", [True, False])
def test_a_budget_asks_the_scale_of_a_custom_resource(scale: bool) -> None:
    async def main() -> None:
        async with running() as world, tasks.Group("test") as group:
            extensions = Extensions(world.registry, random.Random("extensions"))
            extensions.open()
            group.spawn(extensions.run(), "extensions")
            await world.create(
                "customresourcedefinitions.apiextensions.k8s.io", definition(scale=scale)
            )

            async def served() -> bool:
                return world.registry.table.get("crops.farm.example.com") is not None

            await world.until(served)
            crop = await world.create(
                "crops.farm.example.com",
                {
                    "apiVersion": "farm.example.com/v1",
                    "kind": "Crop",
                    "metadata": {"name": "rye", "namespace": "default"},
                    "spec": {"replicas": 5},
                },
            )
            owner = {
                "apiVersion": "farm.example.com/v1",
                "kind": "Crop",
                "name": "rye",
                "uid": objects.uid(crop),
                "controller": True,
            }
            for number in range(3):
                metadata = {
                    "name": f"rye-{number}",
                    "namespace": "default",
                    "labels": {"app": "web"},
                    "ownerReferences": [owner],
                }
                pod = {"metadata": metadata, "spec": TEMPLATE["spec"]}
                await world.create("pods", pod)
            await world.create(PDB, budget(maxUnavailable=3))

            async def told() -> bool:
                status = (await world.get(PDB, "web")).get("status") or {}
                found = conditions.find({"status": status}, "DisruptionAllowed") or {}
                if not scale:
                    why = "crops.farm.example.com does not implement the scale subresource"
                    return (found.get("reason"), found.get("message")) == ("SyncFailed", why)
                return (status.get("expectedPods"), status.get("disruptionsAllowed")) == (5, 1)

            await world.until(told)
            if not scale:
                said = await world.events("CalculateExpectedPodCountFailed")
                assert said[0].startswith("Failed to calculate the number of expected pods: crops.")
            group.cancel()

    virtual.run(main())


def test_a_pod_that_was_not_disrupted_after_all_says_so_after_two_minutes() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create("deployments.apps", deployment(replicas=2))

            async def there() -> bool:
                return [p["status"].get("phase") for p in await world.all("pods")] == [
                    "Running"
                ] * 2

            await world.until(there)
            names = sorted(objects.name(pod) for pod in await world.all("pods"))
            reasons = ("EvictionByEvictionAPI", "TerminationByKubelet")
            for name, reason in zip(names, reasons, strict=True):
                since = timestamps.encode(world.clock.now())
                mark = {
                    "type": "DisruptionTarget",
                    "status": "True",
                    "reason": reason,
                    "message": "somebody said so",
                    "lastTransitionTime": since,
                }
                await world.client.patch(
                    "pods",
                    name,
                    {"status": {"conditions": [mark]}},
                    "default",
                    subresource="status",
                    patch_type=STRATEGIC_PATCH,
                )

            async def marks() -> list[dict[str, Any]]:
                found = [await world.get("pods", name) for name in names]
                return [conditions.find(pod, "DisruptionTarget") or {} for pod in found]

            await asyncio.sleep(110)
            assert [mark["status"] for mark in await marks()] == ["True", "True"]
            await asyncio.sleep(20)
            first, second = await marks()
            assert (first["status"], first.get("reason"), first.get("message")) == (
                "False",
                None,
                None,
            )
            assert second["status"] == "True", "a kubelet may take its time"

    virtual.run(main())


async def drain(world: World, choice: random.Random) -> None:
    """Evict whatever may be evicted, for a while."""
    for _ in range(40):
        for pod in choice.sample(found := await world.all("pods"), k=len(found)):
            body = {"apiVersion": "policy/v1", "kind": "Eviction"}
            body["metadata"] = {"name": objects.name(pod)}
            operation = Operation(
                Verb.CREATE,
                "pods",
                "default",
                objects.name(pod),
                "eviction",
                msgspec.json.encode(body),
            )
            with contextlib.suppress(errors.TooManyRequests, errors.NotFound, errors.Conflict):
                await world.client.submit(operation)
        await asyncio.sleep(choice.uniform(0.1, 3))


@pytest.mark.parametrize("seed", [*range(4), 112])
def test_draining_never_takes_more_than_the_budget_allows(seed: int) -> None:
    async def main() -> None:
        async with running(nodes=3, crash_every=seed) as world:
            choice = random.Random(f"{seed}/drain")
            world.kubelet.end_after = 2.0
            await world.create("deployments.apps", deployment(replicas=6))
            await world.create(PDB, budget(minAvailable=4))

            async def healthy() -> int:
                return sum(
                    conditions.is_true(pod, "Ready") and not objects.deleting(pod)
                    for pod in await world.all("pods")
                )

            async def complete() -> bool:
                return await healthy() == 6

            await world.until(complete, within=300)
            before = {objects.uid(pod) for pod in await world.all("pods")}

            async def watch() -> None:
                while True:
                    assert await healthy() >= 4
                    await asyncio.sleep(0.05)

            async with tasks.Group("drain") as group:
                group.spawn(watch(), "watch")
                await drain(world, choice)
                group.cancel()
            await world.until(complete, within=300)
            after = {objects.uid(pod) for pod in await world.all("pods")}
            assert len(before - after) >= 2, "something was drained"
            assert world.mortal.deaths >= 2

    virtual.run(main())
