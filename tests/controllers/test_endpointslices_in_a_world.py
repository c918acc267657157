"""EndpointSlices over a real registry: hints, dual stack, changes of a Service, and crashes."""

import random
from typing import Any

import pytest
from controllerworld import World, deployment, running

from cluster.aio import virtual
from cluster.api import objects
from cluster.controllers.config import Config

SLICES = "endpointslices.discovery.k8s.io"
TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"


def service(name: str = "web", annotations: Any = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations or {}},
        "spec": {
            "selector": {"app": "web"},
            "ports": [{"port": 80, "targetPort": "http"}],
            **spec,
        },
    }


async def zoned(world: World, zones: dict[str, str]) -> None:
    """Put nodes into zones, each with four CPUs."""
    for name, zone in zones.items():
        labels = {"metadata": {"labels": {"topology.kubernetes.io/zone": zone}}}
        await world.client.patch("nodes", name, labels)
        status = {"status": {"allocatable": {"cpu": "4"}, "capacity": {"cpu": "4"}}}
        await world.client.patch("nodes", name, status, subresource="status")


async def slices(world: World, name: str = "web") -> list[dict[str, Any]]:
    return await world.all(SLICES, labels=f"kubernetes.io/service-name={name}")


async def entries(world: World, name: str = "web") -> list[dict[str, Any]]:
    return [e for found in await slices(world, name) for e in found.get("endpoints") or ()]


def test_topology_mode_auto_gives_hints_and_takes_them_back() -> None:
    async def main() -> None:
        async with running(nodes=2) as world:
            await zoned(world, {"n0": "east", "n1": "west"})
            mode = {"service.kubernetes.io/topology-mode": "Auto"}
            await world.create("services", service(annotations=mode))
            await world.create("deployments.apps", deployment(replicas=4))

            async def hinted() -> bool:
                found = await entries(world)
                return len(found) == 4 and all(
                    e.get("hints") == {"forZones": [{"name": e["zone"]}]} for e in found
                )

            await world.until(hinted)
            text = "Topology Aware Hints has been enabled, addressType: IPv4"
            assert text in await world.events("TopologyAwareHintsEnabled")
            # A node that is not ready does not count: one zone is left, and no hints are.
            world.kubelet.silent.add("n1")

            async def bare() -> bool:
                return not any("hints" in e for e in await entries(world))

            await world.until(bare, within=90)
            told = await world.events("TopologyAwareHintsDisabled")
            assert any(message.startswith("Insufficient Node information") for message in told)

            await world.kubelet.back("n1")

            async def shared() -> bool:
                # The pods of n1 stay unready here: those of n0 serve both zones.
                zones = [
                    e["hints"]["forZones"][0]["name"]
                    for e in await entries(world)
                    if e["conditions"]["ready"] and "hints" in e
                ]
                return sorted(zones) == ["east", "west"]

            await world.until(shared, within=60)
            off = {"metadata": {"annotations": {"service.kubernetes.io/topology-mode": None}}}
            await world.client.patch("services", "web", off, "default")
            await world.until(bare)
            told = await world.events("TopologyAwareHintsDisabled")
            assert "Topology Aware Hints has been disabled, addressType: IPv4" in told

    virtual.run(main())


def test_traffic_distribution_shows_in_the_hints() -> None:
    async def main() -> None:
        async with running(nodes=2) as world:
            await zoned(world, {"n0": "east", "n1": "west"})
            await world.create("services", service(trafficDistribution="PreferSameZone"))
            await world.create("deployments.apps", deployment(replicas=3))

            def close(e: dict[str, Any], on_node: bool) -> dict[str, Any]:
                node = {"forNodes": [{"name": e["nodeName"]}]} if on_node else {}
                return {"forZones": [{"name": e["zone"]}], **node}

            async def by_zone() -> bool:
                found = await entries(world)
                return len(found) == 3 and all(e.get("hints") == close(e, False) for e in found)

            async def by_node() -> bool:
                return all(e.get("hints") == close(e, True) for e in await entries(world))

            async def nowhere() -> bool:
                return not any("hints" in e for e in await entries(world))

            await world.until(by_zone)
            for wanted, holds in (("PreferSameNode", by_node), ("PreferClose", by_zone)):
                change = {"spec": {"trafficDistribution": wanted}}
                await world.client.patch("services", "web", change, "default")
                await world.until(holds)
            off = {"spec": {"trafficDistribution": None}}
            await world.client.patch("services", "web", off, "default")
            await world.until(nowhere)

    virtual.run(main())


def test_pods_that_are_not_ready_are_published_where_the_service_says_so() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create("services", service())
            await world.create("services", service("all", publishNotReadyAddresses=True))
            await world.create("deployments.apps", deployment(replicas=2))

            async def ready() -> bool:
                found = await entries(world)
                return len(found) == 2 and all(e["conditions"]["ready"] for e in found)

            await world.until(ready)
            (pod, _) = await world.all("pods")
            status = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
            await world.client.patch(
                "pods", objects.name(pod), status, "default", subresource="status"
            )

            async def told(name: str) -> list[tuple[bool, bool]]:
                found = await entries(world, name)
                conditions = [e["conditions"] for e in found]
                return sorted((c["ready"], c["serving"]) for c in conditions)

            async def shown() -> bool:
                alone = await told("web") == [(False, False), (True, True)]
                return alone and await told("all") == [(True, False), (True, True)]

            await world.until(shown)

    virtual.run(main())


