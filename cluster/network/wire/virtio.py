"""The header of virtio-net before a frame (Virtual I/O Device 1.2, 5.1.6), as Linux has it.

TAP devices (IFF_VNET_HDR) and packet sockets (PACKET_VNET_HDR) give and take it: with it long
segments and unfinished checksums pass between a kernel and us.
"""

import struct

from cluster.network.wire import ipv4, udp
from cluster.network.wire.frame import LEAST_SEGMENT, Frame

HEADER = 10
NEEDS_CHECKSUM = 1
"""The checksum is partial. What the kernel reads of DATA_VALID it ignores."""
DATA_VALID = 2
TCPV4 = 1
UDP_L4 = 5
_ECN = 0x80
_MOST_DATAGRAMS = 128
"""Linux's UDP_MAX_SEGMENTS; who has a packet socket may ask for more."""
_HEADER = struct.Struct("=BBHHHH")
PLAIN = bytes(HEADER)
"""The header of a frame that is as it would be on a wire."""


def parse(header: bytes | bytearray, data: bytes) -> Frame | None:
    """What a device gave: the header, and the frame's bytes.

    None for a long segment that nobody asked for (of IPv6), or what makes no sense. Datagrams that
    a program sent at once (UDP_SEGMENT) come through veth so: `offload.datagrams` cuts them.
    """
    if header[:2] == b"\0\0":
        return Frame(data)
    flags, gso, _, size, start, offset = _HEADER.unpack(header)
    if gso and (gso & ~_ECN not in (TCPV4, UDP_L4) or not size or not flags & NEEDS_CHECKSUM):
        return None
    if not flags & NEEDS_CHECKSUM:
        return Frame(data, trusted=bool(flags & DATA_VALID))
    if not start or start + offset + 2 > len(data):
        return None
    if gso and (size < LEAST_SEGMENT or _is_flood(offset, size, len(data) - start)):
        return None
    return Frame(data, size if gso else 0, start, offset, trusted=True)


def _is_flood(offset: int, size: int, length: int) -> bool:
    """Whether `length` bytes of a datagram, cut by `size`, are more than a kernel sends at once."""
    return offset == udp.CHECKSUM and length - udp.HEADER > _MOST_DATAGRAMS * size


def header(frame: Frame) -> bytes:
    """The header that a device is to be given before a frame."""
    start = frame.csum_start
    if not start:
        return PLAIN
    if not frame.gso_size:
        return _HEADER.pack(NEEDS_CHECKSUM, 0, 0, 0, start, frame.csum_offset)
    data = frame.data
    if start + 13 > len(data) or data[23] != ipv4.TCP:
        return _HEADER.pack(NEEDS_CHECKSUM, 0, 0, 0, start, frame.csum_offset)
    length = start + (data[start + 12] >> 4 << 2)
    ecn = _ECN if data[start + 13] & 0x80 else 0
    return _HEADER.pack(
        NEEDS_CHECKSUM, TCPV4 | ecn, length, frame.gso_size, start, frame.csum_offset
    )
