"""Hollow nodes share one network: their pods reach each other, those of others, and are reached."""

import random
from collections.abc import Awaitable, Callable

import pytest
from networkworld import CLUSTER, Node, World, on_nodes

from cluster.pb.cluster.v1 import dataplane_pb2 as services
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.pb.cri.v1 import api_pb2 as cri
from cluster.runtime.config import Config
from cluster.runtime.dataplane import DataPlane
from cluster.runtime.network.fleet import Fleet
from cluster.runtime.overlay import Tables

BACKENDS = pytest.mark.parametrize("backend", [pb.VXLAN, pb.ROUTED], ids=["vxlan", "routed"])
ADDRESS = "127.1.192.1"


class Hollow:
    """The first two nodes of a world as nodes of one process, the third as it is."""

    def __init__(self, world: World) -> None:
        self.nodes, self.other = world.nodes[:2], world.nodes[2]
        self.plane = DataPlane(random.Random(5))
        config = Config(node_name="hollow", node_ip=ADDRESS)
        self.fleet = Fleet(config, self.plane, random.Random(6), world.wire)
        self.backend = pb.VXLAN

    async def up(self, backend: pb.Backend) -> None:
        for node in self.nodes:
            node.plant.down()
            self.fleet.add(node.cri.spaces.bridge)
        settings = pb.OverlaySettings(
            backend=backend, network=CLUSTER, cluster_network=CLUSTER, address=ADDRESS,
            node="hollow",
        )  # fmt: skip
        vtep = await self.fleet.up(settings)
        peers = {
            node.name: pb.Peer(
                name=node.name, address=ADDRESS, network=node.cidr, vtep_mac=vtep.mac
            )
            for node in self.nodes
        }
        self.other.plant.program(Tables(peers), None)
        self.program()

    def program(self, *policies: pb.Policy) -> None:
        other = self.other.peer()
        self.fleet.program(
            Tables({other.name: other}, {}, {one.key: one for one in policies}), None
        )


def on_hollow_nodes(
    story: Callable[[Hollow], Awaitable[None]], backend: pb.Backend = pb.VXLAN
) -> None:
    async def main(world: World) -> None:
        hollow = Hollow(world)
        await hollow.up(backend)
        try:
            await story(hollow)
        finally:
            hollow.fleet.down()

    on_nodes(3, main, backend)


async def webs(nodes: list[Node]) -> list[str]:
    """A web server on each node; their addresses."""
    for node in nodes:
        await node.run("web", "nginx", ports=(80,))
    return [node.address("web") for node in nodes]


async def reached(node: Node, cid: str, where: str) -> bool:
    said = await node.sh(cid, f"wget -q -T 2 -O- http://{where}/ 2>&1")
    assert "Welcome to nginx" in said or "timed out" in said, said
    return "Welcome" in said


@BACKENDS
def test_pods_of_hollow_nodes_and_others_reach_each_other(backend: pb.Backend) -> None:
    async def story(hollow: Hollow) -> None:
        nodes = [*hollow.nodes, hollow.other]
        addresses = await webs(nodes)
        assert len({address.rpartition(".")[0] for address in addresses}) == 3
        for node in nodes:
            cid = await node.run("client", "busybox", "sleep", "99999")
            for address in addresses:
                assert await reached(node, cid, address), (node.name, address)

    on_hollow_nodes(story, backend)


def test_a_pod_that_is_gone_is_reached_no_more() -> None:
    async def story(hollow: Hollow) -> None:
        first, second = hollow.nodes
        (address,) = await webs([second])
        cid = await first.run("client", "busybox", "sleep", "99999")
        assert await reached(first, cid, address)
        await second.cri.remove_pod_sandbox(
            cri.RemovePodSandboxRequest(pod_sandbox_id=second.pods["web"])
        )
        said = await first.sh(cid, f"wget -q -T 2 -O- http://{address}/ 2>&1")
        assert "Welcome" not in said

    on_hollow_nodes(story)


def test_policies_and_services_hold_for_all_of_them() -> None:
    async def story(hollow: Hollow) -> None:
        first, second = hollow.nodes
        (address,) = await webs([second])
        place = services.Endpoint(
            address=address, port=80, ready=True, serving=True, internal=True, external=True
        )
        entry = services.ServicePort(
            key="d/web", namespace="d", name="web", protocol=services.TCP,
            cluster_ips=["10.96.0.7"], port=80, endpoints=[place],
        )  # fmt: skip
        await hollow.plane.update_services(
            services.UpdateServicesRequest(expected=hollow.plane.state, set=[entry])
        )
        cid = await first.run("client", "busybox", "sleep", "99999")
        assert await reached(first, cid, "10.96.0.7")
        hollow.program(pb.Policy(key="d/deny", addresses=[address], ingress=True))
        assert not await reached(first, cid, "10.96.0.7")
        assert not await reached(first, cid, address)
        hollow.program()
        assert await reached(first, cid, address)

    on_hollow_nodes(story)


def test_a_mesh_has_no_hollow_nodes() -> None:
    async def story(hollow: Hollow) -> None:
        settings = pb.OverlaySettings(backend=pb.MESH, network=CLUSTER, address=ADDRESS)
        with pytest.raises(ValueError, match="vxlan and routed alone"):
            await hollow.fleet.up(settings)

    on_hollow_nodes(story)
