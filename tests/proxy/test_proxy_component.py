"""kube-proxy between an API and a data plane that may fail, on virtual time."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from servicedocs import endpoint, endpoint_slice, service, takers

from cluster.aio import clock, rpc, tasks, virtual
from cluster.api import identity, resources
from cluster.apiserver import direct, registry
from cluster.client.client import Client
from cluster.pb.cluster.v1 import dataplane_pb2 as pb
from cluster.proxy.component import Proxy
from cluster.proxy.config import Config
from cluster.runtime.dataplane import DataPlane
from cluster.storage.memory import MemoryStorage

SLICES = "endpointslices.discovery.k8s.io"


class Machine:
    """A data plane that can be restarted, go away, and count what it is asked."""

    def __init__(self) -> None:
        self._generator = random.Random(7)
        self.plane = DataPlane(self._generator)
        self.away = False
        self.calls: list[str] = []

    def restart(self) -> None:
        self.plane.close()
        self.plane = DataPlane(self._generator)

    async def replace_services(
        self, requests: AsyncIterator[pb.ReplaceServicesRequest]
    ) -> pb.ServicesState:
        return await self._plane("replace").replace_services(requests)

    async def update_services(self, request: pb.UpdateServicesRequest) -> pb.UpdateServicesResponse:
        return await self._plane("update").update_services(request)

    async def watch_services(
        self, request: pb.WatchServicesRequest
    ) -> AsyncIterator[pb.ServicesState]:
        return await self._plane("").watch_services(request)

    def _plane(self, call: str) -> DataPlane:
        if self.away:
            raise rpc.Failure("UNAVAILABLE", "away")
        if call:
            self.calls.append(call)
        return self.plane


class World:
    def __init__(self, client: Client, machine: Machine, proxy: Proxy) -> None:
        self.client = client
        self.machine = machine
        self.proxy = proxy

    async def takers(self, key: str) -> list[str] | None:
        entry = self.machine.plane.services.get(key)
        return None if entry is None else takers(entry)

    async def until(self, key: str, expected: list[str] | None) -> None:
        async with asyncio.timeout(60):
            while await self.takers(key) != expected:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    wall = clock.LoopClock(asyncio.get_running_loop(), 1_700_000_000.0)
    api = registry.Registry(
        resources.built_in(), MemoryStorage(), clock=wall, random=random.Random(1)
    )
    await api.open()
    user = identity.User("admin", (identity.MASTERS, identity.AUTHENTICATED))
    machine = Machine()
    async with (
        Client(direct.DirectTransport(api, user), manager="test") as client,
        tasks.Group("world") as group,
    ):
        proxy = Proxy(
            Config(node_name="node-1"),
            client=client, dataplane=machine, clock=wall, random=random.Random(2),
        )  # fmt: skip
        running = group.spawn(proxy.run(), "proxy")
        async with asyncio.timeout(60):
            await proxy.ready.wait()
        yield World(client, machine, proxy)
        running.cancel()


def run(scenario: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        async with world() as one:
            await scenario(one)

    virtual.run(main())


async def _web(one: World) -> None:
    await one.client.create("services", service(selector={"app": "web"}))
    await one.client.create(SLICES, endpoint_slice("web-1", endpoint("10.0.0.1")))
    await one.until("default/web", ["10.0.0.1:8080"])


def test_services_and_endpoints_reach_the_data_plane_and_leave_it() -> None:
    async def scenario(one: World) -> None:
        await _web(one)
        patch = {"endpoints": [endpoint("10.0.0.2")]}
        await one.client.patch(SLICES, "web-1", patch, "default")
        await one.until("default/web", ["10.0.0.2:8080"])
        await one.client.delete("services", "web", "default")
        await one.until("default/web", None)

    run(scenario)


def test_changes_that_come_together_are_programmed_together() -> None:
    async def scenario(one: World) -> None:
        await _web(one)
        one.machine.calls.clear()
        for last in range(2, 12):
            patch = {"endpoints": [endpoint(f"10.0.0.{last}")]}
            await one.client.patch(SLICES, "web-1", patch, "default")
        await one.until("default/web", ["10.0.0.11:8080"])
        assert one.machine.calls == ["update"]

    run(scenario)


def test_a_data_plane_that_starts_anew_gets_the_whole_table_at_once() -> None:
    async def scenario(one: World) -> None:
        await _web(one)
        one.machine.calls.clear()
        one.machine.restart()
        assert await one.takers("default/web") is None
        await one.until("default/web", ["10.0.0.1:8080"])
        assert one.machine.calls == ["replace"]

    run(scenario)


def test_a_data_plane_that_is_away_is_programmed_when_it_is_back() -> None:
    async def scenario(one: World) -> None:
        await _web(one)
        one.machine.away = True
        one.machine.restart()
        patch = {"endpoints": [endpoint("10.0.0.2")]}
        await one.client.patch(SLICES, "web-1", patch, "default")
        await asyncio.sleep(30)
        one.machine.away = False
        await one.until("default/web", ["10.0.0.2:8080"])

    run(scenario)


def test_a_table_that_somebody_else_changed_is_sent_in_full() -> None:
    async def scenario(one: World) -> None:
        await _web(one)
        other = pb.UpdateServicesRequest(expected=one.machine.plane.state, removed=["default/web"])
        assert (await one.machine.plane.update_services(other)).applied
        await one.client.create("services", service("b", clusterIP="10.96.0.11"))
        await one.until("default/b", [])
        assert await one.takers("default/web") == ["10.0.0.1:8080"]

    run(scenario)


def test_headless_services_and_those_of_other_proxies_are_passed_over() -> None:
    async def scenario(one: World) -> None:
        foreign = service("foreign", clusterIP="10.96.0.12")
        foreign["metadata"]["labels"] = {"service.kubernetes.io/service-proxy-name": "mesh"}
        await one.client.create("services", foreign)
        await one.client.create("services", service("headless", clusterIP="None"))
        await _web(one)
        keys = [key for key in one.machine.plane.services if key != "default/kubernetes:https"]
        assert keys == ["default/web"]

    run(scenario)


def test_an_idle_proxy_sets_no_timers() -> None:
    async def scenario(one: World) -> None:
        await _web(one)
        await asyncio.sleep(1)
        loop = asyncio.get_running_loop()
        ticks = 0
        real = loop.call_at

        def counting(*args: Any, **kwargs: Any) -> asyncio.TimerHandle:
            nonlocal ticks
            ticks += 1
            return real(*args, **kwargs)

        loop.call_at = counting  # type: ignore[method-assign]
        await asyncio.sleep(600)
        assert ticks < 50

    run(scenario)


@pytest.mark.parametrize(
    "bad", [{"node_name": ""}, {"min_sync_period": -1}, {"call_timeout": 0}, {"longest_retry": 0}]
)
def test_a_bad_config_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Config(**({"node_name": "node-1"} | bad))


def test_the_zone_of_the_node_chooses_among_hinted_endpoints() -> None:
    def zoned(address: str, zone: str) -> dict[str, Any]:
        return endpoint(address) | {"hints": {"forZones": [{"name": zone}]}}

    async def scenario(one: World) -> None:
        await _web(one)
        labels = {"topology.kubernetes.io/zone": "b"}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}
        node["metadata"]["labels"] = labels
        await one.client.create("nodes", node)
        await one.client.create("nodes", {"apiVersion": "v1", "kind": "Node",
                                          "metadata": {"name": "node-2"}})  # fmt: skip
        patch = {"endpoints": [zoned("10.0.0.1", "a"), zoned("10.0.0.2", "b")]}
        await one.client.patch(SLICES, "web-1", patch, "default")
        await one.until("default/web", ["10.0.0.2:8080"])
        patch = {"metadata": {"labels": {"topology.kubernetes.io/zone": "a"}}}
        await one.client.patch("nodes", "node-1", patch)
        await one.until("default/web", ["10.0.0.1:8080"])

    run(scenario)
