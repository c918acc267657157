"""The garbage collector and the namespace controller know custom resources as they come and go."""

import random
from typing import Any

from controllerworld import World, running

from cluster.aio import tasks, virtual
from cluster.apiserver.extensions.controller import Extensions

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
CROPS = "crops.farm.example.com"


def definition() -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
    }  # fmt: skip
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": CROPS},
        "spec": {
            "group": "farm.example.com",
            "scope": "Namespaced",
            "names": {"plural": "crops", "kind": "Crop"},
            "versions": [version],
        },
    }


def crop(name: str, namespace: str = "default") -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "farm.example.com/v1", "kind": "Crop", "metadata": metadata}


def owned(name: str, owner: dict[str, Any]) -> dict[str, Any]:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }
    metadata = {"name": name, "namespace": "default", "ownerReferences": [reference]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


async def defined(world: World) -> None:
    await world.create(DEFINITIONS, definition())

    async def served() -> bool:
        return world.registry.table.get(CROPS) is not None

    await world.until(served)


def extended(scenario: Any) -> None:
    async def main() -> None:
        async with running() as world, tasks.Group("test") as group:
            extensions = Extensions(world.registry, random.Random("extensions"))
            extensions.open()
            group.spawn(extensions.run(), "extensions")
            await scenario(world)
            group.cancel()

    virtual.run(main())


def test_what_a_custom_object_owns_goes_with_it_and_the_other_way_round() -> None:
    async def scenario(world: World) -> None:
        await defined(world)
        owner = await world.create(CROPS, crop("rye"))
        await world.create("configmaps", owned("of-rye", owner))
        below = crop("seed")
        below["metadata"]["ownerReferences"] = owned("x", owner)["metadata"]["ownerReferences"]
        await world.create(CROPS, below)
        await world.client.delete(CROPS, "rye", "default")

        async def gone() -> bool:
            return not await world.exists("configmaps", "of-rye") and not await world.all(CROPS)

        await world.until(gone)

    extended(scenario)


def test_a_namespace_goes_only_after_its_custom_objects() -> None:
    async def scenario(world: World) -> None:
        await defined(world)
        await world.create(
            "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "field"}}
        )
        held = crop("rye", "field")
        held["metadata"]["finalizers"] = ["farm.example.com/harvest"]
        await world.create(CROPS, held)
        await world.client.delete("namespaces", "field")

        async def reported() -> Any:
            found = await world.get("namespaces", "field", "")
            told = {one["type"]: one for one in found["status"].get("conditions") or ()}
            return told.get("NamespaceContentRemaining", {}).get("status") == "True" and told

        told = await world.until(reported)
        assert "crops.farm.example.com has 1 resource instances" in told[
            "NamespaceContentRemaining"
        ]["message"]  # fmt: skip
        await world.client.patch(CROPS, "rye", {"metadata": {"finalizers": None}}, "field")

        async def gone() -> bool:
            return not await world.exists("namespaces", "field", "")

        await world.until(gone)

    extended(scenario)


def test_a_definition_that_goes_takes_along_what_its_objects_own_and_may_come_again() -> None:
    async def scenario(world: World) -> None:
        for _ in range(2):
            await defined(world)
            owner = await world.create(CROPS, crop("rye"))
            await world.create("configmaps", owned("of-rye", owner))
            await world.client.delete(DEFINITIONS, CROPS)

            async def gone() -> bool:
                left = await world.exists("configmaps", "of-rye")
                return not left and not await world.exists(DEFINITIONS, CROPS, "")

            await world.until(gone)

    extended(scenario)
