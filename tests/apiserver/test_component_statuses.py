"""ComponentStatus tells how the store, the scheduler and the controller manager are."""

import asyncio

import registry_world as rw

from cluster.aio import virtual
from cluster.api import identity, timestamps
from cluster.apiserver.presence import Presence
from cluster.storage.interface import Unavailable

SCHEDULER = identity.User("system:kube-scheduler")


def health(found):
    (condition,) = found["conditions"]
    assert condition["type"] == "Healthy"
    return condition["status"], condition.get("message", ""), condition.get("error", "")


def run(story):
    async def main():
        async with rw.world() as world:
            await story(world)

    virtual.run(main())


def test_a_component_is_well_while_it_follows_or_renews_its_lease():
    async def story(world):
        async def now():
            return health(await world.get("componentstatuses", "scheduler", ""))

        assert (await now())[0] == "False"
        leave = world.registry.presence.enter(SCHEDULER)
        assert await now() == ("True", "ok", "")
        leave()
        assert "system:kube-scheduler has no watch open" in (await now())[2]
        moment = world.registry.clock.now()
        spec = {"holderIdentity": "me", "leaseDurationSeconds": 15}
        spec["renewTime"] = timestamps.encode_micro(moment - 10)
        lease = {"metadata": {"name": "kube-scheduler", "namespace": "kube-system"}, "spec": spec}
        await world.create("leases.coordination.k8s.io", lease, "kube-system")
        assert (await now())[0] == "True"
        spec["renewTime"] = timestamps.encode_micro(moment - 20)
        patch = {"spec": {"renewTime": spec["renewTime"]}}
        await world.patch("leases.coordination.k8s.io", "kube-scheduler", patch, "kube-system")
        world.registry.presence.enter(SCHEDULER)  # it is there, but it does not lead
        assert await now() == (
            "False", "", "the lease kube-system/kube-scheduler was renewed 20 s ago",
        )  # fmt: skip

    run(story)


def test_a_store_that_cannot_answer_is_not_well():
    async def story(world):
        assert health(await world.get("componentstatuses", "etcd-0", "")) == ("True", "ok", "")

        async def full():
            raise Unavailable("the disk is full")

        world.store.check = full
        found = health(await world.get("componentstatuses", "etcd-0", ""))
        assert found == ("False", "", "the disk is full")

        async def stuck():
            await asyncio.sleep(3600)

        world.store.check = stuck
        found = health(await world.get("componentstatuses", "etcd-0", ""))
        assert found == ("False", "", "the store did not answer within 5 s")

    run(story)


def test_presence_counts_and_forgets():
    presence = Presence()
    one, two = presence.enter(SCHEDULER), presence.enter(SCHEDULER)
    one()
    assert presence.watches("system:kube-scheduler")
    two()
    assert not presence.watches("system:kube-scheduler")
