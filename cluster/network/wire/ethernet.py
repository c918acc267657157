"""Ethernet II."""

import struct
from typing import NamedTuple

HEADER = 14
"""Bytes of a header."""
IPV4 = 0x0800
ARP = 0x0806
IPV6 = 0x86DD
LEAST = 60
"""Bytes that a frame on a cable has at least; what is missing is padded. Virtual links do not."""
_HEADER = struct.Struct("!6s6sH")


class Header(NamedTuple):
    """Who sends what to whom on a link."""

    destination: bytes
    source: bytes
    type: int


def parse(data: bytes) -> Header | None:
    """A frame's header; None where it has none."""
    if len(data) < HEADER:
        return None
    return Header._make(_HEADER.unpack_from(data))


def build(destination: bytes, source: bytes, type: int, payload: bytes) -> bytes:
    """A frame."""
    return destination + source + type.to_bytes(2, "big") + payload
