"""One table of what the network does, tried in three worlds.

Emulated pods on the lab's virtual time and wire; emulated pods over real UDP; and sockets of the
kernel in network namespaces over real UDP.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple, Protocol

import netns_world
import networkworld
import pytest
from networkworld import World

from cluster.aio import tasks, virtual
from cluster.network.io import plugging
from cluster.network.io.udp import UdpUnderlay
from cluster.network.wire import addresses, mac
from cluster.pb.cluster.v1 import dataplane_pb2 as services
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.pb.cri.v1 import api_pb2 as cri
from cluster.proxy import table
from cluster.runtime.overlay import Tables

Json = dict[str, Any]
PORT = 8080
VIP, LB, OUTER = "10.96.0.9", "198.51.100.8", "198.51.100.7"
SOON = 0.2
"""Seconds without an answer after which nobody is to have answered."""
LATE = 5.0


class Pod(Protocol):
    """A pod that answers with its name and who asks, and asks others."""

    address: str

    async def serve(self, name: str) -> None: ...
    async def ask(self, address: str, port: int) -> str: ...
    def close(self) -> None: ...


class Emulated:
    """A pod of the sim driver."""

    def __init__(self, node: networkworld.Node, sandbox: Any, group: tasks.Group) -> None:
        self.address = sandbox.addresses[0]
        self._space = node.cri.spaces.of(sandbox)
        self._group = group

    async def serve(self, name: str) -> None:
        listener = self._space.listen(PORT)

        async def answer() -> None:
            while True:
                stream = await listener.accept()
                await stream.send(f"{name} {stream.peer.address}".encode())
                stream.end()

        self._group.spawn(answer(), name)

    async def ask(self, address: str, port: int) -> str:
        stream = await self._space.connect(address, port)
        try:
            return (await stream.receive()).decode()
        finally:
            stream.close()

    def close(self) -> None:
        """Nothing is its own."""


class Kernel:
    """A network namespace of the kernel's on the node's network."""

    def __init__(self, node: networkworld.Node, number: int, kind: str) -> None:
        self.address = node.cidr.rpartition(".")[0] + f".{100 + number}"
        self._namespace = netns_world.Namespace()
        carrier = node.plant.node
        assert carrier is not None
        told = dict(carrier.interface(self.address))
        wanted = plugging.Interface(
            str(told["name"]), mac.parse(str(told["mac"])), addresses.parse(self.address),
            int(told["length"]), addresses.parse(str(told["gateway"])), int(told["mtu"]),
        )  # fmt: skip
        made = -1
        if kind == "veth":
            path = os.open(self._namespace.path, os.O_RDONLY)
            made = plugging.veth(wanted, f"sc{os.getpid()}{number}", path)
            os.close(path)
        with netns_world.inside(self._namespace.path):
            if kind == "tap":
                made = plugging.tap(wanted)
            else:
                plugging.configure(wanted)
        carrier.attach(self.address, made)
        self._servers: list[asyncio.Server] = []

    async def serve(self, name: str) -> None:
        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(f"{name} {writer.get_extra_info('peername')[0]}".encode())
            writer.close()

        bound = self._namespace.socket()
        bound.setblocking(False)
        bound.bind((self.address, PORT))
        self._servers.append(await asyncio.start_server(answer, sock=bound))

    async def ask(self, address: str, port: int) -> str:
        made = self._namespace.socket()
        made.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(made, (address, port))
        except BaseException:
            made.close()
            raise
        reader, writer = await asyncio.open_connection(sock=made)
        try:
            return (await reader.read()).decode()
        finally:
            writer.close()

    def close(self) -> None:
        for server in self._servers:
            server.close()
        self._namespace.close()


class Given(NamedTuple):
    """A world: its nodes, and the pods here and near on the first, far and away on the second."""

    world: World
    pods: dict[str, Pod]

    def end(self, name: str, **conditions: bool) -> Json:
        """A pod as an EndpointSlice has it."""
        return {
            "addresses": [self.pods[name].address],
            "nodeName": f"node-{self._at(name) + 1}",
            "conditions": {"ready": True} | conditions,
        }

    async def serve(self, *ends: Json, **spec: Any) -> None:
        """Have each node's kube-proxy program a Service."""
        ports = [{"port": 80, "targetPort": PORT, "nodePort": 30080, "protocol": "TCP"}]
        meta = {"name": "s", "namespace": "d"}
        service = {
            "metadata": meta,
            "spec": {"type": "NodePort", "clusterIP": VIP, "clusterIPs": [VIP], "ports": ports}
            | spec,
        }
        if spec.get("type") == "LoadBalancer":
            service["status"] = {"loadBalancer": {"ingress": [{"ip": LB}]}}
        slices = {
            "metadata": meta | {"labels": {"kubernetes.io/service-name": "s"}},
            "addressType": "IPv4",
            "ports": [{"port": PORT, "protocol": "TCP"}],
            "endpoints": list(ends),
        }
        for node in self.world.nodes:
            await node.programmed(*table.compute([service], [slices], node.name).values())

    def allow(self, name: str, *rules: pb.PolicyRule, egress: bool = False) -> None:
        """A policy for one pod."""
        way = {"egress": True, "egress_rules": rules} if egress else {
            "ingress": True, "ingress_rules": rules}  # fmt: skip
        policy = pb.Policy(key="d/p", addresses=[self.pods[name].address], **way)
        self.program({"d/p": policy} if self._at(name) == 0 else {}, 0)
        self.program({"d/p": policy} if self._at(name) == 1 else {}, 1)

    def _at(self, name: str) -> int:
        return 0 if name in ("here", "near") else 1

    def program(self, policies: dict[str, pb.Policy], number: int) -> None:
        node = self.world.nodes[number]
        peers = {one.name: one.peer() for one in self.world.nodes if one is not node}
        node.plant.program(Tables(peers, {}, policies), None)

    def named(self, text: str) -> str:
        """An answer with names for addresses."""
        names = {pod.address: name for name, pod in self.pods.items()}
        for number, node in enumerate(self.world.nodes, 1):
            names[node.ip] = f"node-{number}"
            for last, device in ((".0", "flannel"), (".1", "cni0")):
                names[node.cidr.rpartition(".")[0] + last] = f"{device}-{number}"
        server, _, client = text.partition(" ")
        return f"{server} by {names.get(client, client)}" if client else text

    async def ask(self, client: str, address: str, port: int, late: float) -> str:
        try:
            async with asyncio.timeout(late):
                return self.named(await self.pods[client].ask(address, port))
        except TimeoutError:
            return "nothing"
        except ConnectionRefusedError:
            return "refused"
        except OSError as error:
            return os.strerror(error.errno or 0)


