"""TCP between pods of two nodes: stacks, data planes with NAT, VXLAN and UDP, in two processes.

What is sent and answered goes through the sockets that programs of pods have.
"""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Final, TypeVar

from benchmarks.figures import Figure, Outcome
from cluster.cli import memory
from cluster.network.io.sockets import Endpoint, Stack, Stream
from cluster.network.io.udp import UdpUnderlay
from cluster.network.stack.actions import Action, ToPeer, ToPort
from cluster.network.stack.datapath import Datapath
from cluster.network.stack.endhost.settings import Settings as HostSettings
from cluster.network.stack.host import Host
from cluster.network.stack.nat import hooks
from cluster.network.stack.nat.services import Backend, Entry
from cluster.network.stack.settings import Settings
from cluster.network.underlay import Address
from cluster.network.wire import addresses, ipv4, mac
from cluster.network.wire.addresses import Prefix
from cluster.network.wire.frame import Frame
from cluster.network.wire.trains import Train

_SERVICE: Final = addresses.parse("10.96.0.10")
_ADDRESSES: Final = ("127.200.0.4", "127.200.0.5")
_SECONDS: Final = 3.0
_CONNECTIONS: Final = 64
_REQUEST: Final = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
_T = TypeVar("_T")
_PATH: Final = f"import sys; sys.path[:0] = {sys.path[:2]!r}; "


class _Node:
    """A data plane with NAT, a pod with its stack, and a socket."""

    def __init__(self, number: int) -> None:
        self.number = number
        network = Prefix(addresses.parse(f"10.244.{number}.0"), 24)
        address = addresses.parse(_ADDRESSES[number])
        self.datapath = Datapath(Settings(f"n{number}", network, address), random.Random(number))
        self.pod = network.network + 5
        nat = hooks.Settings(
            addresses.prefix("10.244.0.0/16"),
            network,
            local=(network.network, network.network + 1, address),
            node_port_addresses=(address,),
        )
        self.nat = hooks.Nat(nat, random.Random(number))
        self.datapath.nat = self.nat
        self.datapath.add_port(0.0, "pod", mac.of_address(self.pod), [self.pod])

    async def start(self, peer: "_Node", *, segmentation: bool) -> Stack:
        """Open its socket; its pod's stack."""
        self.loop = asyncio.get_running_loop()
        self.datapath.set_peers(0.0, [peer.datapath.me])
        server = self if self.number else peer
        backend = Backend(server.pod, 80, local=server is self)
        entry = Entry("default/web", ipv4.TCP, (_SERVICE,), 80, endpoints=(backend,))
        self.nat.replace_services(self.loop.time(), [entry])
        settings = HostSettings(
            mac.of_address(self.pod),
            ((self.pod, 24),),
            gateway=self.datapath.settings.gateway,
            mtu=self.datapath.settings.pod_mtu,
        )
        self.stack = Stack(Host(settings, random.Random(self.number)), self._out)
        where = Address(_ADDRESSES[self.number], 4789)
        self.endpoint = await UdpUnderlay(segmentation=segmentation).bind_trains(where, self._into)
        return self.stack

    def _out(self, frames: list[Frame]) -> None:
        self._carry(self.datapath.receive_all(self.loop.time(), "pod", frames))

    def _into(self, train: Train, sender: Address) -> None:
        self._carry(self.datapath.from_peer(self.loop.time(), sender, (train,)))

    def _carry(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, ToPort):
                self.stack.receive(action.frames)
            elif isinstance(action, ToPeer):
                self.endpoint.send_many(action.payloads, Address(*action.address))


def pod_streams() -> Iterator[Outcome]:
    """Bulk data, and requests through a ClusterIP, to a pod of a node in another process."""
    name = "network: TCP between simulated pods of two nodes, MTU 1450"
    yield Figure(name, _between(_bulk_alone, segmentation=False) / 1e9, "Gbit/s", 0.8)
    yield Figure(f"{name}, GSO", _between(_bulk_alone, segmentation=True) / 1e9, "Gbit/s", 2.0)
    name = f"network: requests through a ClusterIP, {_CONNECTIONS} connections"
    yield Figure(name, _between(_requests, segmentation=True), "requests/s", 50_000)


def _between(work: Callable[[Stack], Coroutine[None, None, _T]], *, segmentation: bool) -> _T:
    """Do `work` at a node whose peer is in another process."""
    code = f"from benchmarks import podstreams; podstreams.server({segmentation})"
    server = subprocess.Popen(
        [sys.executable, "-c", f"{_PATH}{code}"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        server.stdout.readline()
        return _run(_measured(work, segmentation=segmentation))
    finally:
        server.kill()
        server.wait(10)


def server(segmentation: bool) -> None:
    """The other process: a pod that takes all at port 9, and answers requests at port 80."""
    _run(_serve(segmentation=segmentation))


def _run(main: Coroutine[None, None, _T]) -> _T:
    """On the loop that processes of a cluster have, with garbage collected as there (`process`)."""
    import uvloop

    memory.settle()
    return uvloop.run(main)


async def _serve(*, segmentation: bool) -> None:
    node = _Node(1)
    stack = await node.start(_Node(0), segmentation=segmentation)
    sink, web = stack.listen(9), stack.listen(80)
    sink.on_stream = lambda stream: _spawn(_swallow(stream))
    web.on_stream = lambda stream: _spawn(_answer(stream))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.sleep(60)


_tasks: Final[dict[asyncio.Task[None], None]] = {}


def _spawn(work: Coroutine[None, None, None]) -> None:
    _tasks[asyncio.get_running_loop().create_task(work)] = None


async def _swallow(stream: Stream) -> None:
    total = 0
    while data := await stream.receive(1 << 20):
        total += len(data)
    await stream.send(str(total).encode())
    stream.close()


async def _answer(stream: Stream) -> None:
    while await stream.receive():
        await stream.send(_ANSWER)
    stream.close()


async def _measured(
    work: Callable[[Stack], Coroutine[None, None, _T]], *, segmentation: bool
) -> _T:
    node = _Node(0)
    stack = await node.start(_Node(1), segmentation=segmentation)
    try:
        return await work(stack)
    finally:
        node.endpoint.close()


async def _bulk_alone(stack: Stack) -> float:
    """Bits a second to the pod of the other node."""
    return await _bulk(stack, Endpoint(_Node(1).pod, 9))


async def _bulk(stack: Stack, to: Endpoint) -> float:
    await _flow(stack, to, 0.0)  # the first long segment of a process loads numpy
    return await _flow(stack, to, _SECONDS)


async def _flow(stack: Stack, to: Endpoint, seconds: float) -> float:
    """Bits a second of a connection that sends for so long."""
    stream = await stack.connect(to)
    chunk = random.Random(1).randbytes(1 << 18)
    begin = time.perf_counter()
    await stream.send(chunk)
    while time.perf_counter() - begin < seconds:
        await stream.send(chunk)
    stream.end()
    arrived = int(await stream.receive())
    return arrived * 8 / (time.perf_counter() - begin)


async def _requests(stack: Stack) -> float:
    counts = [0] * _CONNECTIONS
    end = time.perf_counter() + _SECONDS

    async def ask(number: int) -> None:
        stream = await stack.connect(Endpoint(_SERVICE, 80))
        while time.perf_counter() < end:
            await stream.send(_REQUEST)
            answer = await stream.receive()
            assert answer == _ANSWER, answer
            counts[number] += 1
        stream.close()

    async with asyncio.TaskGroup() as group:
        for number in range(_CONNECTIONS):
            group.create_task(ask(number))
    return sum(counts) / _SECONDS
