"""ReplicationControllers: what the older ReplicaSet does, as its documentation tells it."""

from typing import Any

import pytest
from controllerworld import World, deployment, running

from cluster.aio import virtual
from cluster.api import objects

CONTROLLERS = "replicationcontrollers"


def controller(name: str = "web", replicas: int = 3) -> dict[str, Any]:
    made = deployment(name, replicas)
    spec = made["spec"] | {"selector": {"app": name}}
    return made | {"apiVersion": "v1", "kind": "ReplicationController", "spec": spec}


async def pods(world: World) -> list[dict[str, Any]]:
    return [pod for pod in await world.all("pods") if not objects.deleting(pod)]


async def ready(world: World, count: int, name: str = "web") -> bool:
    status = objects.status(await world.get(CONTROLLERS, name))
    told = (status.get("replicas"), status.get("readyReplicas"))
    return told == (count, count) and len(await pods(world)) == count


def test_its_pods_are_made_replaced_and_scaled() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(CONTROLLERS, controller(replicas=3))
            await world.until(lambda: ready(world, 3))
            owner = objects.controller_of((await pods(world))[0])
            assert owner is not None
            assert (owner["apiVersion"], owner["kind"]) == ("v1", "ReplicationController")
            lost = objects.name((await pods(world))[0])
            await world.client.delete("pods", lost, "default", grace=0)
            await world.until(lambda: ready(world, 3))
            assert lost not in [objects.name(pod) for pod in await pods(world)]
            await world.client.patch(CONTROLLERS, "web", {"spec": {"replicas": 1}}, "default")
            await world.until(lambda: ready(world, 1))
            assert len(await world.events("SuccessfulCreate")) == 4
            assert len(await world.events("SuccessfulDelete")) == 2
            sources = {event["source"]["component"] for event in await world.all("events")}
            assert "replication-controller" in sources

    virtual.run(main())


def test_a_pod_whose_label_changes_is_released_and_another_is_made() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(CONTROLLERS, controller(replicas=2))
            await world.until(lambda: ready(world, 2))
            name = objects.name((await pods(world))[0])
            patch = {"metadata": {"labels": {"app": "debug"}}}
            await world.client.patch("pods", name, patch, "default")

            async def replaced() -> bool:
                freed = await world.get("pods", name)
                return objects.controller_of(freed) is None and len(await pods(world)) == 3

            await world.until(replaced)
            await world.client.delete(CONTROLLERS, "web", "default", propagation="Background")

            async def only_the_freed() -> bool:
                return [objects.name(pod) for pod in await world.all("pods")] == [name]

            await world.until(only_the_freed)

    virtual.run(main())


def test_its_pods_stay_where_nobody_says_that_they_go_with_it() -> None:
    """The default of this kind alone, kept since the first version of the API."""

    async def main() -> None:
        async with running() as world:
            await world.create(CONTROLLERS, controller(replicas=2))
            await world.until(lambda: ready(world, 2))
            await world.client.delete(CONTROLLERS, "web", "default")

            async def orphaned() -> bool:
                gone = not await world.all(CONTROLLERS)
                return gone and not any(map(objects.controller_of, await pods(world)))

            await world.until(orphaned)
            assert len(await pods(world)) == 2

    virtual.run(main())


def test_a_replica_set_and_a_controller_of_one_name_do_not_take_each_others_pods() -> None:
    async def main() -> None:
        async with running() as world:
            await world.create(CONTROLLERS, controller(replicas=2))
            await world.create("replicasets.apps", deployment(replicas=3) | {"kind": "ReplicaSet"})

            async def each_its_own() -> bool:
                owners = [
                    (objects.controller_of(pod) or {}).get("kind") for pod in await pods(world)
                ]
                return (
                    sorted(map(str, owners)) == ["ReplicaSet"] * 3 + ["ReplicationController"] * 2
                )

            await world.until(each_its_own)

    virtual.run(main())


@pytest.mark.parametrize("seed", range(3))
def test_it_settles_whatever_happens_to_the_manager(seed: int) -> None:
    async def main() -> None:
        async with running(crash_every=seed) as world:
            await world.create(CONTROLLERS, controller(replicas=4))
            await world.until(lambda: ready(world, 4), 300)
            await world.client.patch(CONTROLLERS, "web", {"spec": {"replicas": 7}}, "default")
            await world.until(lambda: ready(world, 7), 300)
            await world.client.delete(CONTROLLERS, "web", "default", propagation="Background")

            async def gone() -> bool:
                return not await world.all("pods")

            await world.until(gone, 300)

    virtual.run(main())
