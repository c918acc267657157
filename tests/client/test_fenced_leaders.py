"""Leaders whose writes carry their lease: one that was stopped for too long writes nothing more."""

import asyncio
import contextlib
import random

from cluster.aio import clock, tasks, virtual
from cluster.api import errors, identity, resources
from cluster.apiserver.direct import DirectTransport
from cluster.apiserver.registry import Registry
from cluster.client import leaderelection
from cluster.client.client import Client
from cluster.storage.memory import MemoryStorage

EPOCH = 1_800_000_000.0
USER = identity.User("leader", (identity.MASTERS,))


class Frozen(DirectTransport):
    """A way to the API on which everything stands still while the process does."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry, USER)
        self.runs = asyncio.Event()
        self.runs.set()

    async def get(self, resource, namespace, name):
        await self.runs.wait()
        return await super().get(resource, namespace, name)

    async def write(self, batch):
        await self.runs.wait()
        return await super().write(batch)


def config_map(name):
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "default"}}  # fmt: skip


def run(scenario):
    async def main():
        loop = asyncio.get_running_loop()
        wall = clock.LoopClock(loop, EPOCH)
        store = MemoryStorage()
        registry = Registry(resources.built_in(), store, clock=wall, random=random.Random(1))
        await registry.open()
        try:
            return await scenario(registry, wall)
        finally:
            await registry.close()

    return virtual.run(main())


async def lost(leading):
    """Lead until leadership is lost."""
    with contextlib.suppress(leaderelection.LostLeadership):
        await leading


def elector(client, name, wall):
    config = leaderelection.Config("leader", name, release_on_cancel=False)
    return leaderelection.LeaderElector(config, client, wall, random.Random(name))


def test_what_a_stopped_leader_had_on_its_way_is_refused_once_another_leads():
    async def scenario(registry, wall):
        stopped = Frozen(registry)
        late = []

        async def write(client, name):
            try:
                await client.create("configmaps", config_map(name))
            except errors.StatusError as error:
                late.append(error.message)

        async with Client(stopped) as first, Client(Frozen(registry)) as second:
            async with tasks.Group("leaders") as group:

                async def lead_first():
                    await first.create("configmaps", config_map("by-first"))
                    stopped.runs.clear()  # SIGSTOP: nothing gets out any more
                    group.spawn(write(first, "late"), "late")
                    await asyncio.sleep(1e6)

                async def lead_second():
                    await second.create("configmaps", config_map("by-second"))
                    stopped.runs.set()  # SIGCONT: what was on its way goes on
                    await asyncio.sleep(1)

                group.spawn(lost(elector(first, "a", wall).run(lead_first)), "a")
                await asyncio.sleep(0.5)
                await elector(second, "b", wall).run(lead_second)
            await write(first, "later")
        page = await registry.list("configmaps", "default")
        return late, [entry.name for entry in page.items]

    late, made = run(scenario)
    assert made == ["by-first", "by-second"]
    assert late == [
        'Operation cannot be fulfilled on configmaps "late": the writer led by lease '
        'kube-system/leader as "a" in its term 0, but the lease is held by "b" now',
        'Operation cannot be fulfilled on configmaps "later": the writer led by lease '
        'kube-system/leader as "a" in its term 0, but the lease is held by none now',
    ]


def test_a_leader_that_leads_again_writes_in_its_new_term():
    async def scenario(registry, wall):
        async with Client(Frozen(registry)) as one, Client(Frozen(registry)) as two:
            for number, (client, name) in enumerate([(one, "a"), (two, "b"), (one, "a")]):

                async def lead(client=client, number=number):
                    await client.create("configmaps", config_map(f"c{number}"))

                await elector(client, name, wall).run(lead)
            return one.fence.transitions, two.fence.transitions

    first, second = run(scenario)
    assert first > second > 0


def test_writes_of_two_terms_never_share_a_batch():
    async def scenario(registry, wall):
        batches = []

        class Heard(Frozen):
            async def write(self, batch):
                batches.append([operation.fence for operation in batch])
                return await super().write(batch)

        async with Client(Heard(registry)) as client:

            async def lead():
                fence = client.fence
                writes = [client.create("configmaps", config_map("x"))]
                client.fence = None
                writes.append(client.create("configmaps", config_map("y")))
                await asyncio.gather(*writes)
                client.fence = fence

            await elector(client, "a", wall).run(lead)
        return batches

    batches = run(scenario)
    assert all(len({id(fence) for fence in batch}) == 1 for batch in batches)