def test_a_pod_whose_node_is_gone_is_left_out_and_told_of() -> None:
    async def main() -> None:
        async with running(Config(controllers=("*", "-podgc", "-garbagecollector"))) as world:
            await world.create("services", service())
            await world.create("deployments.apps", deployment(replicas=2))

            async def both() -> bool:
                return len(await entries(world)) == 2

            await world.until(both)
            await world.client.delete("nodes", "n1")

            async def one() -> bool:
                return [e["nodeName"] for e in await entries(world)] == ["n0"]

            await world.until(one)
            told = await world.events("FailedToUpdateEndpointSlices")
            assert all(
                message.startswith(
                    "Error updating Endpoint Slices for Service default/web: skipping"
                )
                and message.endswith("for Service default/web: Node n1 Not Found")
                for message in told
            )
            assert told

    virtual.run(main())


def test_a_new_slice_says_when_its_service_was_made_and_then_when_a_pod_changed() -> None:
    async def main() -> None:
        async with running() as world:
            made = await world.create("services", service())
            created = made["metadata"]["creationTimestamp"]

            async def placeholder() -> bool:
                return [objects.annotations(s).get(TRIGGER) for s in await slices(world)] == [
                    created
                ]

            await world.until(placeholder)
            await world.create("deployments.apps", deployment(replicas=1))

            async def there() -> bool:
                return len(await entries(world)) == 1

            await world.until(there)
            (pod,) = await world.all("pods")
            (ready,) = (c for c in pod["status"]["conditions"] if c["type"] == "Ready")
            (found,) = await slices(world)
            assert objects.annotations(found)[TRIGGER] == ready["lastTransitionTime"]

    virtual.run(main())


def test_a_service_that_becomes_an_external_name_gets_no_more_endpoints() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create("services", service())
            await world.create("deployments.apps", deployment(replicas=1))

            async def count(wanted: int) -> bool:
                return len(await entries(world)) == wanted

            await world.until(lambda: count(1))
            change = {
                "spec": {
                    "type": "ExternalName",
                    "externalName": "example.com",
                    "clusterIP": None,
                    "clusterIPs": None,
                }
            }
            await world.client.patch("services", "web", change, "default")
            await world.client.patch(
                "deployments.apps", "web", {"spec": {"replicas": 3}}, "default"
            )

            async def three_pods() -> bool:
                pods = await world.all("pods")
                return sum(p["status"].get("phase") == "Running" for p in pods) == 3

            await world.until(three_pods)
            # As in Kubernetes, what was there before stays until somebody removes it.
            assert await count(1)
            back = {"spec": {"type": "ClusterIP", "externalName": None}}
            await world.client.patch("services", "web", back, "default")
            await world.until(lambda: count(3))

    virtual.run(main())


@pytest.mark.parametrize("seed", range(5))
def test_slices_show_the_pods_whatever_happens_to_the_manager(seed: int) -> None:
    async def main() -> None:
        config = Config(max_endpoints_per_slice=3)
        async with running(config, nodes=3, crash_every=seed) as world:
            choice = random.Random(f"{seed}/slices")
            await zoned(world, {"n0": "east", "n1": "west", "n2": "west"})
            await world.create("services", service(trafficDistribution="PreferClose"))
            await world.create("services", service("other"))
            await world.create("deployments.apps", deployment(replicas=4))

            async def right(name: str, hinted: bool) -> bool:
                found = await slices(world, name)
                assert all(len(s.get("endpoints") or ()) <= 3 for s in found)
                told = sorted(
                    (e["addresses"][0], e["conditions"]["ready"], "hints" in e)
                    for s in found
                    for e in s.get("endpoints") or ()
                )
                expected = sorted(
                    (p["status"]["podIP"], not objects.deleting(p), hinted)
                    for p in await world.all("pods")
                    if p["status"].get("podIP")
                )
                return told == expected and all(s.get("endpoints") or not told for s in found)

            for size in (7, 2, 11, 0, 5):
                change = {"spec": {"replicas": size}}
                await world.client.patch("deployments.apps", "web", change, "default")

                async def settled(size: int = size) -> bool:
                    pods = await world.all("pods")
                    addressed = [p for p in pods if p["status"].get("podIP")]
                    there = len(pods) == len(addressed) == size
                    return there and await right("web", True) and await right("other", False)

                await world.until(settled, within=400, every=1.0)
                for pod in choice.sample(await world.all("pods"), k=size // 3):
                    await world.client.delete("pods", objects.name(pod), "default")
            assert world.mortal.deaths >= 2

    virtual.run(main())
