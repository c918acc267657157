"""How long after a change of an endpoint new connections follow it, on a hundred nodes.

Their kube-proxies and data planes run in one process beside the API server, as those of hollow
nodes do; each change is written to the API, and each node is looked at until its NAT decides by it.
"""

import asyncio
import logging
import random
from collections.abc import Iterator
from typing import Any, Final

import structlog

from benchmarks.figures import Figure, Outcome
from cluster.aio import clock, tasks
from cluster.api import identity, resources
from cluster.apiserver import direct, registry
from cluster.client.client import Client
from cluster.network.stack.nat import hooks
from cluster.network.wire import addresses
from cluster.proxy.component import Proxy
from cluster.proxy.config import Config
from cluster.runtime.dataplane import DataPlane
from cluster.runtime.network import serviceentries
from cluster.storage.memory import MemoryStorage

_NODES: Final = 100
_SERVICES: Final = 50
_CHANGES: Final = 100
_PAUSE: Final = 0.12
"""Seconds between changes: the proxies rest in between, as they mostly do."""
_SLICES: Final = "endpointslices.discovery.k8s.io"
_KEY: Final = "default/s0"


def programming() -> Iterator[Outcome]:
    """The slowest of a hundred, of what all nodes took for all changes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    times = sorted(asyncio.run(_measure()))
    name = f"network: endpoint to traffic, {_NODES} nodes, p99"
    yield Figure(name, times[len(times) * 99 // 100] * 1e3, "ms", 300, lower=True)


class _Machine:
    """A node's data plane as far as NAT goes. See `dataplane.Listener`."""

    def __init__(self, number: int) -> None:
        self.plane = DataPlane(random.Random(number))
        self.plane.listener = self
        network = addresses.prefix(f"10.244.{number}.0/24")
        settings = hooks.Settings(addresses.prefix("10.244.0.0/16"), network)
        self.nat = hooks.Nat(settings, random.Random(number))
        self.seen: dict[int, float] = {}
        """When each port of the endpoint that is changed came."""

    def replaced(self, services: Any) -> None:
        self.nat.replace_services(0.0, filter(None, map(serviceentries.entry, services)))
        self._look()

    def updated(self, put: Any, removed: Any) -> None:
        self.nat.update_services(0.0, filter(None, map(serviceentries.entry, put)), removed)
        self._look()

    def _look(self) -> None:
        service = self.nat.services.services.get(_KEY)
        now = asyncio.get_running_loop().time()
        for one in service.internal if service is not None else ():
            self.seen.setdefault(one.port, now)


async def _measure() -> list[float]:
    machines = [_Machine(number) for number in range(_NODES)]
    wall = clock.SystemClock()
    api = registry.Registry(
        resources.built_in(), MemoryStorage(), clock=wall, random=random.Random(1)
    )
    await api.open()
    user = identity.User("admin", (identity.MASTERS, identity.AUTHENTICATED))
    async with (
        Client(direct.DirectTransport(api, user), manager="bench") as client,
        tasks.Group("nodes") as group,
    ):
        for number in range(_SERVICES):
            await client.create("services", _service(number))
            await client.create(_SLICES, _slice(number))
        proxies = [_proxy(client, wall, number, one) for number, one in enumerate(machines)]
        for number, proxy in enumerate(proxies):
            group.spawn(proxy.run(), f"proxy/{number}")
        for proxy in proxies:
            await proxy.ready.wait()
        times = await _change(client, machines)
        group.cancel()
    return times


def _proxy(client: Client, wall: clock.Clock, number: int, machine: _Machine) -> Proxy:
    return Proxy(
        Config(node_name=f"node-{number}"), client=client, dataplane=machine.plane, clock=wall,
        random=random.Random(number),
    )  # fmt: skip


async def _change(client: Client, machines: list[_Machine]) -> list[float]:
    """Seconds from each change to each node's."""
    loop = asyncio.get_running_loop()
    begun: dict[int, float] = {}
    for port in range(1000, 1000 + _CHANGES):
        begun[port] = loop.time()
        patch = {"ports": [{"name": "", "port": port, "protocol": "TCP"}]}
        await client.patch(_SLICES, "s0", patch, "default")
        await asyncio.sleep(_PAUSE)
    await asyncio.sleep(1)
    # A change that is overtaken by the next one is there with that.
    times: list[float] = []
    for machine in machines:
        for port, start in begun.items():
            came = [at for other, at in machine.seen.items() if other >= port]
            times.append(min(came, default=float("inf")) - start)
    return times


def _service(number: int) -> dict[str, Any]:
    spec = {"clusterIP": f"10.96.1.{number + 1}", "ports": [{"port": 80}], "selector": {"a": "b"}}
    meta = {"name": f"s{number}", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def _slice(number: int) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": f"s{number}"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"s{number}", "namespace": "default", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 999, "protocol": "TCP"}],
        "endpoints": [{"addresses": [f"10.244.{last}.9"]} for last in range(10)],
    }
