"""A connection with its ends, and the frames of its segments."""

import struct
from collections.abc import Callable
from typing import Final

from cluster.network.stack.endpoint import Endpoint
from cluster.network.stack.tcp.connection import Connection
from cluster.network.stack.tcp.segment import Offer, Segment
from cluster.network.wire import checksums, ethernet, ipv4, tcp
from cluster.network.wire.frame import Frame

KEY: Final = struct.Struct("!IIHH")
"""What names a flow: the peer's address and ours, the peer's port and ours, as in its packets."""
TTL: Final = 64
_FIXED = struct.Struct("!16sHH4sH12sIIHHH2s")
_STAMPED = struct.Struct("!16sHH4sH12sIIHHH6sII")
_LEAD: Final = b"\x00\x00\x01\x01\x08\x0a"
"""No urgent data, and the option of timestamps as all write it."""
_BETWEEN: Final = struct.pack("!HBB", ipv4.DONT_FRAGMENT, TTL, ipv4.TCP)
_START: Final = ethernet.HEADER + ipv4.HEADER
_NEVER: Final = float("inf")


def key(peer: Endpoint, local: Endpoint) -> bytes:
    """The name of a flow, as it stands in the peer's packets."""
    return KEY.pack(peer.address, local.address, peer.port, local.port)


class Framing:
    """Makes frames of segments between two ends. Checksums are left to whoever cuts them."""

    __slots__ = ("_ends", "_header_sum", "_identification", "_lead", "_pseudo_sum", "destination")

    def __init__(self, local: Endpoint, peer: Endpoint, identification: int = 0) -> None:
        self._identification = identification
        self._ends = KEY.pack(local.address, peer.address, local.port, peer.port)
        ends = (
            (local.address >> 16)
            + (local.address & 0xFFFF)
            + (peer.address >> 16)
            + (peer.address & 0xFFFF)
        )
        self._header_sum = 0x4500 + ipv4.DONT_FRAGMENT + (TTL << 8 | ipv4.TCP) + ends
        self._pseudo_sum = checksums.fold(ends + ipv4.TCP)
        self.destination = b""
        self._lead = b""

    def lead(self, destination: bytes, source: bytes) -> None:
        """From now on frames go from one Ethernet address to another; b"": to be said later."""
        self.destination = destination
        self._lead = (destination or bytes(6)) + source + b"\x08\x00\x45\x00"

    def frame(self, segment: Segment) -> Frame:
        """The frame of a segment."""
        payload, stamps = segment.payload, segment.stamps
        size = segment.gso_size
        if stamps is not None and not segment.sack and segment.offer is None:
            return self.plain(
                segment.flags,
                segment.sequence,
                segment.acknowledgment,
                segment.window,
                stamps[0],
                stamps[1],
                payload,
                size,
            )
        number = self._identification
        self._identification = (number + (len(payload) // size + 1 if size else 1)) & 0xFFFF
        return Frame(self._odd(segment, number), size, _START, tcp.CHECKSUM, True)

    def plain(  # noqa: PLR0917  (a segment's fields: see `tcp.plain`)
        self,
        flags: int,
        sequence: int,
        acknowledgment: int,
        window: int,
        stamp: int,
        echoed: int,
        payload: bytes | bytearray,
        size: int = 0,
    ) -> Frame:
        """The frame of a segment with timestamps and no other options, to be cut into pieces of
        `size` bytes where that is not 0.
        """
        number = self._identification
        self._identification = (number + (len(payload) // size + 1 if size else 1)) & 0xFFFF
        length = len(payload) + 32
        whole = length + 20
        pseudo = self._pseudo_sum + length
        data = _STAMPED.pack(
            self._lead,
            whole,
            number,
            _BETWEEN,
            (self._header_sum + whole + number) % 0xFFFF ^ 0xFFFF,
            self._ends,
            sequence,
            acknowledgment,
            0x8000 | flags,
            window,
            pseudo if pseudo <= 0xFFFF else pseudo - 0xFFFF,
            _LEAD,
            stamp,
            echoed,
        )
        return Frame(data + payload, size, _START, tcp.CHECKSUM, True)

    def _odd(self, segment: Segment, number: int) -> bytes:
        """The frame of a segment with other options, or none."""
        options = tcp.build_options(_options(segment))
        header = tcp.HEADER + len(options)
        length = header + len(segment.payload)
        whole = length + ipv4.HEADER
        fixed = _FIXED.pack(
            self._lead,
            whole,
            number,
            _BETWEEN,
            (self._header_sum + whole + number) % 0xFFFF ^ 0xFFFF,
            self._ends,
            segment.sequence,
            segment.acknowledgment,
            header << 10 | segment.flags,
            segment.window,
            checksums.fold(self._pseudo_sum + length),
            bytes(2),
        )
        return b"".join((fixed, options, segment.payload))


def _options(segment: Segment) -> tcp.Options:
    offer = segment.offer
    if offer is None:
        return tcp.Options(timestamps=segment.stamps, sack=segment.sack)
    return tcp.Options(offer.mss, offer.scale, offer.sack, segment.stamps)


class Flow:
    """A connection of a host. `watch`, if set, is called with bits of `tcp.events` in `Host.pull`;
    in it anything of the connection may be called.
    """

    __slots__ = (
        "addresses",
        "connection",
        "framing",
        "generation",
        "hop",
        "key",
        "local",
        "peer",
        "timer_at",
        "until",
        "watch",
    )

    def __init__(
        self, local: Endpoint, peer: Endpoint, connection: Connection, hop: int, number: int
    ) -> None:
        self.local = local
        self.peer = peer
        self.key = key(peer, local)
        self.addresses = checksums.total(self.key[:8])
        """Their sum, as part of the checksum of a packet's header."""
        self.connection = connection
        self.hop = hop
        self.framing = Framing(local, peer, number)
        self.until = -_NEVER
        """Until when the hop's Ethernet address need not be asked for."""
        self.generation = 0
        """Of the table of neighbours that it was found in."""
        self.watch: Callable[[int], None] | None = None
        self.timer_at = _NEVER
        """The earliest time at which the host will look at its deadline."""


def segment_of(data: bytes, start: int, end: int) -> tuple[tcp.Segment, Segment] | None:
    """The segment at `data[start:end]`, as on the wire and as connections read it."""
    parsed = tcp.parse(data, start, end)
    if parsed is None:
        return None
    options = tcp.options(parsed.options)
    offer = None
    if parsed.flags & tcp.SYN:
        offer = Offer(options.mss or 536, options.window_scale, options.sack_permitted)
    return parsed, Segment(
        parsed.flags,
        parsed.sequence,
        parsed.acknowledgment,
        parsed.window,
        parsed.payload,
        options.timestamps,
        options.sack,
        offer,
    )
