"""The scheduler against a registry in the same process, on virtual time."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from scheduling import node, pod

from cluster.aio import clock, tasks, virtual
from cluster.api import conditions, errors, identity, operations, resources
from cluster.apiserver import direct, registry
from cluster.client.client import Client
from cluster.client.transport import Raw
from cluster.scheduler.component import Scheduler
from cluster.scheduler.config import Config
from cluster.storage.memory import MemoryStorage

Json = dict[str, Any]
SECONDS = 120.0


class FlakyTransport(direct.DirectTransport):
    """Refuses as many bindings as it is told to."""

    refuse = 0
    bindings = 0

    async def write(
        self, batch: Sequence[operations.Operation]
    ) -> Sequence[Raw | errors.StatusError | None]:
        bindings = [one for one in batch if one.subresource == "binding"]
        self.bindings += len(bindings)
        if bindings and self.refuse:
            self.refuse -= 1
            return [errors.ServiceUnavailable("not now") for _ in batch]
        return await super().write(batch)


class World:
    def __init__(self, client: Client, transport: FlakyTransport, scheduler: Scheduler) -> None:
        self.client = client
        self.transport = transport
        self.scheduler = scheduler
        self.loop = asyncio.get_running_loop()

    async def node(self, name: str, **fields: Any) -> None:
        made = node(name, **fields)
        await self.client.create("nodes", made)
        # New nodes are tainted not-ready until the node controller says otherwise.
        spec = {"taints": made["spec"].get("taints")}
        await self.client.patch("nodes", name, {"spec": spec})

    async def pod(self, name: str, **fields: Any) -> None:
        made = pod(name, **fields)
        del made["metadata"]["uid"], made["status"]
        await self.client.create("pods", made)

    async def get(self, name: str) -> Json:
        return await self.client.get("pods", name, "default")

    async def events(self, name: str, reason: str) -> list[Json]:
        found = (await self.client.list("events", "default")).items
        return [
            one for one in found
            if one["involvedObject"]["name"] == name and one["reason"] == reason
        ]  # fmt: skip

    async def bound(self, *names: str) -> list[str]:
        async def all_bound() -> bool:
            return all([(await self.get(name))["spec"].get("nodeName") for name in names])

        await self.until(all_bound)
        return [(await self.get(name))["spec"]["nodeName"] for name in names]

    async def refused(self, name: str) -> Json:
        async def has_condition() -> bool:
            return conditions.find(await self.get(name), "PodScheduled") is not None

        await self.until(has_condition)
        found = conditions.find(await self.get(name), "PodScheduled")
        assert found is not None
        return found

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(SECONDS):
            while not await holds():
                await asyncio.sleep(0.05)


@asynccontextmanager
async def world(config: Config | None = None) -> AsyncIterator[World]:
    wall = clock.LoopClock(asyncio.get_running_loop(), 1_700_000_000.0)
    storage = MemoryStorage()
    api = registry.Registry(resources.built_in(), storage, clock=wall, random=random.Random(1))
    await api.open()
    user = identity.User("admin", (identity.MASTERS, identity.AUTHENTICATED))
    transport = FlakyTransport(api, user)
    async with Client(transport, manager="test") as client, tasks.Group("world") as group:
        scheduler = Scheduler(
            config or Config(), client=client, clock=wall, random=random.Random(2)
        )
        running = group.spawn(scheduler.run(), "scheduler")
        async with asyncio.timeout(SECONDS):
            await scheduler.ready.wait()
        yield World(client, transport, scheduler)
        running.cancel()


def run(scenario: Callable[[World], Awaitable[None]], config: Config | None = None) -> None:
    async def main() -> None:
        async with world(config) as one:
            await scenario(one)

    virtual.run(main())


def test_a_pod_is_bound_and_an_event_says_so() -> None:
    async def scenario(one: World) -> None:
        await one.node("node-1")
        await one.pod("web")
        assert await one.bound("web") == ["node-1"]

        async def said() -> bool:
            return bool(await one.events("web", "Scheduled"))

        await one.until(said)
        (event,) = await one.events("web", "Scheduled")
        assert event["message"] == "Successfully assigned default/web to node-1"
        assert event["type"] == "Normal"
        assert event["reportingComponent"] == "default-scheduler"

    run(scenario)


def test_a_pod_that_fits_nowhere_is_told_why_and_bound_when_a_node_comes() -> None:
    async def scenario(one: World) -> None:
        await one.node("small", cpu="1")
        await one.pod("big", cpu="3")
        condition = await one.refused("big")
        assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
        assert condition["message"] == (
            "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
            "1 Preemption is not helpful for scheduling."
        )

        async def said() -> bool:
            return bool(await one.events("big", "FailedScheduling"))

        await one.until(said)
        (event,) = await one.events("big", "FailedScheduling")
        assert (event["type"], event["message"]) == ("Warning", condition["message"])
        await asyncio.sleep(30)
        before = one.loop.time()
        await one.node("large", cpu="4")
        assert await one.bound("big") == ["large"]
        # The node came tainted, so that a second attempt failed: its backoff is two seconds.
        assert one.loop.time() - before < 2.1

    run(scenario)


def test_the_written_condition_is_no_reason_to_try_again() -> None:
    async def scenario(one: World) -> None:
        await one.node("small", cpu="1")
        await one.pod("big", cpu="3")
        await one.refused("big")
        await asyncio.sleep(250)
        (event,) = await one.events("big", "FailedScheduling")
        assert event.get("count", 1) == 1

    run(scenario)


def test_resources_come_free_when_pods_end_or_go() -> None:
    async def scenario(one: World) -> None:
        await one.node("node-1", cpu="2")
        await one.pod("a", cpu="1")
        await one.pod("b", cpu="1")
        await one.bound("a", "b")
        await one.pod("c", cpu="1")
        await one.refused("c")
        await one.client.patch(
            "pods", "a", {"status": {"phase": "Succeeded"}}, "default", subresource="status"
        )
        await one.bound("c")
        await one.pod("d", cpu="1")
        await one.refused("d")
        await one.client.delete("pods", "b", "default", grace=0)
        await one.bound("d")

    run(scenario)


def test_a_failed_binding_is_undone_and_tried_again() -> None:
    async def scenario(one: World) -> None:
        await one.node("node-1", cpu="1")
        one.transport.refuse = 1
        await one.pod("web", cpu="1")
        condition = await one.refused("web")
        assert condition["reason"] == "SchedulerError"
        assert condition["message"] == 'running Bind plugin "DefaultBinder": not now'
        assert await one.bound("web") == ["node-1"]
        assert one.transport.bindings == 2

    run(scenario)


def test_pods_of_other_schedulers_and_gated_pods_are_left_alone() -> None:
    async def scenario(one: World) -> None:
        await one.node("node-1")
        await one.pod("other", schedulerName="my-scheduler")
        await one.pod("gated", schedulingGates=[{"name": "example.com/gate"}])
        await one.pod("ours")
        await one.bound("ours")
        await asyncio.sleep(400)
        assert one.transport.bindings == 1
        await one.client.patch("pods", "gated", {"spec": {"schedulingGates": None}}, "default")
        await one.bound("gated")

    run(scenario)


def test_no_node_is_ever_overcommitted() -> None:
    async def scenario(one: World) -> None:
        for at in range(5):
            await one.node(f"node-{at}", cpu="2", pods="10")
        names = [f"p{at}" for at in range(60)]
        await asyncio.gather(*(one.pod(name, cpu="250m") for name in names))

        async def settled() -> bool:
            found = (await one.client.list("pods", "default")).items
            return all(
                item["spec"].get("nodeName") or conditions.find(item, "PodScheduled")
                for item in found
            )

        await one.until(settled)
        found = (await one.client.list("pods", "default")).items
        where = [item["spec"]["nodeName"] for item in found if item["spec"].get("nodeName")]
        assert len(where) == 40
        assert {where.count(f"node-{at}") for at in range(5)} == {8}

    run(scenario)


def test_few_parallel_bindings_suffice() -> None:
    async def scenario(one: World) -> None:
        await one.node("node-1")
        names = [f"p{at}" for at in range(20)]
        await asyncio.gather(*(one.pod(name) for name in names))
        await one.bound(*names)

    run(scenario, Config(parallel_bindings=1))


def test_what_is_not_looked_at_is_said_once_for_an_owner() -> None:
    async def scenario(one: World) -> None:
        await one.node("node-1")
        await one.pod("web", resourceClaims=[{"name": "gpu", "resourceClaimName": "gpu"}])
        await one.bound("web")

        async def said() -> bool:
            return bool(await one.events("web", "NotImplementedYet"))

        await one.until(said)
        (event,) = await one.events("web", "NotImplementedYet")
        assert "DynamicResources" in event["message"]

    run(scenario)


def test_a_leader_schedules() -> None:
    async def scenario(one: World) -> None:
        await one.node("node-1")
        await one.pod("web")
        await one.bound("web")
        lease = await one.client.get("leases.coordination.k8s.io", "kube-scheduler", "kube-system")
        assert lease["spec"]["holderIdentity"] == "me"

    run(scenario, Config(leader_elect=True, identity="me"))


def test_an_idle_scheduler_does_nothing() -> None:
    async def scenario(one: World) -> None:
        await one.node("small", cpu="1")
        await one.pod("big", cpu="3")
        await one.refused("big")
        await asyncio.sleep(20)
        ticks = 0
        real = one.loop.call_at

        def counting(*args: Any, **kwargs: Any) -> asyncio.TimerHandle:
            nonlocal ticks
            ticks += 1
            return real(*args, **kwargs)

        one.loop.call_at = counting  # type: ignore[method-assign]
        await asyncio.sleep(250)
        assert ticks < 50

    run(scenario)


def test_the_same_seed_gives_the_same_placement() -> None:
    def once() -> list[str]:
        found: list[str] = []

        async def scenario(one: World) -> None:
            for at in range(7):
                await one.node(f"node-{at}")
            names = [f"p{at}" for at in range(30)]
            await asyncio.gather(*(one.pod(name) for name in names))
            found.extend(await one.bound(*names))

        run(scenario)
        return found

    assert once() == once()


@pytest.mark.parametrize(
    "bad",
    [
        {"scheduler_name": ""}, {"bind_timeout": 0}, {"parallel_bindings": 0},
        {"explained_attempts": -1},
    ],
)  # fmt: skip
def test_a_bad_config_is_refused(bad: Json) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Config(**bad)
