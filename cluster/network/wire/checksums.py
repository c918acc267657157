"""The Internet's checksum (RFC 1071), whole, of parts, and by difference (RFC 1624).

A *sum* is the one's complement sum of 16-bit words, 0 to 0xFFFF, not inverted; a *checksum* is what
stands in a header: the inverted sum. A *delta* is what a rewrite adds to a sum; deltas of several
rewrites are added up (and may grow past 16 bits), and are put in at once by `applied`.
"""

import struct

_SHORT = struct.Struct("!H")
_FEW = 6144
"""Bytes up to which one division by a big int is quicker than a call of numpy."""


def total(data: bytes | memoryview) -> int:
    """The sum of some bytes, 0 to 0xFFFF; an odd one at the end counts as if a zero followed.

    65536 is 1 modulo 65535, so the words' sum is the whole number's remainder.
    """
    if len(data) > _FEW:
        return _many(data)
    value = int.from_bytes(data, "big")
    if len(data) & 1:
        value <<= 8
    return value % 0xFFFF or (0xFFFF if value else 0)


def _many(data: bytes | memoryview) -> int:
    import numpy as np

    even = len(data) & ~1
    words = np.frombuffer(data, np.uint16, even >> 1)
    value = int(words.sum(dtype=np.uint64))
    if even != len(data):
        value += int.from_bytes(bytes((data[even], 0)), "little" if _LITTLE else "big")
    if not value:
        return 0
    value = value % 0xFFFF or 0xFFFF
    return (value & 0xFF) << 8 | value >> 8 if _LITTLE else value


_LITTLE = struct.pack("=H", 1) == b"\x01\x00"


def checksum(data: bytes | memoryview) -> int:
    """What a header's field must hold that is zero in `data`."""
    return total(data) ^ 0xFFFF


def pseudo(source: int, destination: int, protocol: int, length: int) -> int:
    """The sum of the pseudo-header of TCP or UDP with `length` bytes from its header on."""
    value = (
        (source >> 16)
        + (source & 0xFFFF)
        + (destination >> 16)
        + (destination & 0xFFFF)
        + protocol
        + length
    )
    value = (value & 0xFFFF) + (value >> 16)
    return (value & 0xFFFF) + (value >> 16)


def transport(source: int, destination: int, protocol: int, data: bytes) -> int:
    """The checksum of a TCP segment or UDP datagram whose own field is zero."""
    value = pseudo(source, destination, protocol, len(data)) + total(data)
    return ((value & 0xFFFF) + (value >> 16)) ^ 0xFFFF


def transport_valid(
    source: int, destination: int, protocol: int, data: bytes, *, start: int = 0, end: int = -1
) -> bool:
    """Whether the segment or datagram `data[start:end]` (-1: to the end) has a right checksum."""
    body = data[start:] if end < 0 else data[start:end]
    return (pseudo(source, destination, protocol, len(body)) + total(body)) % 0xFFFF == 0


def fold(value: int) -> int:
    """The sum that a number of any size and sign stands for."""
    return value % 0xFFFF or (0xFFFF if value else 0)


def delta16(old: int, new: int) -> int:
    """What a sum grows by when a word of 16 bits changes."""
    return (old ^ 0xFFFF) + new


def delta32(old: int, new: int) -> int:
    """What a sum grows by when an aligned word of 32 bits (an address) changes."""
    return (old >> 16 ^ 0xFFFF) + (old & 0xFFFF ^ 0xFFFF) + (new >> 16) + (new & 0xFFFF)


def applied(checksum: int, delta: int) -> int:
    """A header's checksum after a change: HC' = ~(~HC + ~m + m'), RFC 1624, equation 3.

    A UDP checksum of 0 (none) is the caller's to leave alone, and so is writing 0xFFFF for 0.
    """
    value = (checksum ^ 0xFFFF) + delta
    value = (value & 0xFFFF) + (value >> 16)
    return ((value & 0xFFFF) + (value >> 16)) ^ 0xFFFF


def partial_applied(field: int, delta: int) -> int:
    """A partial checksum (the pseudo-header's sum) after a change of an address. Ports: no part."""
    value = field + delta
    value = (value & 0xFFFF) + (value >> 16)
    return (value & 0xFFFF) + (value >> 16)
