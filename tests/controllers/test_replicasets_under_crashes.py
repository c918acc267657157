"""ReplicaSets: lost answers, adoption and release, and any number of crashes."""

import asyncio
import random
from typing import Any

import pytest
from controllerworld import World, deployment, running

from cluster.aio import virtual
from cluster.api import errors, objects
from cluster.controllers import podstate

SETS = "replicasets.apps"


def replica_set(replicas: int, name: str = "web", space: str = "default") -> dict[str, Any]:
    made: dict[str, Any] = deployment(name, replicas)
    made["kind"] = "ReplicaSet"
    made["metadata"]["namespace"] = space
    return made


async def active(world: World, space: str = "default") -> list[dict[str, Any]]:
    return [pod for pod in await world.all("pods", space) if podstate.is_active(pod)]


async def count(world: World, wanted: int, space: str = "default") -> None:
    async def reached() -> bool:
        found = (await world.get(SETS, "web", space)).get("status") or {}
        return (
            len(await active(world, space)) == found.get("replicas", 0) == wanted
            and found.get("readyReplicas", 0) == wanted
        )

    await world.until(reached, within=300)


@pytest.mark.parametrize("verb", ["create", "delete"])
def test_an_answer_that_is_lost_costs_no_pod_too_many(verb: str, monkeypatch: Any) -> None:
    """The pods were made, or deleted, and the server could not say so; the watch is late, too."""

    async def main() -> None:
        async with running() as world:
            await world.create(SETS, replica_set(4))
            await count(world, 4)
            before = {objects.uid(pod) for pod in await active(world)}
            submit_all = world.manager_client.submit_all
            lost = []

            async def losing(operations: Any) -> Any:
                found = list(operations)
                outcomes = await submit_all(found)
                about = [
                    op for op in found if op.resource == "pods" and op.verb.name.lower() == verb
                ]
                if about and not lost:
                    lost.append(len(about))
                    return [errors.InternalError("the answer was lost") for _ in found]
                return outcomes

            monkeypatch.setattr(world.manager_client, "submit_all", losing)
            wanted = 7 if verb == "create" else 2
            await world.client.patch(SETS, "web", {"spec": {"replicas": wanted}}, "default")
            seen = set(before)
            for _ in range(200):
                await asyncio.sleep(0.02)
                now = await active(world)
                seen |= {objects.uid(pod) for pod in now}
                assert min(4, wanted) <= len(now) <= max(4, wanted)
            await count(world, wanted)
            assert lost
            assert len(seen) == max(4, wanted), "no pod was made that was not needed"

    virtual.run(main())


def test_a_released_pod_is_replaced_and_can_be_adopted_again() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(SETS, replica_set(2))
            await count(world, 2)
            pod, other = await active(world)
            name = objects.name(pod)
            relabelled = {"metadata": {"labels": {"app": "debug"}}}
            await world.client.patch("pods", name, relabelled, "default")

            async def replaced() -> bool:
                found = await world.get("pods", name)
                return objects.controller_of(found) is None and len(await active(world)) == 3

            await world.until(replaced)
            # Back again, it is one too many: the younger of them goes.
            await world.client.patch(
                "pods", name, {"metadata": {"labels": {"app": "web"}}}, "default"
            )
            await count(world, 2)
            kept = {objects.name(found) for found in await active(world)}
            assert {objects.name(other), name} & kept

    virtual.run(main())


@pytest.mark.parametrize("seed", range(6))
def test_replica_sets_come_to_their_size_whatever_happens_to_the_manager(seed: int) -> None:
    async def main() -> None:
        async with running(nodes=3, crash_every=seed) as world:
            choice = random.Random(f"{seed}/sets")
            spaces = ["default", "a", "b"]
            for space in spaces[1:]:
                meta = {"name": space}
                await world.create(
                    "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
                )
            for space in spaces:
                await world.create(SETS, replica_set(3, space=space))
            for _ in range(4):
                sizes = {space: choice.randint(0, 9) for space in spaces}
                for space, size in sizes.items():
                    await world.client.patch(SETS, "web", {"spec": {"replicas": size}}, space)
                    for pod in await active(world, space):
                        if choice.random() < 0.3:
                            await world.client.delete("pods", objects.name(pod), space)
                await asyncio.sleep(choice.uniform(0, 6))
            for space, size in sizes.items():
                await count(world, size, space)
            assert world.mortal.deaths >= 1

    virtual.run(main())
