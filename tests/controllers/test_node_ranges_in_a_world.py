"""Address ranges of nodes: dual stack, a range that is used up, and crashes in between."""

import asyncio
import random

import pytest
from controllerworld import World, running

from cluster.aio import virtual
from cluster.api import objects
from cluster.controllers.config import Config


def node(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}


async def ranges(world: World) -> dict[str, list[str]]:
    return {
        objects.name(found): objects.spec(found).get("podCIDRs") or []
        for found in await world.all("nodes")
    }


def test_dual_stack_nodes_get_a_range_of_each_family() -> None:
    async def main() -> None:
        config = Config(cluster_cidr="10.1.0.0/16,fd00:1::/48", node_cidr_mask_size_ipv4=25)
        async with running(config, nodes=2) as world:

            async def given() -> bool:
                return all((await ranges(world)).values())

            await world.until(given)
            assert sorted((await ranges(world)).values()) == [
                ["10.1.0.0/25", "fd00:1::/64"],
                ["10.1.0.128/25", "fd00:1:0:1::/64"],
            ]
            found = await world.get("nodes", "n0", "")
            assert objects.spec(found)["podCIDR"] == objects.spec(found)["podCIDRs"][0]

    virtual.run(main())


def test_a_node_for_which_no_range_is_left_is_told_of_and_gets_the_next_free_one() -> None:
    async def main() -> None:
        config = Config(cluster_cidr="10.1.0.0/23")
        async with running(config, nodes=0) as world:
            for name in ("a", "b", "c"):
                await world.create("nodes", node(name))

            async def told() -> bool:
                return bool(await world.events("CIDRNotAvailable"))

            await world.until(told)
            (text,) = await world.events("CIDRNotAvailable")
            (left,) = [name for name, found in (await ranges(world)).items() if not found]
            assert text == f"Node {left} status is now: CIDRNotAvailable"
            gone = next(name for name in "abc" if name != left)
            free = (await ranges(world))[gone]
            await world.client.delete("nodes", gone)

            async def given() -> bool:
                return (await ranges(world))[left] == free

            await world.until(given)

    virtual.run(main())


@pytest.mark.parametrize("seed", range(5))
def test_no_two_nodes_have_one_range_whatever_happens_to_the_manager(seed: int) -> None:
    async def main() -> None:
        config = Config(cluster_cidr="10.1.0.0/21,fd00:1::/56")
        async with running(config, nodes=0, crash_every=seed) as world:
            choice = random.Random(f"{seed}/nodes")
            for number in range(24):
                await world.create("nodes", node(f"n{number}"))
                await asyncio.sleep(choice.uniform(0, 2))
                found = await ranges(world)
                held = [cidr for own in found.values() for cidr in own]
                assert len(set(held)) == len(held)
                assert all(len(own) in (0, 2) for own in found.values())
                if len(found) > 6:
                    await world.client.delete("nodes", choice.choice(sorted(found)))

            async def given() -> bool:
                return all((await ranges(world)).values())

            await world.until(given, within=120)
            assert world.mortal.deaths >= 2

    virtual.run(main())
