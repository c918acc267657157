"""A node's NAT with packets made for it, and their checksums looked at on the way out."""

import random
from typing import NamedTuple

from cluster.network.stack.nat import packet as packets
from cluster.network.stack.nat.hooks import Nat, Settings
from cluster.network.stack.nat.packet import Decision, Packet
from cluster.network.stack.nat.services import Backend, Entry
from cluster.network.stack.nat.verdicts import Verdict
from cluster.network.wire import addresses, checksums, icmp, ipv4, tcp, udp
from cluster.network.wire.frame import Frame

LINK = bytes(12) + b"\x08\x00"
NODE = "127.9.0.1"
"""The node that the tests are about; its pods are 10.244.1.0/24."""
BRIDGE = "10.244.1.1"
VTEP = "10.244.1.0"
VIP = "10.96.0.10"
POD = "10.244.1.5"
SYN, ACK, FIN, RST = tcp.SYN, tcp.ACK, tcp.FIN, tcp.RST
Place = tuple[str, int]


class Seen(NamedTuple):
    """A packet as it left."""

    source: Place
    destination: Place
    protocol: int
    data: bytes

    @property
    def ends(self) -> tuple[Place, Place]:
        return self.source, self.destination


def ip(text: str) -> int:
    return addresses.parse(text)


def backend(text: str, port: int = 8080, **more: bool) -> Backend:
    local = text.startswith("10.244.1.")
    return Backend(ip(text), port, local, **({"external": True} | more))


def entry(*endpoints: Backend, key: str = "default/web", protocol: int = 6, port: int = 80,
          vips: tuple[str, ...] = (VIP,), **more: object) -> Entry:  # fmt: skip
    return Entry(key, protocol, tuple(map(ip, vips)), port, endpoints=endpoints)._replace(**more)


def tcp_frame(source: Place, destination: Place, flags: int = SYN, payload: bytes = b"",
              *, partial: bool = False, gso_size: int = 0) -> Frame:  # fmt: skip
    segment = tcp.Segment(source[1], destination[1], 7, 9, flags, 500, 0, b"", payload)
    body = tcp.build(ip(source[0]), ip(destination[0]), segment, partial=partial)
    frame = framed(source[0], destination[0], ipv4.TCP, body)
    if partial:
        return Frame(frame.data, gso_size, 34, tcp.CHECKSUM)
    return frame


def udp_frame(source: Place, destination: Place, payload: bytes = b"?", *,
              unsummed: bool = False) -> Frame:  # fmt: skip
    body = udp.build(ip(source[0]), ip(destination[0]), source[1], destination[1], payload)
    if unsummed:
        body = body[:6] + b"\0\0" + body[8:]
    return framed(source[0], destination[0], ipv4.UDP, body)


def echo_frame(source: str, destination: str, identifier: int, *, answer: bool = False) -> Frame:
    kind = icmp.ECHO_REPLY if answer else icmp.ECHO_REQUEST
    body = icmp.build(kind, 0, identifier << 16 | 1, b"abcdefgh")
    return framed(source, destination, ipv4.ICMP, body)


def error_frame(source: str, about: bytes, kind: int = icmp.UNREACHABLE, code: int = 3) -> Frame:
    """An ICMP error by `source` about a packet (from its Ethernet header on) to its sender."""
    inner = about[14:]
    sender = addresses.text(int.from_bytes(inner[12:16], "big"))
    return framed(source, sender, ipv4.ICMP, icmp.error(kind, code, inner))


def framed(source: str, destination: str, protocol: int, body: bytes) -> Frame:
    return Frame(LINK + ipv4.header(ip(source), ip(destination), protocol, len(body)) + body)


def parsed(frame: Frame) -> Packet:
    header = ipv4.parse(frame.data)
    assert header is not None
    found = packets.parse(frame, header)
    assert found is not None
    return found


def carried(packet: Packet) -> Frame:
    """The frame as it leaves."""
    frame = packet.frame
    if packet.change is None:
        return frame
    data = bytearray(frame.data)
    header = packet.header
    partial = frame.csum_start > 0
    packet.change.apply(data, header.offset, header.payload, partial=partial)
    return Frame(bytes(data), frame.gso_size, frame.csum_start, frame.csum_offset)


def seen(frame: Frame) -> Seen:
    """What a frame says; its checksums must be right."""
    header = ipv4.parse(frame.data)
    assert header is not None, "the IPv4 header's checksum is wrong"
    found = parsed(frame)
    _check(frame, header)
    text = addresses.text
    return Seen(
        (text(found.source), found.source_port),
        (text(found.destination), found.destination_port),
        found.protocol,
        frame.data,
    )


