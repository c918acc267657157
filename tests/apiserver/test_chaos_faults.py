"""Faults on purpose: to whom they are done, that they end, and that nobody else notices."""

import asyncio
import contextlib
import random
from contextlib import asynccontextmanager

import grpc
import pytest
import registry_world as rw

from cluster.aio import clock, tasks, virtual
from cluster.api import errors, identity
from cluster.apiserver.chaos.service import Injector
from cluster.apiserver.component import ApiServer
from cluster.apiserver.config import Config
from cluster.apiserver.direct import DirectTransport
from cluster.client.client import Client
from cluster.pb.cluster.v1 import chaos_pb2 as pb
from cluster.pb.cluster.v1 import chaos_pb2_grpc
from cluster.storage.faulty import HurtableSqlite
from cluster.storage.memory import MemoryStorage

SCHEDULER = identity.User("system:kube-scheduler")
KUBELET = identity.User("system:node:node-1")


def fault(seconds=10.0, id="f", **api):
    return pb.SetFaultRequest(id=id, seconds=seconds, api=pb.ApiFault(**api))


class Chaos:
    """A registry, an injector, and clients."""

    def __init__(self, world) -> None:
        self.world = world
        self.injector = Injector(world.registry, world.store, random.Random(1))

    def client(self, user=SCHEDULER) -> Client:
        return Client(DirectTransport(self.world.registry, user))


def run(story):
    async def main():
        async with rw.world() as world:
            chaos = Chaos(world)
            async with chaos.client() as scheduler, chaos.client(KUBELET) as kubelet:
                await story(chaos, scheduler, kubelet)
            chaos.injector.close()

    virtual.run(main())


def pod(name="web"):
    return {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
    }  # fmt: skip


def test_an_error_is_for_the_users_verbs_and_resources_that_are_named() -> None:
    async def story(chaos, scheduler, kubelet):
        await chaos.injector.set(
            fault(users=["system:kube-*"], verbs=["get"], resources=["configmaps"], code=503)
        )
        await kubelet.create("configmaps", pod())
        with pytest.raises(errors.ServiceUnavailable, match="injected by chaos"):
            await scheduler.get("configmaps", "web", "default")
        assert (await kubelet.get("configmaps", "web", "default"))["kind"] == "ConfigMap"
        assert len((await scheduler.list("configmaps", "default")).items) == 1
        assert (await scheduler.get("namespaces", "default"))["kind"] == "Namespace"
        assert [(one.id, one.requests) for one in chaos.injector.states()] == [("f", 1)]

    run(story)


def test_writes_of_a_batch_fail_one_by_one() -> None:
    async def story(chaos, scheduler, _kubelet):
        await chaos.injector.set(fault(verbs=["create"], code=429, share=0.5))
        made = await asyncio.gather(
            *(scheduler.create("configmaps", pod(f"c{n}")) for n in range(40)),
            return_exceptions=True,
        )
        refused = [one for one in made if isinstance(one, errors.TooManyRequests)]
        assert 5 < len(refused) < 35
        assert all(one.details["retryAfterSeconds"] == 1 for one in refused)
        await chaos.injector.clear([])
        assert len((await scheduler.list("configmaps", "default")).items) == 40 - len(refused)

    run(story)


def test_a_write_meets_a_fault_once() -> None:
    async def story(chaos, scheduler, _kubelet):
        await chaos.injector.set(fault(verbs=["create"], latency=2.0))
        loop = asyncio.get_running_loop()
        began = loop.time()
        await scheduler.create("configmaps", pod())
        assert loop.time() - began == pytest.approx(2.0)
        assert [one.requests for one in chaos.injector.states()] == [1]

    run(story)


def test_a_fault_ends_by_itself_and_leaves_nothing_behind() -> None:
    async def story(chaos, scheduler, _kubelet):
        await chaos.injector.set(fault(seconds=5.0, code=500))
        await chaos.injector.set(fault(seconds=9.0, id="g", latency=2.0))
        with pytest.raises(errors.InternalError):
            await scheduler.get("namespaces", "default")
        await asyncio.sleep(5.0)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await scheduler.get("namespaces", "default")
        assert loop.time() - began == pytest.approx(2.0)
        await asyncio.sleep(4.0)
        assert chaos.world.registry.faults is None
        assert chaos.injector.states() == []

    run(story)


def test_stale_reads_are_of_when_the_fault_began() -> None:
    async def story(chaos, scheduler, kubelet):
        await kubelet.create("configmaps", pod("old"))
        await chaos.injector.set(fault(users=["system:kube-scheduler"], stale=True))
        await kubelet.create("configmaps", pod("new"))
        await kubelet.patch("configmaps", "old", {"data": {"a": "b"}}, "default")
        listed = await scheduler.list("configmaps", "default")
        assert [one["metadata"]["name"] for one in listed.items] == ["old"]
        assert "data" not in await scheduler.get("configmaps", "old", "default")
        with pytest.raises(errors.NotFound):
            await scheduler.get("configmaps", "new", "default")
        assert (await kubelet.get("configmaps", "old", "default"))["data"] == {"a": "b"}
        await chaos.injector.clear(["f"])
        assert (await scheduler.get("configmaps", "new", "default"))["kind"] == "ConfigMap"

    run(story)


