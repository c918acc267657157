"""The flow cache: what was decided about a packet is done to the others of its flow.

A flow is known by 14 bytes of a frame: time to live, protocol, addresses and ports. Its packets are
rewritten by one unpack and one pack of their headers, with checksums changed by difference. What a
flow cannot do (TCP's SYN, FIN and RST, fragments, options of IPv4, too long packets) it refuses,
and the slow path decides.
"""

import functools
import struct
from typing import Any, Final

from cluster.network.stack import egress
from cluster.network.stack.nat.packet import Packet
from cluster.network.stack.nat.tcpstates import State
from cluster.network.stack.outbox import ByteQueue, FrameQueue
from cluster.network.stack.vtep import Tunnel
from cluster.network.wire import checksums, ethernet, ipv4, tcp, udp
from cluster.network.wire.frame import LEAST_SEGMENT, Frame

LARGEST: Final = 16384
"""Flows of a node at most; then all are forgotten, and those that go on are decided on again."""
_FIRST: Final = 34
"""Where the transport's header begins: flows have no options of IPv4."""
_TURNS: Final = tcp.SYN | tcp.FIN | tcp.RST
_ESTABLISHED: Final = State.ESTABLISHED
_TCP = struct.Struct("!6s6x3s5sH2xH12x12sH")
"""Ethernet, and how IPv4 begins; IPv4, to the fragment; that; its checksum; TCP, to its checksum;
that.
"""
_UDP = struct.Struct("!6s6x3s5sH2xH12x2sH")
_KIND: Final = b"\x08\x00\x45"
"""IPv4 without options."""
_FIELD: Final = {ipv4.TCP: tcp.CHECKSUM, ipv4.UDP: udp.CHECKSUM}
"""Where in the transport's header its checksum is."""


@functools.lru_cache(maxsize=16)
def _layout(link: int, middle: int) -> struct.Struct:
    """Headers as they leave, to the transport's checksum."""
    return struct.Struct(f"!{link}s5sH2sH12s{middle}sH")


def key(data: bytes) -> bytes:
    """The flow of a frame, if it is IPv4's without options and has ports."""
    return data[22:24] + data[26:38]