Story = Callable[[Given], AsyncIterator[tuple[str, str, int, set[str]]]]
"""What is done, and then asked: by whom, where, and which answers there are to be of six."""


async def pods_reach_each_other(given: Given) -> Any:
    for client in given.pods:
        for server, pod in given.pods.items():
            yield client, pod.address, PORT, {f"{server} by {client}"}
    yield "here", given.pods["far"].address, 9, {"refused"}
    yield "here", "10.245.9.9", 9, {"Network is unreachable"}


async def each_way_to_a_service(given: Given) -> Any:
    await given.serve(given.end("near"), given.end("far"), type="LoadBalancer", externalIPs=[OUTER])
    first, second = (node.ip for node in given.world.nodes)
    yield "here", VIP, 80, {"near by here", "far by here"}
    yield "here", VIP, 81, {"refused"}
    yield "here", OUTER, 80, {"near by cni0-1", "far by flannel-1"}
    yield "here", LB, 80, {"near by cni0-1", "far by flannel-1"}
    yield "here", first, 30080, {"near by cni0-1", "far by flannel-1"}
    yield "here", second, 30080, {"near by flannel-2", "far by cni0-2"}


async def a_pod_reaches_itself_by_its_service(given: Given) -> Any:
    await given.serve(given.end("here"))
    yield "here", VIP, 80, {"here by cni0-1"}


async def without_endpoints_it_is_refused(given: Given) -> Any:
    await given.serve()
    yield "here", VIP, 80, {"refused"}
    yield "here", given.world.nodes[0].ip, 30080, {"refused"}


async def local_policy_without_a_local_endpoint(given: Given) -> Any:
    await given.serve(given.end("far"), internalTrafficPolicy="Local")
    yield "here", VIP, 80, {"nothing"}
    await given.serve(given.end("far"), externalTrafficPolicy="Local")
    first, second = (node.ip for node in given.world.nodes)
    yield "far", first, 30080, {"nothing"}
    yield "here", second, 30080, {"far by node-1"}


async def a_client_sticks_to_a_pod(given: Given) -> Any:
    await given.serve(given.end("near"), given.end("far"), sessionAffinity="ClientIP")
    first = await given.ask("here", VIP, 80, LATE)
    yield "here", VIP, 80, {first}


