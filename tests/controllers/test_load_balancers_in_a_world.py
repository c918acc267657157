"""Services of type LoadBalancer get addresses of a range, and give them back."""

import asyncio
from typing import Any

import pytest
from controllerworld import World, running

from cluster.aio import virtual
from cluster.api import objects
from cluster.controllers.config import Config
from cluster.controllers.servicelb import decision

CONFIG = Config(load_balancer_pool="203.0.113.0/29")


def service(name: str, kind: str = "LoadBalancer", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": kind, "selector": {"app": name}, "ports": [{"port": 80}]} | spec,
    }


async def balancer(world: World, name: str) -> list[dict[str, Any]]:
    found = await world.get("services", name)
    ingress: list[dict[str, Any]] = objects.status(found)["loadBalancer"].get("ingress") or []
    return ingress


async def has(world: World, name: str, address: str) -> None:
    async def given() -> bool:
        return await balancer(world, name) == [{"ip": address, "ipMode": "VIP"}]

    await world.until(given)


async def told(world: World, name: str) -> list[tuple[str, str]]:
    """Reasons and messages of the events of a Service, in their order."""
    await asyncio.sleep(5)
    events = [
        event for event in await world.all("events") if event["involvedObject"]["name"] == name
    ]
    events.sort(key=lambda event: int(event["metadata"]["resourceVersion"]))
    return [(event["reason"], event["message"]) for event in events]


async def gone(world: World, name: str) -> None:
    async def is_gone() -> bool:
        return not await world.exists("services", name)

    await world.until(is_gone)


def test_a_service_gets_an_address_and_gives_it_back() -> None:
    async def main() -> None:
        async with running(CONFIG, nodes=1) as world:
            await world.create("services", service("web"))
            await has(world, "web", "203.0.113.1")
            found = await world.get("services", "web")
            assert objects.meta(found)["finalizers"] == [decision.FINALIZER]
            assert await told(world, "web") == [
                ("EnsuringLoadBalancer", "Ensuring load balancer"),
                ("EnsuredLoadBalancer", "Ensured load balancer"),
            ]
            await world.client.delete("services", "web", "default")
            await gone(world, "web")
            assert (await told(world, "web"))[2:] == [
                ("DeletingLoadBalancer", "Deleting load balancer"),
                ("DeletedLoadBalancer", "Deleted load balancer"),
            ]
            await world.create("services", service("other"))
            await has(world, "other", "203.0.113.2")

    virtual.run(main())


@pytest.mark.parametrize(
    "spec",
    [{"kind": "ClusterIP"}, {"kind": "NodePort"}, {"loadBalancerClass": "example.com/lb"}],
    ids=["cluster address", "node port", "another class"],
)
def test_others_get_none(spec: dict[str, Any]) -> None:
    async def main() -> None:
        async with running(CONFIG, nodes=1) as world:
            await world.create("services", service("web", **spec))
            assert await told(world, "web") == []
            assert await balancer(world, "web") == []

    virtual.run(main())


def test_without_a_range_there_is_no_cloud() -> None:
    async def main() -> None:
        async with running(Config(), nodes=1) as world:
            await world.create("services", service("web"))
            assert await told(world, "web") == []
            assert await balancer(world, "web") == []

    virtual.run(main())


def test_a_service_that_turns_into_one_and_back() -> None:
    async def main() -> None:
        async with running(CONFIG, nodes=1) as world:
            await world.create("services", service("web", "ClusterIP"))
            turn = {"spec": {"type": "LoadBalancer"}}
            await world.client.patch("services", "web", turn, "default")
            await has(world, "web", "203.0.113.1")
            turn = {"spec": {"type": "ClusterIP"}}
            await world.client.patch("services", "web", turn, "default")

            async def clean() -> bool:
                found = await world.get("services", "web")
                return not objects.meta(found).get("finalizers") and not await balancer(
                    world, "web"
                )

            await world.until(clean)
            reasons = await told(world, "web")
            assert reasons[0] == ("Type", "ClusterIP -> LoadBalancer")
            assert ("Type", "LoadBalancer -> ClusterIP") in reasons
            assert [reason for reason, _ in reasons].count("DeletedLoadBalancer") == 1

    virtual.run(main())


