"""The agent of the pod network between an API and a data plane that may fail, on virtual time."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cluster.aio import clock, rpc, tasks, virtual
from cluster.api import identity, resources
from cluster.apiserver import direct, registry
from cluster.client.client import Client
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.proxy.config import Config
from cluster.proxy.overlay import nodes
from cluster.proxy.overlay.agent import Agent
from cluster.runtime.overlay import Overlay, Tables
from cluster.storage.memory import MemoryStorage

POLICIES = "networkpolicies.networking.k8s.io"
MAC = bytes.fromhex("0212a4b8c001")


class Carried:
    """Stands in for the cores: notes what it is told."""

    def __init__(self) -> None:
        self.settings: list[pb.OverlaySettings] = []
        self.changes: list[pb.UpdateOverlayRequest | None] = []
        self.vtep = pb.Vtep(mac=MAC, vxlan_port=4789, cable_port=4790, mtu=1450)

    async def up(self, settings: pb.OverlaySettings) -> pb.Vtep:
        self.settings.append(settings)
        return self.vtep

    def program(self, tables: Tables, change: pb.UpdateOverlayRequest | None) -> None:
        self.changes.append(change)


class Machine:
    """A data plane that can be restarted, and go away. `calls` are those that change something."""

    def __init__(self) -> None:
        self._random = random.Random(7)
        self.carried = Carried()
        self.overlay = Overlay(self._random, self.carried)
        self.away = False

    def restart(self) -> None:
        self.overlay.close()
        self.carried = Carried()
        self.overlay = Overlay(self._random, self.carried)

    def __getattr__(self, name: str) -> Any:
        async def call(request: Any) -> Any:
            if self.away:
                raise rpc.Failure("UNAVAILABLE", "away")
            return await getattr(self.overlay, name)(request)

        return call


class World:
    def __init__(self, client: Client, machine: Machine, agent: Agent, reads: list[str]) -> None:
        self.client = client
        self.machine = machine
        self.agent = agent
        self.watched = reads

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.01)

    async def node(self, number: int, **annotations: str | None) -> None:
        """Register a node as kubelet and controller leave it, and its agent where told."""
        name = f"node-{number}"
        made = {
            "metadata": {"name": name, "annotations": annotations},
            "spec": {"podCIDR": f"10.244.{number}.0/24", "podCIDRs": [f"10.244.{number}.0/24"]},
            "status": {"addresses": [{"type": "InternalIP", "address": f"127.9.0.{number + 1}"}]},
        }
        await self.client.create("nodes", made)

    async def peer(self, number: int) -> None:
        data = f'{{"VNI":1,"VtepMAC":"02:00:00:00:00:{number:02x}"}}'
        told = {
            nodes.BACKEND_TYPE: "vxlan", nodes.BACKEND_DATA: data,
            nodes.PUBLIC_IP: f"127.9.0.{number + 1}",
        }  # fmt: skip
        await self.node(number, **told)

    async def pod(self, name: str, address: str, node: str = "node-1", **labels: str) -> None:
        made = {
            "metadata": {"name": name, "labels": labels},
            "spec": {"nodeName": node, "containers": [{"name": "c", "image": "nginx"}]},
        }
        await self.client.create(
            "pods", {**made, "metadata": {**made["metadata"], "namespace": "default"}}
        )
        status = {"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}}
        await self.client.patch("pods", name, status, "default", subresource="status")

    def peers(self) -> list[str]:
        return sorted(self.machine.overlay.tables.peers)


class _Client(Client):
    """Notes which resources are watched."""

    watched: list[str]

    async def follow(self, resource: str, *args: Any, **kwargs: Any) -> None:
        self.watched.append(resource)
        try:
            await super().follow(resource, *args, **kwargs)
        finally:
            self.watched.remove(resource)


@asynccontextmanager
async def world(**settings: Any) -> AsyncIterator[World]:
    wall = clock.LoopClock(asyncio.get_running_loop(), 1_700_000_000.0)
    api = registry.Registry(
        resources.built_in(), MemoryStorage(), clock=wall, random=random.Random(1)
    )
    await api.open()
    user = identity.User("admin", (identity.MASTERS, identity.AUTHENTICATED))
    machine = Machine()
    client = _Client(direct.DirectTransport(api, user), manager="test")
    client.watched = []
    async with client, tasks.Group("world") as group:
        agent = Agent(
            Config(node_name="node-1", cluster_cidr="10.244.0.0/16", **settings),
            client=client, plane=machine, clock=wall, random=random.Random(2),
        )  # fmt: skip
        running = group.spawn(agent.run(), "agent")
        yield World(client, machine, agent, client.watched)
        running.cancel()


def run(scenario: Callable[[World], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with world(**settings) as one:
            await scenario(one)

    virtual.run(main())


def test_a_node_that_has_address_and_range_is_brought_up_and_says_how_it_is_reached() -> None:
    async def scenario(one: World) -> None:
        await asyncio.sleep(5)
        assert not one.agent.ready.is_set(), "there is no Node yet"
        await one.node(1)
        await one.until(one.agent.ready.is_set)
        assert one.machine.carried.settings == [
            pb.OverlaySettings(
                backend=pb.VXLAN, network="10.244.1.0/24", cluster_network="10.244.0.0/16",
                address="127.9.0.2", vni=1, node="node-1",
            )
        ]  # fmt: skip
        await asyncio.sleep(1)
        node = await one.client.get("nodes", "node-1")
        assert node["metadata"]["annotations"] == {
            "flannel.alpha.coreos.com/backend-data": '{"VNI":1,"VtepMAC":"02:12:a4:b8:c0:01"}',
            "flannel.alpha.coreos.com/backend-type": "vxlan",
            "flannel.alpha.coreos.com/kube-subnet-manager": "true",
            "flannel.alpha.coreos.com/public-ip": "127.9.0.2",
        }
        (condition,) = node["status"]["conditions"]
        assert (condition["type"], condition["status"]) == ("NetworkUnavailable", "False")
        assert condition["reason"] == "FlannelIsUp"
        revision = node["metadata"]["resourceVersion"]
        await asyncio.sleep(600)
        node = await one.client.get("nodes", "node-1")
        assert node["metadata"]["resourceVersion"] == revision, "it writes what is there already"

    run(scenario)


def test_nodes_that_share_a_data_plane_are_told_of_one_by_one() -> None:
    async def scenario(one: World) -> None:
        await one.until(one.agent.ready.is_set)
        (settings,) = one.machine.carried.settings
        assert (settings.address, settings.network) == ("127.9.192.1", "10.244.0.0/16")
        for number in (5, 6, 7):
            await one.node(number)
        await one.pod("web", "10.244.6.2", "node-6", app="web")
        await one.peer(2)
        await one.until(lambda: one.peers() == ["node-2"])
        await asyncio.sleep(2)
        for number, address in ((5, "127.9.192.1"), (6, "127.9.192.1"), (7, None)):
            node = await one.client.get("nodes", f"node-{number}")
            assert node["metadata"].get("annotations", {}).get(nodes.PUBLIC_IP) == address
        policy = {
            "metadata": {"name": "web", "namespace": "default"}, "spec": {"podSelector": {}},
        }  # fmt: skip
        await one.client.create(POLICIES, policy)
        await one.until(lambda: one.machine.overlay.tables.policies)
        (entry,) = one.machine.overlay.tables.policies.values()
        assert list(entry.addresses) == ["10.244.6.2"]

    run(scenario, nodes=("node-5", "node-6"), address="127.9.192.1")


def test_annotations_that_go_come_back() -> None:
    async def scenario(one: World) -> None:
        await one.node(1)
        await one.until(one.agent.ready.is_set)
        await one.client.delete("nodes", "node-1")
        await one.node(1)
        await asyncio.sleep(2)
        node = await one.client.get("nodes", "node-1")
        assert node["metadata"]["annotations"][nodes.PUBLIC_IP] == "127.9.0.2"

    run(scenario)


def test_nodes_come_change_and_go_as_peers() -> None:
    async def scenario(one: World) -> None:
        await one.node(1)
        await one.peer(2)
        await one.node(3)
        await one.until(lambda: one.peers() == ["node-2"])
        peer = one.machine.overlay.tables.peers["node-2"]
        assert (peer.address, peer.network, peer.vxlan_port) == ("127.9.0.3", "10.244.2.0/24", 4789)
        await one.peer(4)
        await one.until(lambda: one.peers() == ["node-2", "node-4"])
        await one.client.delete("nodes", "node-2")
        await one.until(lambda: one.peers() == ["node-4"])
        assert one.machine.carried.changes[-1] == pb.UpdateOverlayRequest(
            expected=one.machine.carried.changes[-1].expected, removed_peers=["node-2"]
        )

    run(scenario)


def test_pods_and_namespaces_are_watched_as_long_as_there_is_a_policy() -> None:
    async def scenario(one: World) -> None:
        await one.node(1)
        await one.pod("web", "10.244.1.2", app="web")
        await one.until(one.agent.ready.is_set)
        assert sorted(one.watched) == [POLICIES, "nodes"]
        rule = {"from": [{"podSelector": {"matchLabels": {"app": "client"}}}]}
        spec = {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [rule]}
        policy = {"metadata": {"name": "web", "namespace": "default"}, "spec": spec}
        await one.client.create(POLICIES, policy)
        tables = one.machine.overlay
        await one.until(lambda: tables.tables.policies)
        assert list(tables.tables.policies["default/web"].addresses) == ["10.244.1.2"]
        await one.pod("client", "10.244.2.7", "node-2", app="client")
        key = "pods app=client in namespace default"
        await one.until(lambda: list(tables.tables.sets[key].addresses) == ["10.244.2.7"])
        assert sorted(one.watched) == ["namespaces", POLICIES, "nodes", "pods"]
        await one.client.delete(POLICIES, "web", "default")
        await one.until(lambda: not tables.tables.policies and not tables.tables.sets)
        await asyncio.sleep(0.1)
        assert sorted(one.watched) == [POLICIES, "nodes"]

    run(scenario)


def test_a_data_plane_that_begins_anew_is_configured_and_programmed_anew() -> None:
    async def scenario(one: World) -> None:
        await one.node(1)
        await one.peer(2)
        await one.until(lambda: one.peers() == ["node-2"])
        one.machine.restart()
        one.machine.carried.vtep.mac = bytes.fromhex("021234567890")
        await one.until(lambda: one.peers() == ["node-2"])
        assert one.machine.carried.changes == [None]
        await asyncio.sleep(2)
        node = await one.client.get("nodes", "node-1")
        assert "02:12:34:56:78:90" in node["metadata"]["annotations"][nodes.BACKEND_DATA]

    run(scenario)


def test_what_happens_while_the_data_plane_is_away_is_programmed_afterwards() -> None:
    async def scenario(one: World) -> None:
        await one.node(1)
        await one.until(one.agent.ready.is_set)
        one.machine.away = True
        await one.peer(2)
        await asyncio.sleep(20)
        assert one.peers() == []
        one.machine.away = False
        await one.until(lambda: one.peers() == ["node-2"])

    run(scenario)


def test_a_machine_without_an_overlay_is_left_alone() -> None:
    async def scenario(one: World) -> None:
        one.machine.overlay = Overlay(random.Random(1), None)
        await one.node(1)
        await one.until(one.agent.ready.is_set)
        await asyncio.sleep(60)
        assert one.watched == []
        node = await one.client.get("nodes", "node-1")
        assert nodes.PUBLIC_IP not in node["metadata"].get("annotations", {})

    run(scenario)


def test_with_another_back_end_nodes_of_the_first_are_no_peers() -> None:
    async def scenario(one: World) -> None:
        await one.node(1)
        await one.peer(2)
        told = {nodes.BACKEND_TYPE: "routed", nodes.PUBLIC_IP: "127.9.0.4"}
        await one.node(3, **told)
        await one.until(lambda: one.peers() == ["node-3"])
        assert one.machine.carried.settings[0].backend == pb.ROUTED

    run(scenario, network_backend="routed")


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, "02:00:00:00:00:02@127.9.0.3:4789/4790"),
        (
            {nodes.UNDERLAY: '{"host":"127.0.0.1","vxlanPort":40001,"cablePort":40002}'},
            "02:00:00:00:00:02@127.0.0.1:40001/40002",
        ),
        ({nodes.UNDERLAY: "[" * 100_000}, "02:00:00:00:00:02@127.9.0.3:4789/4790"),
        ({nodes.UNDERLAY: '{"host":7,"vxlanPort":-1}'}, "02:00:00:00:00:02@127.9.0.3:4789/4790"),
        ({nodes.BACKEND_DATA: "null"}, ""),
        ({nodes.BACKEND_DATA: '{"VtepMAC":"03:00:00:00:00:02"}'}, ""),
        ({nodes.BACKEND_DATA: '{"VtepMAC":"zz"}'}, ""),
        ({nodes.PUBLIC_IP: "fd00::1"}, ""),
        ({nodes.BACKEND_TYPE: "host-gw"}, ""),
    ],
)
def test_annotations_of_others_are_read_with_care(
    annotations: dict[str, str], expected: str
) -> None:
    told = {
        nodes.BACKEND_TYPE: "vxlan", nodes.PUBLIC_IP: "127.9.0.3",
        nodes.BACKEND_DATA: '{"VNI":1,"VtepMAC":"02:00:00:00:00:02"}',
    }  # fmt: skip
    node = {
        "metadata": {"name": "node-2", "annotations": told | annotations},
        "spec": {"podCIDR": "10.244.2.0/24"},
    }
    peer = nodes.peer(node, pb.VXLAN)
    shown = ""
    if peer is not None:
        where = peer.host or peer.address
        shown = f"{peer.vtep_mac.hex(':')}@{where}:{peer.vxlan_port}/{peer.cable_port}"
    assert shown == expected


def test_what_a_node_tells_of_itself_another_reads() -> None:
    settings = pb.OverlaySettings(backend=pb.MESH, address="127.9.0.2", network="10.244.1.0/24")
    vtep = pb.Vtep(mac=MAC, host="127.0.0.1", vxlan_port=5, cable_port=6, turbo=True)
    node = {
        "metadata": {"name": "node-1", "annotations": nodes.annotations(settings, vtep)},
        "spec": {"podCIDRs": ["fd00::/64", "10.244.1.0/24"]},
    }
    assert nodes.peer(node, pb.MESH) == pb.Peer(
        name="node-1", address="127.9.0.2", host="127.0.0.1", vxlan_port=5, cable_port=6, vni=1,
        vtep_mac=MAC, network="10.244.1.0/24", turbo=True,
    )  # fmt: skip