async def ending_pods_serve_where_nobody_else_does(given: Given) -> Any:
    ending = given.end("far", ready=False, serving=True, terminating=True)
    await given.serve(ending)
    yield "here", VIP, 80, {"far by here"}
    await given.serve(ending, given.end("near"))
    yield "here", VIP, 80, {"near by here"}


async def nobody_may_enter(given: Given) -> Any:
    given.allow("far")
    yield "here", given.pods["far"].address, PORT, {"nothing"}
    yield "far", given.pods["here"].address, PORT, {"here by far"}


async def one_may_enter_by_address_and_port(given: Given) -> Any:
    block = pb.PolicyBlock(cidr=f"{given.pods['here'].address}/32")
    ports = pb.PolicyPorts(protocol=services.TCP, first=PORT, last=PORT)
    given.allow("far", pb.PolicyRule(blocks=[block], ports=[ports]))
    await given.serve(given.end("far"))
    for address, port in ((given.pods["far"].address, PORT), (VIP, 80)):
        yield "here", address, port, {"far by here"}
        yield "near", address, port, {"nothing"}
        yield "away", address, port, {"nothing"}


async def one_may_not_leave(given: Given) -> Any:
    block = pb.PolicyBlock(cidr=f"{given.pods['near'].address}/32")
    given.allow("here", pb.PolicyRule(blocks=[block], every_port=True), egress=True)
    yield "here", given.pods["near"].address, PORT, {"near by here"}
    yield "here", given.pods["far"].address, PORT, {"nothing"}
    yield "near", given.pods["here"].address, PORT, {"here by near"}


TABLE: tuple[Story, ...] = (
    pods_reach_each_other,
    each_way_to_a_service,
    a_pod_reaches_itself_by_its_service,
    without_endpoints_it_is_refused,
    local_policy_without_a_local_endpoint,
    a_client_sticks_to_a_pod,
    ending_pods_serve_where_nobody_else_does,
    nobody_may_enter,
    one_may_enter_by_address_and_port,
    one_may_not_leave,
)


async def told(given: Given) -> list[str]:
    """What is otherwise than the table has it."""
    wrong = []
    for story in TABLE:
        async for client, address, port, expected in story(given):
            late = SOON if expected == {"nothing"} else LATE
            times = 1 if expected == {"nothing"} else 12 if len(expected) > 1 else 4
            found = {await given.ask(client, address, port, late) for _ in range(times)}
            if found != expected:
                wrong.append(f"{story.__name__}: {client} to {address}:{port}: {found}")
        await given.world.programmed()
        given.program({}, 0)
        given.program({}, 1)
    return wrong


@contextlib.asynccontextmanager
async def given(world: World, kind: str) -> AsyncIterator[Given]:
    await world.up()
    async with tasks.Group("world") as group:
        found = Given(world, {})
        try:
            for number, name in enumerate(("here", "near", "far", "away")):
                node = world.nodes[number // 2]
                if kind == "sim":
                    meta = cri.PodSandboxMetadata(name=name, namespace="d", uid=f"u-{name}")
                    config = cri.PodSandboxConfig(metadata=meta)
                    made = await node.cri.driver.run_sandbox(config, "")
                    found.pods[name] = Emulated(node, made, group)
                else:
                    found.pods[name] = Kernel(node, number, kind)
                await found.pods[name].serve(name)
            yield found
        finally:
            for pod in found.pods.values():
                pod.close()
            world.close()
            group.cancel()


def real_world() -> World:
    """Nodes with sockets of UDP, at addresses that are this process's alone."""
    number = os.getpid()
    machine = f"127.{240 + number % 8}.{number // 8 % 250}"
    world = World(0)
    wire = UdpUnderlay()
    world.nodes = [networkworld.Node(one, wire, machine) for one in (1, 2)]
    return world


def test_in_the_lab() -> None:
    async def main() -> None:
        async with given(World(2), "sim") as found:
            assert await told(found) == []

    virtual.run(main())


def test_with_emulated_pods_over_udp() -> None:
    async def main() -> None:
        async with given(real_world(), "sim") as found:
            assert await told(found) == []

    asyncio.run(main())


@pytest.mark.skipif(bool(netns_world.missing()), reason=netns_world.missing() or "-")
@pytest.mark.parametrize("kind", ["tap", pytest.param("veth", marks=pytest.mark.slow)])
def test_with_namespaces_of_the_kernel_over_udp(kind: str) -> None:
    if kind == "tap" and plugging.why_no_tap():
        pytest.skip(plugging.why_no_tap())

    async def main() -> None:
        async with given(real_world(), kind) as found:
            assert await told(found) == []

    asyncio.run(main())
