"""The protobuf encoding: fields of a message as (number, value), nothing of their meaning.

https://protobuf.dev/programming-guides/encoding/
"""

import struct
from collections.abc import Iterator

VARINT, I64, LEN, I32 = 0, 1, 2, 5


class Malformed(ValueError):
    """The bytes are not a protobuf message."""


def fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Each field in order: an int for varints (unsigned), a float for I32 and I64, else bytes."""
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        value: int | float | bytes
        if kind == VARINT:
            value, position = _varint(data, position)
        elif kind == LEN:
            length, position = _varint(data, position)
            value = data[position : position + length]
            position += length
        elif kind in (I64, I32):
            size = 8 if kind == I64 else 4
            if position + size > end:
                raise Malformed("the message ends inside a field")
            (value,) = struct.unpack_from("<d" if kind == I64 else "<f", data, position)
            position += size
        else:
            raise Malformed(f"wire type {kind} is not known")
        if position > end or number == 0:
            raise Malformed("the message ends inside a field")
        yield number, value


def signed(value: int) -> int:
    """A varint as the two's complement 64-bit number that int32 and int64 fields hold."""
    return value - (1 << 64) if value >= 1 << 63 else value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise Malformed("the message ends inside a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
        shift += 7


def packed(data: bytes) -> Iterator[int]:
    """The varints of a packed field, unsigned."""
    position = 0
    while position < len(data):
        value, position = _varint(data, position)
        yield value


def tag(number: int, kind: int) -> bytes:
    """What stands before the value of field `number`."""
    return varint(number << 3 | kind)


def varint(value: int) -> bytes:
    """A number as it is written; a negative one as its two's complement of 64 bits."""
    if 0 <= value < 0x80:
        return _SMALL[value]
    value &= 0xFFFFFFFFFFFFFFFF
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


_SMALL = [bytes((value,)) for value in range(0x80)]
