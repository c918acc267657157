"""Nodes with pods that reach each other over a wire in memory, on virtual time."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable

from podworld import EPOCH
from podworld import Node as Pods

from cluster.aio import clock, virtual
from cluster.network.underlay import MemoryUnderlay, Underlay
from cluster.pb.cluster.v1 import dataplane_pb2 as services
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.runtime.config import Config
from cluster.runtime.dataplane import DataPlane
from cluster.runtime.network.plant import Plant
from cluster.runtime.overlay import Tables
from cluster.runtime.service import CriService

CLUSTER = "10.244.0.0/16"


class Node(Pods):
    """A machine: a runtime with pods, and its network."""

    def __init__(self, number: int, wire: Underlay, machine: str = "127.1.0") -> None:
        loop = asyncio.get_running_loop()
        self.name = f"node-{number}"
        self.ip = f"{machine}.{number + 1}"
        self.cidr = f"10.244.{number}.0/24"
        config = Config(
            node_name=self.name, pod_cidr=self.cidr, node_ip=self.ip, host_gateway=f"{machine}.1"
        )
        self.cri = CriService(
            config, clock=clock.LoopClock(loop, EPOCH), random=random.Random(number)
        )
        self.pods: dict[str, str] = {}
        self.plane = DataPlane(random.Random(number))
        generator = random.Random(100 + number)
        self.plant = Plant(config, self.cri.spaces, self.plane, generator, wire)
        self.vtep = pb.Vtep()

    async def up(self, backend: pb.Backend) -> None:
        settings = pb.OverlaySettings(
            backend=backend, network=self.cidr, cluster_network=CLUSTER, address=self.ip,
            node=self.name,
        )  # fmt: skip
        self.vtep = await self.plant.up(settings)

    def peer(self) -> pb.Peer:
        """How others have this node."""
        return pb.Peer(name=self.name, address=self.ip, network=self.cidr, vtep_mac=self.vtep.mac)

    async def programmed(self, *entries: services.ServicePort) -> None:
        """Have a service table."""

        async def chunks() -> Iterable[services.ReplaceServicesRequest]:
            yield services.ReplaceServicesRequest(services=entries)

        await self.plane.replace_services(chunks())


class World:
    """Nodes that know each other."""

    def __init__(self, count: int) -> None:
        self.wire = MemoryUnderlay(random.Random(7), mtu=65535)
        self.nodes = [Node(number + 1, self.wire) for number in range(count)]

    async def up(self, backend: pb.Backend = pb.VXLAN) -> None:
        """Bring the network up."""
        for node in self.nodes:
            await node.up(backend)
        for node in self.nodes:
            peers = {one.name: one.peer() for one in self.nodes if one is not node}
            node.plant.program(Tables(peers), None)

    async def programmed(self, *entries: services.ServicePort) -> None:
        """Give every node a service table; endpoints are local where they are."""
        for node in self.nodes:
            await node.programmed(*(_seen_by(node, entry) for entry in entries))

    def close(self) -> None:
        """End all."""
        for node in self.nodes:
            node.plant.down()
            node.cri.close()


def _seen_by(node: Node, entry: services.ServicePort) -> services.ServicePort:
    seen = services.ServicePort()
    seen.CopyFrom(entry)
    for one in seen.endpoints:
        one.local = one.address.startswith(node.cidr.rpartition(".")[0] + ".")
    return seen


def on_nodes(
    count: int, story: Callable[[World], Awaitable[None]], backend: pb.Backend = pb.VXLAN
) -> None:
    """Run a story on virtual time; nothing may be left of it afterwards."""

    async def main() -> None:
        world = World(count)
        await world.up(backend)
        try:
            await story(world)
        finally:
            world.close()
        await asyncio.sleep(1)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert not left

    virtual.run(main())
