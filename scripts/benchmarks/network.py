"""The pod network: what a node's data plane carries.

Two nodes are two processes with a UDP socket each, as in a cluster; frames begin at a port of one
and end at a port of the other. Other parts of the network are measured by `PARTS`, too.
"""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

from benchmarks.figures import Figure, Outcome
from benchmarks.podstreams import pod_streams
from benchmarks.programming import programming
from benchmarks.servicetable import service_table
from cluster.network.io.udp import UdpUnderlay
from cluster.network.stack.actions import ToPeer, ToPort
from cluster.network.stack.datapath import Datapath
from cluster.network.stack.nat import hooks
from cluster.network.stack.nat.services import Backend, Entry
from cluster.network.stack.peers import Peer
from cluster.network.stack.settings import Settings
from cluster.network.underlay import Address
from cluster.network.wire import addresses, ethernet, ipv4, mac, tcp
from cluster.network.wire.addresses import Prefix
from cluster.network.wire.frame import Frame
from cluster.network.wire.trains import Train

_FLOWS: Final = 64
_BATCH: Final = 32
_PAYLOAD: Final = bytes(1398)
_SERVICE: Final = addresses.parse("10.96.0.10")
_SECONDS: Final = 2.0
_ADDRESSES: Final = ("127.200.0.2", "127.200.0.3")


def measure() -> Iterator[Outcome]:
    """All parts, one after another."""
    for part in PARTS:
        yield from part()


class _Node:
    """A data plane with NAT, and a pod."""

    def __init__(self, number: int) -> None:
        network = Prefix(addresses.parse(f"10.244.{number}.0"), 24)
        address = addresses.parse(_ADDRESSES[number])
        self.datapath = Datapath(Settings(f"n{number}", network, address), random.Random(number))
        self.pod = network.network + 5
        self.nat = hooks.Nat(
            hooks.Settings(
                addresses.prefix("10.244.0.0/16"),
                network,
                local=(network.network, network.network + 1, address),
                node_port_addresses=(address,),
            ),
            random.Random(number),
        )
        self.datapath.nat = self.nat
        self.datapath.add_port(0.0, "pod", mac.of_address(self.pod), [self.pod])

    def frame(self, source: tuple[int, int], to: tuple[int, int], flags: int, data: bytes) -> Frame:
        segment = tcp.Segment(source[1], to[1], 1, 1, flags, 65535, 0, b"", data)
        body = tcp.build(source[0], to[0], segment)
        packet = ipv4.header(source[0], to[0], ipv4.TCP, len(body)) + body
        link = self.datapath.devices["cni0"].mac
        return Frame(ethernet.build(link, mac.of_address(self.pod), ethernet.IPV4, packet))


def _nodes() -> tuple[_Node, _Node]:
    """Two nodes that know each other; a service of the second one's pod at the first."""
    one, two = _Node(0), _Node(1)
    one.datapath.set_peers(0.0, [_known(two)])
    two.datapath.set_peers(0.0, [_known(one)])
    backend = Backend(two.pod, 8080, local=False)
    entry = Entry("default/web", ipv4.TCP, (_SERVICE,), 80, endpoints=(backend,))
    one.nat.replace_services(0.0, [entry])
    return one, two


def _known(node: _Node) -> Peer:
    """The node as a peer; both processes draw the same MACs."""
    return node.datapath.me


def _connected(one: _Node, two: _Node, now: float) -> list[Frame]:
    """A data frame of each of many connections to the service, which both nodes know of."""
    for number in range(_FLOWS):
        client, service = (one.pod, 20000 + number), (_SERVICE, 80)
        server, back = (two.pod, 8080), (one.pod, 20000 + number)
        for flags, answer in ((tcp.SYN, tcp.SYN | tcp.ACK), (tcp.ACK, tcp.ACK)):
            _over(one, two, now, one.frame(client, service, flags, b""))
            _over(two, one, now, two.frame(server, back, answer, b""))
    frames = [
        one.frame((one.pod, 20000 + number), (_SERVICE, 80), tcp.ACK, _PAYLOAD)
        for number in range(_FLOWS)
    ]
    for frame in frames:
        _over(one, two, now, frame)
    return frames


def _over(source: _Node, target: _Node, now: float, frame: Frame) -> None:
    address = (addresses.text(source.datapath.settings.address), 4789)
    for action in source.datapath.receive(now, "pod", frame):
        assert isinstance(action, ToPeer)
        made = target.datapath.from_peer(now, address, action.payloads)
        assert [type(one) for one in made] == [ToPort]


