"""VXLAN (RFC 7348), strictly: the I flag is set, the rest of the header is zero but the VNI."""

import struct

PORT = 4789
"""IANA's. (Linux without a word takes 8472.)"""
HEADER = 8
OVERHEAD = 50
"""Bytes that encapsulation takes of the underlay's MTU: Ethernet, IPv4, UDP and VXLAN headers."""
_HEADER = struct.Struct("!II")
_VALID_VNI = 0x08000000


def header(vni: int) -> bytes:
    """The header of every datagram of a network."""
    return _HEADER.pack(_VALID_VNI, vni << 8)


def parse(data: bytes) -> int | None:
    """The VNI of a datagram, whose frame begins at `HEADER`; None where it is malformed.

    Reserved bits are ignored (RFC 7348, section 5); without the I flag it is no VXLAN.
    """
    if len(data) < HEADER or not data[0] & 0x08:
        return None
    return int.from_bytes(data[4:7], "big")