def test_watches_are_cut_off_at_once_and_after_a_while_and_their_events_are_late() -> None:
    async def story(chaos, scheduler, kubelet):
        loop = asyncio.get_running_loop()
        start = await scheduler.list("configmaps")
        seen: list[tuple[float, str]] = []
        ends: list[float] = []

        async def watch(client):
            async for batch in client.watch("configmaps", revision=start.revision):
                seen.extend(
                    (round(loop.time(), 2), one.object["metadata"]["name"])
                    for one in batch
                    if one.object
                )
            ends.append(round(loop.time(), 2))

        async with tasks.Group("watches") as group:
            group.spawn(watch(scheduler), "before")
            other = group.spawn(watch(kubelet), "other")
            await asyncio.sleep(1.0)
            await chaos.injector.set(
                fault(users=["system:kube-scheduler"], drop_watches=10.0, delay_watches=3.0)
            )
            await asyncio.sleep(1.0)
            assert ends == [1.0]
            group.spawn(watch(scheduler), "after")
            await asyncio.sleep(0)
            await kubelet.create("configmaps", pod())
            await asyncio.sleep(20.0)
            assert seen == [(2.0, "web"), (5.0, "web")]
            assert ends == [1.0, 12.0]
            other.cancel()

    run(story)


@pytest.mark.parametrize(
    "request_",
    [
        fault(seconds=0.0, code=500),
        fault(seconds=4000.0, code=500),
        fault(),
        fault(code=200),
        fault(code=500, share=1.5),
        fault(latency=-1.0),
        fault(id="", code=500),
        pb.SetFaultRequest(id="d", seconds=1.0, disk=pb.DiskFault()),
    ],
)
def test_what_says_nothing_or_too_much_is_refused(request_) -> None:
    async def story(chaos, _scheduler, _kubelet):
        with pytest.raises(ValueError, match=r"."):
            await chaos.injector.set(request_)
        assert chaos.world.registry.faults is None
        assert chaos.injector.states() == []

    run(story)


def test_the_disk_of_a_store_in_memory_cannot_be_made_bad() -> None:
    async def story(chaos, _scheduler, _kubelet):
        with pytest.raises(errors.NotImplementedYet):
            await chaos.injector.set(
                pb.SetFaultRequest(id="d", seconds=1.0, disk=pb.DiskFault(full=True))
            )
        assert chaos.injector.states() == []

    run(story)


# ---- real sockets and a real file ----------------------------------------------------------------

TOKENS = {
    "admin": identity.User("kubernetes-admin", (identity.MASTERS,)),
    "guest": identity.User("guest", ("guests",)),
}


@asynccontextmanager
async def serving(store):
    config = Config(port=0, grpc_address="127.0.0.1:0", tokens=TOKENS)
    server = ApiServer(config, storage=store, clock=clock.SystemClock(), random=random.Random(1))
    async with tasks.Group("test") as group:
        task = group.spawn(server.run(), "apiserver")
        async with asyncio.timeout(20):
            await server.ready.wait()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            yield server, chaos_pb2_grpc.ChaosStub(channel)
        task.cancel()


def bearer(token):
    return (("authorization", f"Bearer {token}"),)


def test_only_administrators_are_served() -> None:
    async def main():
        async with serving(MemoryStorage()) as (server, stub):
            for token, code in (
                ("guest", grpc.StatusCode.PERMISSION_DENIED),
                ("nobody", grpc.StatusCode.UNAUTHENTICATED),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.SetFault(fault(code=500), metadata=bearer(token))
                assert caught.value.code() is code
            assert server.registry.faults is None
            await stub.SetFault(fault(code=500), metadata=bearer("admin"))
            assert len(server.registry.faults) == 1
            found = await stub.ListFaults(pb.ListFaultsRequest(), metadata=bearer("admin"))
            assert [one.id for one in found.faults] == ["f"]
            await stub.ClearFaults(pb.ClearFaultsRequest(), metadata=bearer("admin"))
            assert server.registry.faults is None

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_full_disk_refuses_writes_and_keeps_what_it_acknowledged(tmp_path) -> None:
    async def main():
        store = HurtableSqlite(tmp_path / "store.db")
        async with serving(store) as (server, stub):
            client = Client(DirectTransport(server.registry, TOKENS["admin"]))
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(client)
                full = pb.SetFaultRequest(id="d", seconds=60.0, disk=pb.DiskFault(full=True))
                await stub.SetFault(full, metadata=bearer("admin"))
                made, refused = [], ""
                for number in range(50):
                    big = pod(f"c{number}") | {"data": {"a": "x" * 20_000}}
                    try:
                        await client.create("configmaps", big)
                        made.append(f"c{number}")
                    except errors.StatusError as error:
                        refused = error.message
                        break
                assert refused == "the store is not available: database or disk is full"
                await stub.ClearFaults(pb.ClearFaultsRequest(ids=["d"]), metadata=bearer("admin"))
                await client.create("configmaps", pod("after"))
                names = {
                    one["metadata"]["name"]
                    for one in (await client.list("configmaps", "default")).items
                }
                assert {*made, "after"} <= names
                slow = pb.SetFaultRequest(id="s", seconds=60.0, disk=pb.DiskFault(latency=0.3))
                await stub.SetFault(slow, metadata=bearer("admin"))
                loop = asyncio.get_running_loop()
                began = loop.time()
                await client.create("configmaps", pod("slow"))
                assert loop.time() - began >= 0.3

    asyncio.run(asyncio.wait_for(main(), 60))
