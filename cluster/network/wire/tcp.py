"""TCP segments (RFC 9293) and options: MSS, window scale, SACK, timestamps (RFC 7323, 2018)."""

import struct
from typing import NamedTuple

from cluster.network.wire import checksums, ipv4

HEADER = 20
CHECKSUM = 16
"""Where in the header the checksum stands."""
FIN = 0x01
SYN = 0x02
RST = 0x04
PSH = 0x08
ACK = 0x10
URG = 0x20
ECE = 0x40
CWR = 0x80
LARGEST_SCALE = 14
_HEADER = struct.Struct("!HHIIHHHH")
_TIMESTAMPS = struct.Struct("!4xII")
_PAIR = struct.Struct("!II")
_TIMESTAMPS_ALONE = b"\x01\x01\x08\x0a"


class Options(NamedTuple):
    """What a segment's options say; the rest is skipped, as everywhere."""

    mss: int = 0
    """0: not said."""
    window_scale: int = -1
    """-1: not said; at most 14, whatever is said."""
    sack_permitted: bool = False
    timestamps: tuple[int, int] | None = None
    """The sender's value, and the value that it echoes."""
    sack: tuple[tuple[int, int], ...] = ()
    """Blocks that arrived: first sequence number, and the one after the last."""


NONE = Options()


class Segment(NamedTuple):
    """A segment. Sequence numbers are modulo 2**32, the window as in the header (not scaled)."""

    source: int
    destination: int
    sequence: int
    acknowledgment: int
    flags: int
    window: int
    urgent: int
    options: bytes
    payload: bytes


def parse(data: bytes, start: int, end: int) -> Segment | None:
    """The segment at `data[start:end]` (the payload of an IPv4 packet); None if malformed."""
    if end - start < HEADER or end > len(data):
        return None
    source, destination, sequence, acknowledgment, bits, window, _, urgent = _HEADER.unpack_from(
        data, start
    )
    payload = start + (bits >> 12 << 2)
    if payload < start + HEADER or payload > end:
        return None
    return Segment(
        source,
        destination,
        sequence,
        acknowledgment,
        bits & 0xFF,
        window,
        urgent,
        data[start + HEADER : payload],
        data[payload:end],
    )


def valid(data: bytes, source: int, destination: int, start: int, end: int) -> bool:
    """Whether the segment at `data[start:end]` has a right checksum."""
    return checksums.transport_valid(source, destination, ipv4.TCP, data, start=start, end=end)


def build(
    source: int,
    destination: int,
    segment: Segment,
    *,
    partial: bool = False,
) -> bytes:
    """The segment's bytes between two addresses; `options` must be whole words.

    With `partial` the checksum field has the pseudo-header's sum only (see `frame.Frame`).
    """
    bits = (5 + (len(segment.options) >> 2)) << 12 | segment.flags
    length = HEADER + len(segment.options) + len(segment.payload)
    value = checksums.pseudo(source, destination, ipv4.TCP, length)
    if not partial:
        value = checksums.fold(value + _sum(segment, bits)) ^ 0xFFFF
    fixed = _HEADER.pack(
        segment.source,
        segment.destination,
        segment.sequence,
        segment.acknowledgment,
        bits,
        segment.window,
        value,
        segment.urgent,
    )
    return b"".join((fixed, segment.options, segment.payload))


def _sum(segment: Segment, bits: int) -> int:
    sequence, acknowledgment = segment.sequence, segment.acknowledgment
    return (
        segment.source
        + segment.destination
        + (sequence >> 16)
        + (sequence & 0xFFFF)
        + (acknowledgment >> 16)
        + (acknowledgment & 0xFFFF)
        + bits
        + segment.window
        + segment.urgent
        + checksums.total(segment.options)
        + checksums.total(segment.payload)
    )


def options(raw: bytes) -> Options:
    """What options say. A malformed one ends the reading, as in Linux."""
    if not raw:
        return NONE
    if len(raw) == 12 and raw.startswith(_TIMESTAMPS_ALONE):
        return Options(timestamps=_TIMESTAMPS.unpack(raw))
    found = NONE
    at = 0
    while at < len(raw) and raw[at] != 0:
        if raw[at] == 1:
            at += 1
            continue
        length = raw[at + 1] if at + 1 < len(raw) else 0
        if length < 2 or at + length > len(raw):
            break
        found = _with(found, raw[at], raw[at + 2 : at + length])
        at += length
    return found


def _with(found: Options, kind: int, value: bytes) -> Options:
    match kind, len(value):
        case 2, 2:
            return found._replace(mss=int.from_bytes(value, "big"))
        case 3, 1:
            return found._replace(window_scale=min(value[0], LARGEST_SCALE))
        case 4, 0:
            return found._replace(sack_permitted=True)
        case 8, 8:
            return found._replace(timestamps=_PAIR.unpack(value))
        case 5, 8 | 16 | 24 | 32:
            return found._replace(sack=tuple(_PAIR.iter_unpack(value)))
    return found


def build_options(given: Options) -> bytes:
    """The bytes of options, in Linux's order, padded to whole words. At most 40 bytes.

    SACK blocks that have no room are left out.
    """
    parts: list[bytes] = []
    if given.mss:
        parts.append(b"\x02\x04" + given.mss.to_bytes(2, "big"))
    if given.timestamps is not None:
        lead = b"\x04\x02" if given.sack_permitted else b"\x01\x01"
        parts.append(lead + b"\x08\x0a" + _PAIR.pack(*given.timestamps))
    elif given.sack_permitted:
        parts.append(b"\x01\x01\x04\x02")
    if given.window_scale >= 0:
        parts.append(b"\x01\x03\x03" + bytes((given.window_scale,)))
    room = (40 - sum(map(len, parts)) - 4) // 8
    if given.sack and room > 0:
        blocks = given.sack[:room]
        parts.append(bytes((1, 1, 5, 2 + 8 * len(blocks))))
        parts.extend(_PAIR.pack(*block) for block in blocks)
    return b"".join(parts)


def before(one: int, other: int) -> bool:
    """Whether a sequence number comes before another, modulo 2**32."""
    return (one - other) & 0xFFFFFFFF > 0x7FFFFFFF


def distance(start: int, end: int) -> int:
    """How far `end` lies after `start` (negative: before), modulo 2**32."""
    return ((end - start + 0x80000000) & 0xFFFFFFFF) - 0x80000000