def _check(frame: Frame, header: ipv4.Header) -> None:
    data, protocol = frame.data, header.protocol
    if frame.csum_start:
        length = header.end - header.payload
        at = frame.csum_start + frame.csum_offset
        held = int.from_bytes(data[at : at + 2], "big")
        wanted = checksums.pseudo(header.source, header.destination, protocol, length)
        assert held % 0xFFFF == wanted % 0xFFFF
    elif protocol == ipv4.ICMP:
        assert icmp.parse(data, header.payload, header.end) is not None
    elif protocol == ipv4.UDP and data[header.payload + 6 : header.payload + 8] == b"\0\0":
        pass
    else:
        ends = header.source, header.destination
        assert checksums.transport_valid(*ends, protocol, data[header.payload : header.end])


class Node:
    """NAT of the node, and the addresses by which packets leave it."""

    def __init__(self, *, seed: int = 1, **settings: object) -> None:
        given: dict[str, object] = {
            "cluster_network": addresses.prefix("10.244.0.0/16"),
            "network": addresses.prefix("10.244.1.0/24"),
            "local": tuple(map(ip, (NODE, BRIDGE, VTEP))),
            "node_port_addresses": (ip(NODE),),
            "service_networks": (addresses.prefix("10.96.0.0/12"),),
        }
        self.nat = Nat(Settings(**(given | settings)), random.Random(seed))  # type: ignore[arg-type]
        self.now = 0.0

    def serve(self, *entries: Entry) -> None:
        self.nat.replace_services(self.now, entries)

    def passes(self, frame: Frame, *, own: bool = False) -> Frame | Verdict:
        """Send a frame through, or from the node itself; as it leaves, or what ended it."""
        packet = parsed(frame)
        return self._through(packet, own=own) or carried(packet)

    def trace(self, frame: Frame, *, own: bool = False) -> list[Decision]:
        """What would be decided about a frame."""
        packet = parsed(frame)
        packet.story = []
        self._through(packet, own=own)
        return packet.story

    def sends(self, frame: Frame, *, own: bool = False) -> Seen:
        """As `passes`; it must leave, and whole."""
        came = self.passes(frame, own=own)
        assert isinstance(came, Frame), came
        return seen(came)

    def sends_raw(self, frame: Frame) -> Seen:
        """As `sends`, of a protocol that has no checksum that is known."""
        came = self.passes(frame)
        assert isinstance(came, Frame), came
        header = ipv4.parse(came.data)
        assert header is not None
        text = addresses.text
        return Seen((text(header.source), 0), (text(header.destination), 0), 0, came.data)

    def _through(self, packet: Packet, *, own: bool) -> Verdict | None:
        nat, now = self.nat, self.now
        verdict = (nat.output if own else nat.prerouting)(now, packet)
        if verdict is not None:
            return verdict
        to = addresses.text(packet.destination)
        if to in (NODE, BRIDGE, VTEP):
            return nat.input(now, packet)
        if not own:
            verdict = nat.forward(now, packet)
        by = BRIDGE if to.startswith("10.244.1.") else VTEP if to.startswith("10.244.") else NODE
        return verdict or nat.postrouting(now, packet, ip(by))

    def connects(self, client: Place, to: Place, *, own: bool = False) -> Seen:
        """A TCP handshake with whoever takes it, checked on the way back; its SYN as it left."""
        syn = self.sends(tcp_frame(client, to, SYN), own=own)
        answer = tcp_frame(syn.destination, syn.source, SYN | ACK)
        assert self.sends(answer).ends == (to, client)
        last = self.sends(tcp_frame(client, to, ACK), own=own)
        assert last.ends == syn.ends
        return syn


def check(nat: Nat) -> None:
    """What holds of a conntrack at any time."""
    conntrack = nat.conntrack
    ways, found = conntrack._ways, list(conntrack.connections())
    assert len(found) == len(conntrack)
    for key, way in ways.items():
        assert way.key == key
        assert way.connection.alive
        assert {way.connection.original.key, way.connection.answers.key} <= ways.keys()
    waiting = [one for slot in conntrack._expiry._slots.values() for one in slot]
    assert sorted(map(id, waiting)) == sorted(map(id, found))
    listed = [one for same in conntrack._datagrams.values() for one in same]
    assert sorted(map(id, listed)) == sorted(id(one) for one in found if one.protocol == 17)
    assert sorted(map(id, conntrack._unassured)) == sorted(
        id(one) for one in found if not one.assured
    )
