"""Nodes of a small cluster, joined by a wire of lists, for tests of the data plane."""

import random
from collections.abc import Iterable

from cluster.network.stack.actions import Action, Payload, ToCable, ToPeer, ToPort
from cluster.network.stack.datapath import Datapath
from cluster.network.stack.nat import hooks
from cluster.network.stack.nat.services import Backend, Entry
from cluster.network.stack.ports import HOST, OUTSIDE
from cluster.network.stack.settings import Settings
from cluster.network.wire import addresses, checksums, ethernet, icmp, ipv4, mac, tcp, udp
from cluster.network.wire.addresses import Prefix
from cluster.network.wire.frame import Frame
from cluster.network.wire.trains import Train

CLUSTER = addresses.prefix("10.244.0.0/16")
SERVICES = addresses.prefix("10.96.0.0/16")
SERVICE = addresses.parse("10.96.0.10")
OUTSIDE_MAC = bytes.fromhex("024200000001")
HOST_MAC = bytes.fromhex("024200000002")


def ip(text: str) -> int:
    return addresses.parse(text)


class Node:
    """A data plane with what its ports got."""

    def __init__(self, number: int, backend: str, *, nat: bool, turbo: bool) -> None:
        self.name = f"n{number}"
        network = Prefix(ip(f"10.244.{number}.0"), 24)
        self.address = ip(f"127.9.0.{number + 1}")
        settings = Settings(self.name, network, self.address, backend=backend, turbo=turbo)
        self.datapath = Datapath(settings, random.Random(number))
        self.nat: hooks.Nat | None = None
        local = (network.network, network.network + 1, self.address)
        if nat:
            told = hooks.Settings(
                CLUSTER,
                network,
                local=local,
                node_port_addresses=(self.address,),
                service_networks=(SERVICES,),
            )
            self.nat = hooks.Nat(told, random.Random(number))
            self.datapath.nat = self.nat
        self.got: dict[str, list[Frame]] = {}
        self.datapath.add_port(0.0, HOST, HOST_MAC, local)
        self.datapath.add_port(0.0, OUTSIDE, OUTSIDE_MAC, [])

    @property
    def bridge(self) -> bytes:
        return self.datapath.devices["cni0"].mac

    @property
    def eth0(self) -> bytes:
        return self.datapath.devices["eth0"].mac


class World:
    """Nodes n1, n2, …; what one sends comes to the other at once, unless the link is cut."""

    def __init__(
        self, count: int = 2, backend: str = "vxlan", *, nat: bool = True, turbo: bool = False
    ) -> None:
        self.now = 1.0
        self.nodes = [Node(number, backend, nat=nat, turbo=turbo) for number in range(1, count + 1)]
        self.wire: list[tuple[str, str, Action]] = []
        self.cut: set[frozenset[str]] = set()
        self._by_host = {addresses.text(node.address): node for node in self.nodes}
        for node in self.nodes:
            others = [other.datapath.me for other in self.nodes if other is not node]
            self.carry(node, node.datapath.set_peers(0.0, others))

    def pod(self, number: int, last: int) -> "Pod":
        """A pod of node `number` whose address ends in `last`."""
        return Pod(self, self.nodes[number - 1], last)

    def carry(self, node: Node, actions: Iterable[Action]) -> None:
        """Carry out actions of a node, and of all that they lead to."""
        queue = [(node, action) for action in actions]
        for _ in range(100_000):
            if not queue:
                return
            source, action = queue.pop(0)
            if isinstance(action, ToPort):
                source.got.setdefault(action.port, []).extend(action.frames)
                continue
            target = self._by_host[action.address[0]]
            self.wire.append((source.name, target.name, action))
            if frozenset((source.name, target.name)) in self.cut:
                continue
            datapath, host = target.datapath, addresses.text(source.address)
            if isinstance(action, ToPeer):
                made = datapath.from_peer(self.now, (host, 4789), _received(action.payloads))
            else:
                assert isinstance(action, ToCable)
                made = datapath.from_cable(self.now, (host, 4790), _received(action.frames))
            queue += [(target, one) for one in made]
        raise AssertionError("the nodes never stop sending")

    def pass_time(self, seconds: float, step: float = 0.1) -> None:
        """Let the nodes' timers come due."""
        end = self.now + seconds
        while self.now < end:
            self.now += step
            for node in self.nodes:
                due = node.datapath.deadline
                if due is not None and due <= self.now:
                    self.carry(node, node.datapath.tick(self.now))