class Flow:
    """The packets of one direction of a connection, from one place to another."""

    __slots__ = (
        "_completes",
        "_field",
        "_frames",
        "_header_delta",
        "_layout",
        "_least",
        "_link",
        "_most",
        "_pack",
        "_partial_delta",
        "_ports",
        "_queue",
        "_tail",
        "_tcp",
        "_to",
        "_transport_delta",
        "_ttl",
        "_tunnel",
        "_way",
    )

    def __init__(
        self,
        packet: Packet,
        link: bytes,
        queue: FrameQueue | ByteQueue,
        *,
        hops: int,
        mtu: int,
        tunnel: Tunnel | None = None,
    ) -> None:
        """What becomes of packets like `packet`, which was decided on.

        link: the Ethernet header that they get; hops: what they lose of their time to live;
        tunnel: what encapsulates them.
        """
        header = packet.header
        ttl = header.ttl - hops
        self._tcp = header.protocol == ipv4.TCP
        self._layout = _TCP if self._tcp else _UDP
        self._least = _FIRST + (tcp.HEADER if self._tcp else udp.HEADER)
        self._tail = _FIRST + _FIELD[header.protocol] + 2
        self._to = packet.frame.data[:6]
        self._tunnel = tunnel
        self._link = (link if tunnel is None else tunnel.header + link) + b"\x45"
        self._queue: Any = queue
        self._frames = isinstance(queue, FrameQueue)
        self._completes = not (self._frames or (tunnel is not None and tunnel.whole))
        """Whether checksums have to be whole where packets leave."""
        self._field = _FIELD[header.protocol]
        self._ttl = bytes((ttl, header.protocol))
        self._header_delta = checksums.delta16(header.ttl << 8, ttl << 8)
        self._transport_delta = 0
        self._partial_delta = 0
        self._ports = packet.frame.data[26:38]
        self._way = packet.way
        rewrite = None if packet.way is None else packet.way.rewrite
        if rewrite is not None:
            self._ports = rewrite.addresses + rewrite.ports
            self._header_delta += rewrite.header_delta
            self._transport_delta = rewrite.transport_delta
            self._partial_delta = rewrite.partial_delta
        middle = self._tail - _FIRST - 6
        self._pack = _layout(len(self._link), middle).pack
        self._most = mtu + ethernet.HEADER

    def carry(self, now: float, frame: Frame) -> bool:
        """Send a frame of this flow on; False where the slow path must."""
        if not frame.csum_start:
            return self.carry_data(now, frame.data, trusted=frame.trusted)
        if frame.gso_size or not self._completes:
            return self._carry_whole(now, frame)
        data = frame.data
        if (
            not self._least <= len(data) <= self._most
            or frame.csum_start != _FIRST
            or frame.csum_offset != self._field
        ):
            return False
        to, kind, head, fragment, total, middle, _ = self._layout.unpack_from(data)
        if to != self._to or kind != _KIND or fragment & 0x3FFF:
            return False
        if not self._passes(now, middle):
            return False
        # The sum of all there is, partial checksum included, is the whole one; what is rewritten
        # changes it as it would change a whole one.
        body = int.from_bytes(data[_FIRST:], "big")
        if len(data) & 1:
            body <<= 8
        data = (
            self._pack(
                self._link,
                head,
                fragment,
                self._ttl,
                (total - self._header_delta) % 0xFFFF,
                self._ports,
                middle,
                (body + self._transport_delta) % 0xFFFF ^ 0xFFFF,
            )
            + data[self._tail :]
        )
        queue = self._queue
        if queue.items:
            queue.items.append(data)
        else:
            queue.push(data)
        return True

    def carry_data(self, now: float, data: bytes, *, trusted: bool = False) -> bool:
        """`carry` for a frame that is as on a wire."""
        if not self._least <= len(data) <= self._most:
            return False
        to, kind, head, fragment, total, middle, field = self._layout.unpack_from(data)
        if to != self._to or kind != _KIND or fragment & 0x3FFF:
            return False
        if not self._passes(now, middle):
            return False
        if self._tcp:
            field = (field - self._transport_delta) % 0xFFFF
        elif field:
            field = (field - self._transport_delta) % 0xFFFF or 0xFFFF
        data = (
            self._pack(
                self._link,
                head,
                fragment,
                self._ttl,
                (total - self._header_delta) % 0xFFFF,
                self._ports,
                middle,
                field,
            )
            + data[self._tail :]
        )
        item = Frame(data, 0, 0, 0, trusted) if self._frames else data
        queue = self._queue
        if queue.items:
            queue.items.append(item)
        else:
            queue.push(item)
        return True

    def _passes(self, now: float, middle: bytes) -> bool:
        """Whether a packet may pass by: it neither begins nor ends its connection, which is alive,
        and is kept so.
        """
        if self._tcp and middle[9] & _TURNS:
            return False
        way = self._way
        if way is not None:
            connection = way.connection
            if not connection.alive or (self._tcp and connection.state is not _ESTABLISHED):
                return False
            connection.seen = now
            way.packets += 1
        return True

    def _carry_whole(self, now: float, frame: Frame) -> bool:
        """`carry` for a frame whose checksum is still made later, and which may be long."""
        data = frame.data
        if len(data) < self._least:
            return False
        to, kind, head, fragment, total, middle, field = self._layout.unpack_from(data)
        if to != self._to or kind != _KIND or fragment & 0x3FFF:
            return False
        length = len(data)
        if frame.gso_size:
            length = _FIRST + (middle[8] >> 4 << 2) + frame.gso_size if self._tcp else 1 << 16
        if length > self._most or not frame_is_sound(frame, _FIRST):
            return False
        if not self._passes(now, middle):
            return False
        changed = self._pack(
            self._link,
            head,
            fragment,
            self._ttl,
            (total - self._header_delta) % 0xFFFF,
            self._ports,
            middle,
            (field + self._partial_delta) % 0xFFFF or 0xFFFF,
        )
        tunnel = self._tunnel
        if tunnel is not None:
            changed = changed[len(tunnel.header) :]
        whole = Frame(
            b"".join((changed, memoryview(data)[self._tail :])),  # it may be long: copied once
            frame.gso_size,
            frame.csum_start,
            frame.csum_offset,
            frame.trusted,
        )
        if self._frames:
            self._queue.push(whole)
            return True
        payloads = egress.datagrams(whole) if tunnel is None else tunnel.payloads(whole)
        for payload in payloads:
            self._queue.push(payload)
        return True


def frame_is_sound(frame: Frame, start: int) -> bool:
    """Whether what a frame says of its offloads fits its packet, whose payload is at `start`."""
    if not frame.csum_start:
        return not frame.gso_size
    protocol = frame.data[23]
    if frame.csum_start != start or frame.csum_offset != _FIELD.get(protocol):
        return False
    if not frame.gso_size:
        return True
    return protocol == ipv4.TCP and frame.gso_size >= LEAST_SEGMENT


def learnable(packet: Packet, *, tracked: bool) -> bool:
    """Whether others like a packet may pass by the cache from now on.

    tracked: whether there is address translation, which must know its connection then.
    """
    header = packet.header
    if header.protocol not in (ipv4.TCP, ipv4.UDP) or header.payload != _FIRST:
        return False
    if packet.frame.data[20] & 0x3F or packet.frame.data[21]:
        return False
    way = packet.way
    if way is None:
        return not tracked
    return way.connection.alive and way.connection.settled
