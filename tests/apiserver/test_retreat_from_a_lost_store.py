"""An API server that lost the store which it shares: its gRPC clients go to another one."""

import asyncio
import random
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import registry_world as rw
import shared_world as sw

from cluster.aio import clock, tasks, virtual
from cluster.aio.grpcserver import ServerTls
from cluster.api import errors, identity
from cluster.apiserver import retreating
from cluster.apiserver.component import ApiServer
from cluster.apiserver.config import Config
from cluster.client import channel, informer
from cluster.client.client import Client
from cluster.client.grpc_transport import GrpcTransport
from cluster.launcher import pki
from cluster.storage.interface import Unavailable

NOW = clock.SystemClock().now()
AUTHORITY = pki.Authority.create(NOW)


class Link(sw.View):
    """A server's connection to the store, which can be cut."""

    def __init__(self, behind: sw.Shared) -> None:
        super().__init__(behind, lambda: 0.001)
        self.cut = False

    def _checked(self) -> None:
        if self.cut:
            raise Unavailable("etcd does not answer")

    async def newest(self) -> int:
        self._checked()
        return await super().newest()

    async def write(self, changes: Any) -> Any:
        self._checked()
        return await super().write(changes)

    async def turn(self, _revision: int) -> bool:
        return False

    async def lasting(self) -> None:
        await asyncio.get_running_loop().create_future()

    def lose(self) -> None:
        self.cut = True
        self.hold()

    def heal(self) -> None:
        self.cut = False
        self.flow()


class Times:
    """How long a retreat on virtual time takes to see what happens."""

    def __init__(self, link: Link, *, others: bool = True) -> None:
        self.retreat = retreating.Retreat(link, lambda: others, lambda: None)
        self.link = link

    async def lost(self, seconds: float) -> bool:
        """Whether it takes the store for lost within this time."""
        try:
            await asyncio.wait_for(self.retreat.lost(), seconds)
        except TimeoutError:
            return False
        return True


def test_the_store_is_lost_after_a_while_and_not_by_an_election():
    async def story() -> None:
        loop = asyncio.get_running_loop()
        link = Link(sw.Shared())
        times = Times(link)
        assert not await times.lost(60)
        loop.call_later(5, link.lose)
        loop.call_later(12, link.heal)
        loop.call_later(16, link.lose)
        loop.call_later(22, link.heal)
        assert not await times.lost(60)
        link.cut = True
        began = loop.time()
        assert await times.lost(60)
        assert 10 <= loop.time() - began <= 13
        loop.call_later(7, link.heal)
        await times.retreat.found()
        assert not link.cut

    virtual.run(story())


def test_a_store_that_says_nothing_is_lost_too():
    async def story() -> None:
        link = Link(sw.Shared())

        async def silent() -> int:
            return await asyncio.get_running_loop().create_future()

        link.newest = silent  # type: ignore[method-assign]
        assert await Times(link).lost(30)

    virtual.run(story())


def test_who_knows_of_no_other_server_stays():
    async def story() -> None:
        link = Link(sw.Shared())
        link.cut = True
        assert not await Times(link, others=False).lost(120)

    virtual.run(story())


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def config_map(name: str) -> dict[str, Any]:
    return rw.config_map(name) | {"metadata": {"name": name, "namespace": "default"}}


class Servers:
    """Two API servers on one store, their links to it, and a client of both."""

    def __init__(self) -> None:
        self.behind = sw.Shared()
        self.links = [Link(self.behind), Link(self.behind)]
        self.servers: list[ApiServer] = []

    async def start(self, group: tasks.Group) -> None:
        own = AUTHORITY.serving("apiserver", ["127.0.0.1"], NOW)
        tls = ServerTls(own.certificate, own.key, AUTHORITY.pem)
        for number, link in enumerate(self.links):
            config = Config(
                port=_free_port(), grpc_address="127.0.0.1:0", grpc_tls=tls, advertise="127.0.0.1"
            )
            server = ApiServer(
                config, storage=link, clock=clock.SystemClock(), random=random.Random(number)
            )
            self.servers.append(server)
            group.spawn(server.run(), f"apiserver-{number}")
            await server.ready.wait()

    def channel(self, *numbers: int) -> Any:
        pair = AUTHORITY.client(pki.Subject("admin", (identity.MASTERS,)), NOW)
        tls = channel.ChannelTls(AUTHORITY.pem, pair.certificate, pair.key)
        return channel.connect([f"127.0.0.1:{self.servers[n].grpc_port}" for n in numbers], tls)


@asynccontextmanager
async def serving():
    found = Servers()
    async with AsyncExitStack() as stack:
        group = await stack.enter_async_context(tasks.Group("servers"))
        stack.callback(group.cancel)
        await found.start(group)
        yield found


def test_its_clients_go_on_at_another_and_it_serves_again_when_the_store_is_back(monkeypatch):
    monkeypatch.setattr(retreating, "LOST_SECONDS", 0.5)
    monkeypatch.setattr(retreating, "LOOK_SECONDS", 0.1)

    async def story() -> None:
        seen: list[str] = []
        async with (
            asyncio.timeout(30),
            serving() as world,
            world.channel(0, 1) as connected,
            Client(GrpcTransport(connected, others=True)) as client,
            tasks.Group("test") as group,
        ):
            follower = informer.Informer(client, "configmaps", namespace="default")
            follower.on_change(lambda change: seen.append(change.object["metadata"]["name"]))
            following = group.spawn(follower.run(), "watch")
            await follower.synced()
            await client.create("configmaps", config_map("before"))
            world.links[0].lose()
            with pytest.raises(errors.ServiceUnavailable, match="the store is not available: etcd"):
                await client.create("configmaps", config_map("refused"))
            while True:
                try:
                    await client.create("configmaps", config_map("after"))
                    break
                except errors.ServiceUnavailable:
                    await asyncio.sleep(0.05)
            while "after" not in seen:
                await asyncio.sleep(0.02)
            assert seen == ["before", "after"]
            world.links[0].heal()
            async with world.channel(0) as back, Client(GrpcTransport(back)) as other:
                assert await other.get("configmaps", "after", "default")
            following.cancel()

    asyncio.run(story())