def _received(payloads: Iterable[Payload]) -> list[Payload]:
    """As a socket gives them: trains, though of one datagram."""
    return [Train(one, len(one)) if isinstance(one, bytes) else one for one in payloads]


class Pod:
    """A port with an address, without a stack."""

    def __init__(self, world: World, node: Node, last: int, *, plug: bool = True) -> None:
        self.world, self.node = world, node
        self.address = node.datapath.settings.network.network + last
        self.mac = mac.of_address(self.address)
        self.name = f"pod{last}"
        if plug:
            made = node.datapath.add_port(world.now, self.name, self.mac, [self.address])
            world.carry(node, made)

    def send(self, packet: bytes, to: bytes = b"", **offloads: int) -> None:
        """Send an IPv4 packet to a MAC; mostly the bridge's."""
        data = ethernet.build(to or self.node.bridge, self.mac, ethernet.IPV4, packet)
        self.send_frame(Frame(data, **offloads))

    def send_frame(self, frame: Frame) -> None:
        made = self.node.datapath.receive(self.world.now, self.name, frame)
        self.world.carry(self.node, made)

    def take(self) -> list[Frame]:
        """What came, and nothing of it again."""
        return self.node.got.pop(self.name, [])

    def one(self) -> "Seen":
        """The one packet that came."""
        frames = self.take()
        assert len(frames) == 1, frames
        return Seen(frames[0])


def at(node: Node, port: str) -> list["Seen"]:
    """What came to a port of a node that is no pod."""
    return [Seen(frame) for frame in node.got.pop(port, [])]


class Seen:
    """A packet, with its checksums looked at."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        data = frame.data
        link = ethernet.parse(data)
        assert link is not None
        assert link.type == ethernet.IPV4
        self.link = link
        header = ipv4.parse(data)
        assert header is not None, "the header's checksum is wrong"
        self.header = header
        self.source, self.destination = header.source, header.destination
        self.ttl = header.ttl
        self.body = data[header.payload : header.end]
        if header.protocol in (ipv4.TCP, ipv4.UDP):
            self.source_port = int.from_bytes(self.body[:2], "big")
            self.destination_port = int.from_bytes(self.body[2:4], "big")
            if frame.csum_start == 0 and not header.is_fragment:
                assert checksums.transport_valid(
                    self.source, self.destination, header.protocol, self.body
                ), "the transport's checksum is wrong"
        elif header.protocol == ipv4.ICMP:
            message = icmp.parse(self.body)
            assert message is not None, "the message's checksum is wrong"
            self.message = message

    @property
    def flow(self) -> tuple[str, int, str, int]:
        return (
            addresses.text(self.source),
            self.source_port,
            addresses.text(self.destination),
            self.destination_port,
        )


def udp_packet(
    source: int, port: int, to: int, to_port: int, data: bytes = b"?", **header: int
) -> bytes:
    body = udp.build(source, to, port, to_port, data)
    return ipv4.header(source, to, ipv4.UDP, len(body), **header) + body


def tcp_packet(
    source: int, port: int, to: int, to_port: int, flags: int, data: bytes = b"", **header: int
) -> bytes:
    segment = tcp.Segment(port, to_port, 1, 1, flags, 65535, 0, b"", data)
    body = tcp.build(source, to, segment)
    return ipv4.header(source, to, ipv4.TCP, len(body), **header) + body


def echo_request(source: int, to: int, data: bytes = b"ping", **header: int) -> bytes:
    body = icmp.build(icmp.ECHO_REQUEST, 0, 7 << 16 | 1, data)
    return ipv4.header(source, to, ipv4.ICMP, len(body), **header) + body


def entry(*backends: Pod, node_port: int = 0, protocol: int = 17) -> Entry:
    return Entry(
        "default/web",
        protocol,
        (SERVICE,),
        80,
        node_port=node_port,
        endpoints=tuple(Backend(pod.address, 8080, local=False, external=True) for pod in backends),
    )
