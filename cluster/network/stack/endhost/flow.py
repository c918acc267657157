"""A connection with its ends, and the frames of its segments."""

import struct
from collections.abc import Callable
from typing import Final

from cluster.network.stack.endpoint import Endpoint
from cluster.network.stack.tcp.connection import Connection
from cluster.network.stack.tcp.segment import Offer, Segment
from cluster.network.wire import ethernet, ipv4, tcp
from cluster.network.wire.frame import Frame

KEY: Final = struct.Struct("!IIHH")
"""What names a flow: the peer's address and ours, the peer's port and ours, as in its packets."""
TTL: Final = 64
_FIXED = struct.Struct("!6s6sHHHHHHHIIHHIIHHHH")
_STAMPED = struct.Struct("!6s6sHHHHHHHIIHHIIHHHHIII")
_STAMPS: Final = 0x0101080A
_START: Final = ethernet.HEADER + ipv4.HEADER
_NEVER: Final = float("inf")


def key(peer: Endpoint, local: Endpoint) -> bytes:
    """The name of a flow, as it stands in the peer's packets."""
    return KEY.pack(peer.address, local.address, peer.port, local.port)


class Framing:
    """Makes frames of segments between two ends. Checksums are left to whoever cuts them."""

    __slots__ = ("_header_sum", "_identification", "_local", "_peer", "_pseudo_sum")

    def __init__(self, local: Endpoint, peer: Endpoint, identification: int = 0) -> None:
        self._local = local
        self._peer = peer
        self._identification = identification
        ends = (
            (local.address >> 16)
            + (local.address & 0xFFFF)
            + (peer.address >> 16)
            + (peer.address & 0xFFFF)
        )
        self._header_sum = 0x4500 + ipv4.DONT_FRAGMENT + (TTL << 8 | ipv4.TCP) + ends
        self._pseudo_sum = ends + ipv4.TCP

    def frame(self, destination: bytes, source: bytes, segment: Segment) -> Frame:
        """The frame of a segment, between two Ethernet addresses."""
        payload, stamps = segment.payload, segment.stamps
        plain = not segment.sack and segment.offer is None
        options = b"" if plain else tcp.build_options(_options(segment))
        stamped = plain and stamps is not None
        header = tcp.HEADER + (12 if stamped else len(options))
        length = header + len(payload)
        whole = length + ipv4.HEADER
        size = segment.gso_size
        number = self._identification
        self._identification = (number + (len(payload) // size + 1 if size else 1)) & 0xFFFF
        pseudo = self._pseudo_sum + length
        pseudo = (pseudo & 0xFFFF) + (pseudo >> 16)
        local, peer = self._local, self._peer
        fixed = (
            destination,
            source,
            ethernet.IPV4,
            0x4500,
            whole,
            number,
            ipv4.DONT_FRAGMENT,
            TTL << 8 | ipv4.TCP,
            (self._header_sum + whole + number) % 0xFFFF ^ 0xFFFF,
            local.address,
            peer.address,
            local.port,
            peer.port,
            segment.sequence,
            segment.acknowledgment,
            header << 10 | segment.flags,
            segment.window,
            (pseudo & 0xFFFF) + (pseudo >> 16),
            0,
        )
        if stamped and stamps is not None:
            data = _STAMPED.pack(*fixed, _STAMPS, *stamps) + payload
        else:
            data = _FIXED.pack(*fixed) + options + payload
        return Frame(data, size, _START, tcp.CHECKSUM, True)


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
        "connection",
        "framing",
        "hop",
        "key",
        "local",
        "peer",
        "timer_at",
        "watch",
    )

    def __init__(
        self, local: Endpoint, peer: Endpoint, connection: Connection, hop: int, number: int
    ) -> None:
        self.local = local
        self.peer = peer
        self.key = key(peer, local)
        self.connection = connection
        self.hop = hop
        self.framing = Framing(local, peer, number)
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
