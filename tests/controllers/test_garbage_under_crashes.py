"""Garbage and namespaces whose collectors die at any moment: what is left is what should be."""

import asyncio
import random
from typing import Any

import pytest
from controllerworld import World, running

from cluster.aio import virtual
from cluster.api import objects

MAPS = "configmaps"


def configmap(name: str, owners: list[dict[str, Any]], space: str = "default") -> dict[str, Any]:
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": objects.name(owner),
            "uid": objects.uid(owner),
            "blockOwnerDeletion": True,
        }
        for owner in owners
    ]
    metadata = {"name": name, "namespace": space, "ownerReferences": references}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


async def names(world: World) -> list[str]:
    return sorted(objects.name(found) for found in await world.all(MAPS, "default"))


@pytest.mark.parametrize("seed", range(6))
def test_what_loses_its_last_owner_goes_and_what_is_orphaned_stays(seed: int) -> None:
    async def main() -> None:
        async with running(nodes=0, crash_every=seed) as world:
            choice = random.Random(f"{seed}/garbage")
            roots = [await world.create(MAPS, configmap(f"root-{n}", [])) for n in range(6)]
            made = [*roots]
            owners: dict[str, list[str]] = {}
            for number in range(20):
                chosen = choice.sample(made, k=choice.choice([1, 1, 2, 3]))
                name = f"leaf-{number:02}"
                owners[name] = [objects.name(owner) for owner in chosen]
                made.append(await world.create(MAPS, configmap(name, chosen)))
            await asyncio.sleep(5)  # orphaning knows of what was there for a while
            doomed = choice.sample([objects.name(root) for root in roots], k=4)
            orphaning = doomed[0]
            for name in doomed:
                way = "Orphan" if name == orphaning else choice.choice(["Background", "Foreground"])
                await world.client.delete(MAPS, name, "default", propagation=way)
                await asyncio.sleep(choice.uniform(0, 4))
            gone = set(doomed)
            for name, above in owners.items():  # owners come before what they own
                others = set(above) - {orphaning}
                if others and others <= gone:
                    gone.add(name)
            expected = sorted({objects.name(found) for found in made} - gone)

            async def settled() -> bool:
                return await names(world) == expected

            await world.until(settled, within=300)
            await asyncio.sleep(30)
            assert await settled(), "nothing more goes later"
            assert world.mortal.deaths >= 2

    virtual.run(main())


@pytest.mark.parametrize("seed", range(4))
def test_namespaces_go_with_everything_in_them(seed: int) -> None:
    async def main() -> None:
        async with running(crash_every=seed) as world:
            for number in range(4):
                space = f"team-{number}"
                meta = {"name": space}
                await world.create(
                    "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
                )
                owner = await world.create(MAPS, configmap("owner", [], space))
                await world.create(MAPS, configmap("owned", [owner], space))
            held = await world.get(MAPS, "owned", "team-0")
            finalizers = {"metadata": {"finalizers": ["example.com/hold"]}}
            await world.client.patch(MAPS, objects.name(held), finalizers, "team-0")
            for number in range(4):
                await world.client.delete("namespaces", f"team-{number}")

            async def left() -> list[str]:
                found = await world.all("namespaces")
                return [objects.name(s) for s in found if objects.name(s).startswith("team-")]

            async def only_the_held() -> bool:
                return await left() == ["team-0"]

            await world.until(only_the_held, within=200)
            await world.client.patch(MAPS, "owned", {"metadata": {"finalizers": None}}, "team-0")

            async def none() -> bool:
                return not await left()

            await world.until(none, within=200)

    virtual.run(main())
