"""Disruption budgets over a real registry: what they allow, and draining by them."""

import msgspec
import pytest
from controllerworld import deployment, running

from cluster.aio import virtual
from cluster.api import errors
from cluster.api.operations import Operation, Verb

PDB = "poddisruptionbudgets.policy"


def eviction(name):
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    text = msgspec.json.encode(body)
    return Operation(Verb.CREATE, "pods", "default", name, "eviction", text)


def test_pods_of_a_deployment_are_evicted_as_fast_as_they_come_back() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create("deployments.apps", deployment("web", 3))
            spec = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}
            meta = {"name": "web", "namespace": "default"}
            await world.create(PDB, {"metadata": meta, "spec": spec})

            async def allowed() -> bool:
                status = (await world.get(PDB, "web"))["status"]
                return status["disruptionsAllowed"] == 1 and status["expectedPods"] == 3

            await world.until(allowed)
            first, second, _ = sorted(pod["metadata"]["name"] for pod in await world.all("pods"))
            await world.client.submit(eviction(first))
            with pytest.raises(errors.TooManyRequests):
                await world.client.submit(eviction(second))
            await world.until(allowed)
            assert not await world.exists("pods", first)
            status = (await world.get(PDB, "web"))["status"]
            assert "disruptedPods" not in status
            await world.client.submit(eviction(second))

    virtual.run(main())


def test_a_budget_without_pods_says_so() -> None:
    async def main() -> None:
        async with running() as world:
            spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "none"}}}
            meta = {"name": "none", "namespace": "default"}
            await world.create(PDB, {"metadata": meta, "spec": spec})

            async def told() -> bool:
                return "No matching pods found" in await world.events("NoPods")

            await world.until(told)
            status = (await world.get(PDB, "none"))["status"]
            assert status["observedGeneration"] == 1
            assert status["conditions"][0]["reason"] == "InsufficientPods"

    virtual.run(main())
