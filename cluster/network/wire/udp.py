"""UDP (RFC 768)."""

import struct
from typing import NamedTuple

from cluster.network.wire import checksums, ipv4

HEADER = 8
CHECKSUM = 6
"""Where in the header the checksum stands."""
_HEADER = struct.Struct("!HHHH")


class Header(NamedTuple):
    """A datagram's header, and where in the data its payload lies."""

    source: int
    destination: int
    checksum: int
    """0 where the sender made none."""
    payload: int
    end: int


def parse(data: bytes, start: int, end: int) -> Header | None:
    """The datagram at `data[start:end]` (the payload of an IPv4 packet); None if malformed."""
    if end - start < HEADER or end > len(data):
        return None
    source, destination, length, checksum = _HEADER.unpack_from(data, start)
    if length < HEADER or start + length > end:
        return None
    return Header(source, destination, checksum, start + HEADER, start + length)


def valid(data: bytes, source: int, destination: int, header: Header) -> bool:
    """Whether the checksum is right, or none, for a datagram between two addresses."""
    start = header.payload - HEADER
    return not header.checksum or checksums.transport_valid(
        source, destination, ipv4.UDP, data, start=start, end=header.end
    )


def build(
    source: int, destination: int, source_port: int, destination_port: int, payload: bytes
) -> bytes:
    """A datagram with its checksum. The payload has at most 65,507 bytes."""
    length = HEADER + len(payload)
    value = (
        checksums.pseudo(source, destination, ipv4.UDP, length)
        + source_port
        + destination_port
        + length
        + checksums.total(payload)
    )
    checksum = checksums.fold(value) ^ 0xFFFF or 0xFFFF
    return _HEADER.pack(source_port, destination_port, length, checksum) + payload