def forwarding() -> Iterator[Outcome]:
    """Packets from a pod through a ClusterIP into VXLAN, and out of it, in one process."""
    one, two = _nodes()
    now = 1.0
    frames = _connected(one, two, now)
    batches = [frames[at : at + _BATCH] for at in range(0, _FLOWS, _BATCH)]
    address = (_ADDRESSES[0], 4789)
    payloads = [one.datapath.receive_all(now, "pod", batch) for batch in batches]

    def out() -> None:
        for batch in batches:
            one.datapath.receive_all(now, "pod", batch)

    def into() -> None:
        for (action,) in payloads:
            two.datapath.from_peer(now, address, action.payloads)

    yield Figure("network: encapsulated with NAT, core", _rate(out), "packets/s", 150_000)
    yield Figure("network: decapsulated with conntrack, core", _rate(into), "packets/s", 150_000)

    def first() -> None:
        one.datapath.forget_flows()
        one.datapath.receive_all(now, "pod", frames)

    yield Figure("network: known connections by the slow path", _rate(first), "packets/s")


def _rate(turn: Callable[[], None]) -> float:
    """Frames a second; the best of some runs, for others use the machine, too."""
    best = 0.0
    for _ in range(5):
        count, begin = 0, time.perf_counter()
        while (took := time.perf_counter() - begin) < _SECONDS / 5:
            turn()
            count += _FLOWS
        best = max(best, count / took)
    return best


def between_processes() -> Iterator[Outcome]:
    """A pod's frames to a pod of a node in another process, by UDP."""
    for batch, name in ((_BATCH, f"{_BATCH} at a time"), (1, "one at a time")):
        receiver = subprocess.Popen(
            [sys.executable, "-c", f"{_PATH}from benchmarks import network; network.receiver()"],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
        )
        try:
            assert receiver.stdout is not None
            assert receiver.stdin is not None
            receiver.stdout.readline()
            sent = asyncio.run(_send(batch))
            receiver.stdin.write("\n")
            receiver.stdin.flush()
            arrived = int(receiver.stdout.readline())
        finally:
            receiver.kill()
            receiver.wait(10)
        yield Figure(
            f"network: NAT, VXLAN and UDP to another process, {name}",
            arrived / _SECONDS,
            "packets/s",
            150_000 if batch > 1 else None,
            note=f"{arrived / max(sent, 1):.0%} of those sent",
        )


_PATH: Final = f"import sys; sys.path[:0] = {sys.path[:2]!r}; "


async def _send(batch: int) -> int:
    """Send for a while; how many."""
    one, two = _nodes()
    loop = asyncio.get_running_loop()
    endpoint = await UdpUnderlay().bind(Address(_ADDRESSES[0], 4789), lambda *_: None)
    frames = _connected(one, two, loop.time())
    turns = [frames[at : at + batch] for at in range(0, _FLOWS, batch)]
    end = loop.time() + _SECONDS
    count = 0
    while (now := loop.time()) < end:
        for some in turns:
            for action in one.datapath.receive_all(now, "pod", some):
                assert isinstance(action, ToPeer)
                endpoint.send_many(action.payloads, Address(*action.address))
        count += _FLOWS
        await asyncio.sleep(0)
    endpoint.close()
    return count


def receiver() -> None:
    """The other process: counts what comes to its pod until a line comes on its input."""
    asyncio.run(_receive())


async def _receive() -> None:
    one, two = _nodes()
    loop = asyncio.get_running_loop()
    _connected(one, two, loop.time())
    arrived = 0

    def take(train: Train, sender: Address) -> None:
        nonlocal arrived
        for action in two.datapath.from_peer(loop.time(), sender, (train,)):
            if isinstance(action, ToPort):
                for frame in action.frames:
                    payload = len(frame.data) - 54
                    arrived += -(-payload // len(_PAYLOAD))

    endpoint = await UdpUnderlay().bind_trains(Address(_ADDRESSES[1], 4789), take)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    print(arrived, flush=True)
    endpoint.close()


PARTS: Final[tuple[Callable[[], Iterator[Outcome]], ...]] = (
    forwarding,
    between_processes,
    pod_streams,
    service_table,
    programming,
)
"""What the group measures; parts of other files are added here."""
