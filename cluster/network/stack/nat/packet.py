"""A packet on its way through a node: what the hooks read and change.

The frame itself is not touched on the way: hooks change the fields, and when the packet leaves, the
`rewrite` of its direction is applied to a copy of the frame, once.
"""

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from cluster.network.wire import icmp, ipv4, tcp, udp
from cluster.network.wire.frame import Frame

if TYPE_CHECKING:
    from cluster.network.stack.nat.conntrack import Connection, Way
    from cluster.network.stack.nat.rewrite import Change

Key = tuple[int, int, int, int, int]
"""Source, source port, destination, destination port, protocol.

Of an ICMP echo the source port is the identifier, whichever way it goes, and the destination port
its type; other ICMP messages and protocols have no ports (0).
"""

_PORTED: Final = (ipv4.TCP, ipv4.UDP)
_PORTS = struct.Struct("!HH")
_TCP_FLAGS: Final = 13


class Decision(NamedTuple):
    """A step of a trace: which table was asked, which rule it was, what it said."""

    table: str
    rule: str
    verdict: str


class Packet:
    """One whole IPv4 packet (no fragment).

    Addresses and ports are as they are at this point of the way: prerouting changes the
    destination, postrouting the source. The frame has what came in.
    """

    __slots__ = (
        "change",
        "connection",
        "destination",
        "destination_port",
        "flags",
        "frame",
        "header",
        "invalid",
        "masquerade",
        "protocol",
        "quoted",
        "source",
        "source_port",
        "story",
        "way",
    )

    def __init__(
        self,
        frame: Frame,
        header: ipv4.Header,
        ports: tuple[int, int] = (0, 0),
        *,
        flags: int = 0,
        quoted: Key | None = None,
    ) -> None:
        self.frame = frame
        self.header = header
        self.source = header.source
        self.source_port, self.destination_port = ports
        self.destination = header.destination
        self.protocol = header.protocol
        self.flags = flags
        """Of a TCP segment."""
        self.quoted = quoted
        """Of an ICMP error: whose packet it is about, as it was where the error was made."""
        self.way: Way | None = None
        """The direction of a known connection that this packet is of."""
        self.connection: Connection | None = None
        """The connection that this packet begins; it is remembered once the packet leaves."""
        self.invalid = False
        """Whether it belongs to no connection and begins none."""
        self.masquerade = False
        """Whether a service asks for source NAT (kube-proxy's mark)."""
        self.change: Change | None = None
        """What to do to a copy of the frame when it leaves; None: nothing."""
        self.story: list[Decision] | None = None
        """Set to a list, the packet is a trace's: nothing is remembered of it, and each decision
        is told here."""

    @property
    def key(self) -> Key:
        """The packet's connection as it stands at this point of the way."""
        return (
            self.source,
            self.source_port,
            self.destination,
            self.destination_port,
            self.protocol,
        )

    def tell(self, table: str, rule: str, verdict: str) -> None:
        """Add a decision to the trace, where this is one."""
        if self.story is not None:
            self.story.append(Decision(table, rule, verdict))


def parse(frame: Frame, header: ipv4.Header) -> Packet | None:
    """The packet of a frame whose IPv4 header is known; None where its next header is cut short.

    For whole packets only: `stack.reassembly` makes them.
    """
    found = _ports(frame.data, header.payload, header.end, header.protocol)
    if found is None:
        return None
    packet = Packet(frame, header, found[:2], flags=found[2])
    if header.protocol == ipv4.ICMP and frame.data[header.payload] in icmp.ERRORS:
        packet.quoted = _quoted(frame.data, header)
    return packet


def _ports(data: bytes, start: int, end: int, protocol: int) -> tuple[int, int, int] | None:
    """Ports and TCP flags of what begins at `start`."""
    if protocol == ipv4.TCP:
        if end - start < tcp.HEADER:
            return None
        source, destination = _PORTS.unpack_from(data, start)
        return source, destination, data[start + _TCP_FLAGS]
    if protocol == ipv4.ICMP:
        if end - start < icmp.HEADER:
            return None
        kind = data[start]
        if kind in (icmp.ECHO_REQUEST, icmp.ECHO_REPLY):
            return data[start + 4] << 8 | data[start + 5], kind, 0
        return 0, 0, 0
    if protocol != ipv4.UDP:
        return 0, 0, 0
    if end - start < udp.HEADER:
        return None
    source, destination = _PORTS.unpack_from(data, start)
    return source, destination, 0


def _quoted(data: bytes, header: ipv4.Header) -> Key | None:
    """The connection of the packet that an ICMP error quotes; None where that is malformed."""
    inner = quoted_header(data, header)
    if inner is None:
        return None
    start = inner.payload
    if inner.protocol == ipv4.ICMP:
        kind = data[start]
        if kind not in (icmp.ECHO_REQUEST, icmp.ECHO_REPLY):
            return None
        return inner.source, data[start + 4] << 8 | data[start + 5], inner.destination, kind, 1
    source, destination = _PORTS.unpack_from(data, start) if inner.protocol in _PORTED else (0, 0)
    return inner.source, source, inner.destination, destination, inner.protocol


_INNER = struct.Struct("!B8xB2xII")


class Quoted(NamedTuple):
    """Where the packet that an ICMP error quotes lies in the frame's data."""

    offset: int
    payload: int
    """At least eight bytes are there from here on."""
    protocol: int
    source: int
    destination: int


def quoted_header(data: bytes, header: ipv4.Header) -> Quoted | None:
    """The quoted packet's header; None where it is malformed, or a fragment but the first."""
    offset = header.payload + icmp.HEADER
    if header.end < offset + ipv4.HEADER:
        return None
    first, protocol, source, destination = _INNER.unpack_from(data, offset)
    start = offset + ((first & 0xF) << 2)
    if first >> 4 != 4 or start < offset + ipv4.HEADER or header.end < start + 8:
        return None
    if int.from_bytes(data[offset + 6 : offset + 8], "big") & ipv4.OFFSET_MASK:
        return None
    return Quoted(offset, start, protocol, source, destination)


def inverse(key: Key) -> Key:
    """The key of a connection's answers."""
    source, source_port, destination, destination_port, protocol = key
    if protocol == ipv4.ICMP:
        return destination, source_port, source, destination_port ^ icmp.ECHO_REQUEST, protocol
    return destination, destination_port, source, source_port, protocol
