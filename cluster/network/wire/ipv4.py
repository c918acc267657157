"""IPv4 (RFC 791): headers with options, fragments."""

import struct
from typing import NamedTuple

from cluster.network.wire import checksums, ethernet

HEADER = 20
"""Bytes of a header without options."""
ICMP = 1
TCP = 6
UDP = 17
DONT_FRAGMENT = 0x4000
MORE_FRAGMENTS = 0x2000
OFFSET_MASK = 0x1FFF
LARGEST = 65535
COPIED = 0x80
"""The flag of an option's type that has it copied into every fragment."""
_HEADER = struct.Struct("!BBHHHBBHII")


class Header(NamedTuple):
    """What a packet's header says, and where in the frame the packet lies."""

    offset: int
    """Where the header begins."""
    payload: int
    """Where it ends, and the payload begins."""
    end: int
    """Where the packet ends: what follows is padding of the link."""
    tos: int
    identification: int
    fragment: int
    """Flags and fragment offset (in 8 bytes), as on the wire."""
    ttl: int
    protocol: int
    source: int
    destination: int

    @property
    def is_fragment(self) -> bool:
        """Whether it is a part of a packet: with more to come, or not the first."""
        return bool(self.fragment & (MORE_FRAGMENTS | OFFSET_MASK))

    @property
    def fragment_offset(self) -> int:
        """Where the payload belongs in the whole packet's, in bytes."""
        return (self.fragment & OFFSET_MASK) << 3

    @property
    def more_fragments(self) -> bool:
        """Whether others follow."""
        return bool(self.fragment & MORE_FRAGMENTS)

    @property
    def dont_fragment(self) -> bool:
        """Whether who cannot pass it on whole must say so."""
        return bool(self.fragment & DONT_FRAGMENT)


def parse(data: bytes, offset: int = ethernet.HEADER, *, verify: bool = True) -> Header | None:
    """The header at `offset`; None where it is malformed.

    Malformed (RFC 1122, 3.2.1): another version, lengths that do not fit, a wrong header checksum
    (unless it is not to be verified), a fragment that would reach past 65,535 bytes.
    """
    if len(data) < offset + HEADER:
        return None
    first, tos, length, identification, fragment, ttl, protocol, _, source, destination = (
        _HEADER.unpack_from(data, offset)
    )
    header = (first & 0xF) << 2
    if first >> 4 != 4 or header < HEADER or length < header or offset + length > len(data):
        return None
    if verify and int.from_bytes(data[offset : offset + header], "big") % 0xFFFF:
        return None
    if fragment & OFFSET_MASK and ((fragment & OFFSET_MASK) << 3) + length > LARGEST:
        return None
    return Header(
        offset,
        offset + header,
        offset + length,
        tos,
        identification,
        fragment,
        ttl,
        protocol,
        source,
        destination,
    )


def header(
    source: int,
    destination: int,
    protocol: int,
    length: int,
    *,
    ttl: int = 64,
    tos: int = 0,
    identification: int = 0,
    fragment: int = DONT_FRAGMENT,
    options: bytes = b"",
) -> bytes:
    """A header, with its checksum, for a payload of `length` bytes.

    `options` must be whole words (a multiple of 4 bytes, at most 40).
    """
    words = 5 + (len(options) >> 2)
    whole = (words << 2) + length
    value = (
        (0x40 | words) * 256
        + tos
        + whole
        + identification
        + fragment
        + ttl * 256
        + protocol
        + (source >> 16)
        + (source & 0xFFFF)
        + (destination >> 16)
        + (destination & 0xFFFF)
    )
    if options:
        value += checksums.total(options)
    checksum = value % 0xFFFF ^ 0xFFFF
    fixed = _HEADER.pack(
        0x40 | words,
        tos,
        whole,
        identification,
        fragment,
        ttl,
        protocol,
        checksum if checksum != 0xFFFF else 0,
        source,
        destination,
    )
    return fixed + options


def fragments(packet: bytes, mtu: int) -> list[bytes]:
    """An IPv4 packet (without a link's header) as pieces of at most `mtu` bytes.

    Whether it may be cut at all is the caller's to ask. Options are repeated where their type
    says so (RFC 791, 3.1). `mtu` is 68 at least.
    """
    parsed = parse(packet, 0, verify=False)
    if parsed is None or parsed.end <= mtu:
        return [packet]
    options = packet[HEADER : parsed.payload]
    pieces: list[bytes] = []
    position = parsed.payload
    while position < parsed.end:
        room = (mtu - HEADER - len(options)) & ~7
        piece = packet[position : min(position + room, parsed.end)]
        last = position + len(piece) == parsed.end
        more = 0 if last and not parsed.more_fragments else MORE_FRAGMENTS
        offset = (parsed.fragment & OFFSET_MASK) + (position - parsed.payload >> 3)
        pieces.append(_fragment(parsed, len(piece), more | offset, options) + piece)
        if position == parsed.payload:
            options = _copied(options)
        position += len(piece)
    return pieces


def _fragment(parsed: Header, length: int, fragment: int, options: bytes) -> bytes:
    return header(
        parsed.source,
        parsed.destination,
        parsed.protocol,
        length,
        ttl=parsed.ttl,
        tos=parsed.tos,
        identification=parsed.identification,
        fragment=fragment,
        options=options,
    )


def _copied(options: bytes) -> bytes:
    """The options that every fragment has, padded to whole words."""
    kept = b""
    at = 0
    while at < len(options) and options[at] != 0:
        if options[at] == 1:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if length < 2 or at + length > len(options):
            break
        if options[at] & COPIED:
            kept += options[at : at + length]
        at += length
    return kept + bytes(-len(kept) % 4)