def test_an_address_that_is_asked_for() -> None:
    async def main() -> None:
        async with running(CONFIG, nodes=1) as world:
            await world.create("services", service("a", loadBalancerIP="203.0.113.5"))
            await has(world, "a", "203.0.113.5")
            await world.create("services", service("b", loadBalancerIP="203.0.113.5"))
            await world.create("services", service("c", loadBalancerIP="192.0.2.1"))
            failed = "Error syncing load balancer: failed to ensure load balancer: address"
            assert (await told(world, "b"))[-1] == (
                "SyncLoadBalancerFailed", f"{failed} 203.0.113.5 is in use by service default/a",
            )  # fmt: skip
            assert (await told(world, "c"))[-1] == (
                "SyncLoadBalancerFailed",
                f"{failed} 192.0.2.1 is not in the range 203.0.113.0/29",
            )
            await world.client.delete("services", "a", "default")
            await has(world, "b", "203.0.113.5")
            wanted = {"spec": {"loadBalancerIP": "203.0.113.4"}}
            await world.client.patch("services", "b", wanted, "default")
            await has(world, "b", "203.0.113.4")
            assert ("LoadbalancerIP", "203.0.113.5 -> 203.0.113.4") in await told(world, "b")

    virtual.run(main())


def test_who_finds_the_range_used_up_gets_the_next_address_that_is_free() -> None:
    async def main() -> None:
        async with running(CONFIG, nodes=1) as world:
            for number in range(1, 7):
                await world.create("services", service(f"s{number}"))
                await has(world, f"s{number}", f"203.0.113.{number}")
            await world.create("services", service("late"))
            assert (await told(world, "late"))[-1] == (
                "SyncLoadBalancerFailed",
                "Error syncing load balancer: failed to ensure load balancer: no address is left"
                " in the range 203.0.113.0/29",
            )
            await world.client.delete("services", "s4", "default")
            await has(world, "late", "203.0.113.4")

    virtual.run(main())


def test_changes_that_a_balancer_hears_of_are_told_and_others_are_not() -> None:
    async def main() -> None:
        async with running(CONFIG, nodes=1) as world:
            await world.create("services", service("web"))
            await has(world, "web", "203.0.113.1")
            before = len(await told(world, "web"))
            label = {"metadata": {"labels": {"a": "b"}}}
            await world.client.patch("services", "web", label, "default")
            assert len(await told(world, "web")) == before
            ranges = {"spec": {"loadBalancerSourceRanges": ["192.0.2.0/24"]}}
            await world.client.patch("services", "web", ranges, "default")
            events = await told(world, "web")
            assert ("LoadBalancerSourceRanges", "[] -> [192.0.2.0/24]") in events
            counts = {
                event["reason"]: event.get("count", 1)
                for event in await world.all("events")
                if event["involvedObject"]["name"] == "web"
            }
            assert (counts["EnsuringLoadBalancer"], counts["EnsuredLoadBalancer"]) == (2, 2)

    virtual.run(main())


def test_a_cluster_without_nodes_is_warned_of() -> None:
    async def main() -> None:
        async with running(CONFIG, nodes=0) as world:
            await world.create("services", service("web"))
            await has(world, "web", "203.0.113.1")
            missing = "There are no available nodes for LoadBalancer"
            assert ("UnAvailableLoadBalancer", missing) in await told(world, "web")

    virtual.run(main())


@pytest.mark.parametrize("seed", [1, 2])
def test_no_address_is_given_twice_whatever_dies(seed: int) -> None:
    async def main() -> None:
        async with running(CONFIG, nodes=1, crash_every=seed) as world:
            for number in range(5):
                await world.create("services", service(f"s{number}"))
                await asyncio.sleep(1)

            async def all_have() -> bool:
                given = [await balancer(world, f"s{number}") for number in range(5)]
                flat = [one["ip"] for found in given for one in found]
                assert len(set(flat)) == len(flat)
                return all(given)

            await world.until(all_have, within=300)
            for number in range(5):
                await world.client.delete("services", f"s{number}", "default")
            for number in range(5):
                await gone(world, f"s{number}")

    virtual.run(main())


def test_a_service_of_another_family_is_refused() -> None:
    async def main() -> None:
        config = Config(load_balancer_pool="2001:db8::/125")
        async with running(config, nodes=1) as world:
            await world.create("services", service("web"))
            assert (await told(world, "web"))[-1] == (
                "SyncLoadBalancerFailed",
                "Error syncing load balancer: failed to ensure load balancer:"
                " there are addresses of IPv6 only",
            )

    virtual.run(main())


@pytest.mark.parametrize("pool", ["203.0.113.1/29", "somewhere"])
def test_a_range_that_is_none(pool: str) -> None:
    with pytest.raises(ValueError, match="load_balancer_pool"):
        Config(load_balancer_pool=pool)
