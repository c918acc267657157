"""What a controller remembers of its own doings must end, and nothing may be slept through."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest
from controllerworld import World, deployment, running

from cluster.aio import tasks, virtual
from cluster.api import objects
from cluster.client import informer
from cluster.controllers import expectations
from cluster.controllers.config import Config
from cluster.controllers.context import Context
from cluster.controllers.deployment.controller import DeploymentController
from cluster.controllers.endpointslice.controller import EndpointSliceController
from cluster.controllers.replicaset.controller import ReplicaSetController

QUIET = Config(controllers=("serviceaccount",))


@contextlib.asynccontextmanager
async def alone(world: World, kind) -> AsyncIterator:
    """One controller beside the world, to be looked into."""
    informers = informer.Informers(world.client)
    controller = kind(Context(Config(), world.client, world.clock, random.Random(1), informers))
    async with tasks.Group("alone") as group:
        informers.start(group)
        await informers.synced()
        group.spawn(controller.run(), "controller")
        yield controller
        group.cancel()


def replica_set(replicas: int) -> dict:
    made = deployment(replicas=replicas)
    return made | {"kind": "ReplicaSet"}


@pytest.mark.parametrize(
    "kind", [DeploymentController, EndpointSliceController, ReplicaSetController]
)
def test_a_write_that_was_answered_after_the_owners_end_is_forgotten(kind) -> None:
    async def main() -> None:
        async with running(QUIET, nodes=0) as world, alone(world, kind) as controller:
            written = {"metadata": {"resourceVersion": "7"}}
            holder = getattr(controller, "_written", controller)
            holder._writes.note("default/gone", "default/gone-1", written, 0.0)
            await controller.reconcile("default/gone")
            assert not holder._writes._by_key

    virtual.run(main())


def test_a_creation_that_is_never_seen_is_given_up_by_itself() -> None:
    async def main() -> None:
        async with running(QUIET) as world, alone(world, ReplicaSetController) as controller:
            loop = asyncio.get_running_loop()
            controller._expectations.expect_creations("default/web", 1, loop.time())
            await world.create("replicasets.apps", replica_set(1))
            await asyncio.sleep(expectations.TIMEOUT - 5)
            assert not await world.all("pods")
            await asyncio.sleep(10)
            assert len(await world.all("pods")) == 1

    virtual.run(main())


def test_an_unbound_pod_that_ends_during_a_pass_does_not_wait_for_the_next() -> None:
    async def main() -> None:
        async with running(nodes=0) as world:
            write, slow = world.registry.write, True

            async def slowly(batch, user, **more):
                if slow and user.name == "controllers" and batch[0].resource == "pods":
                    await asyncio.sleep(1)
                return await write(batch, user, **more)

            world.registry.write = slowly
            for name in ("a", "b"):
                meta = {"name": name, "namespace": "default", "finalizers": ["example.com/hold"]}
                spec = deployment()["spec"]["template"]["spec"]
                pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
                await world.until(lambda: world.exists("serviceaccounts", "default"))
                await world.create("pods", pod)
            await world.client.delete("pods", "a", "default")
            await asyncio.sleep(0.5)
            await world.client.delete("pods", "b", "default")

            async def failed() -> bool:
                pods = await world.all("pods")
                return [objects.status(pod).get("phase") for pod in pods] == ["Failed"] * 2

            await world.until(failed, within=6)

    virtual.run(main())
