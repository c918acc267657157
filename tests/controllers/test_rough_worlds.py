"""Managers that die at any moment, late, doubled and lost messages: the outcome is the same."""

import pytest
from controllerworld import deployment, running

from cluster.aio import virtual
from cluster.api import objects
from cluster.controllers import podstate
from cluster.controllers.config import Config

ORPHAN = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "left",
        "namespace": "default",
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "gone",
                "uid": "dead",
                "controller": True,
            }
        ],
    },
}


def test_a_world_tells_what_is_left_over() -> None:
    async def main() -> None:
        async with running(Config(controllers=("serviceaccount",)), nodes=0) as world:
            await world.create("configmaps", ORPHAN)
            told = await world._left_over()
            assert told == ["configmaps default/left is left over: its ReplicaSet is gone"]

    virtual.run(main())


def test_a_manager_that_is_killed_is_followed_by_another() -> None:
    async def main() -> None:
        async with running() as world:
            before = world.manager
            await world.restart_manager()
            assert world.manager is not before
            assert world.manager.ready.is_set()

    virtual.run(main())


@pytest.mark.parametrize("seed", range(6))
def test_a_deployment_is_rolled_out_whatever_happens_to_the_manager(seed: int) -> None:
    async def main() -> None:
        async with running(crash_every=seed) as world:
            await world.create("deployments.apps", deployment(replicas=5))

            async def rolled_out(image: str, count: int) -> bool:
                pods = [pod for pod in await world.all("pods") if podstate.is_active(pod)]
                own = [p for p in pods if objects.spec(p)["containers"][0]["image"] == image]
                found = await world.get("deployments.apps", "web")
                return (
                    len(pods) == len(own) == count
                    and objects.status(found).get("availableReplicas") == count
                )

            await world.until(lambda: rolled_out("nginx:1", 5), 300)
            patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "b"}]}}}}
            await world.client.patch("deployments.apps", "web", patch, "default")
            await world.until(lambda: rolled_out("b", 5), 300)
            await world.client.patch(
                "deployments.apps", "web", {"spec": {"replicas": 2}}, "default"
            )
            await world.until(lambda: rolled_out("b", 2), 300)
            sets = await world.all("replicasets.apps")
            assert len(sets) == 2
            await world.client.delete("deployments.apps", "web", "default")

            async def gone() -> bool:
                return not await world.all("pods") and not await world.all("replicasets.apps")

            await world.until(gone, 300)
            assert world.mortal.deaths >= 2

    virtual.run(main())
