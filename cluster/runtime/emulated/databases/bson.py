"""As much of BSON as commands and their answers need: strings, numbers, bytes, truths, documents.

Source: https://bsonspec.org
"""

import struct
from typing import Any, Final

_DEPTH: Final = 20
_ELEMENTS: Final = 1000
_PLAIN: Final = {0x01: ("<d", 8), 0x08: ("<?", 1), 0x09: ("<q", 8), 0x10: ("<i", 4),
                 0x11: ("<Q", 8), 0x12: ("<q", 8)}  # fmt: skip
_NAMELESS: Final = {0x06: 0, 0x07: 12, 0x0A: 0, 0x13: 16, 0xFF: 0, 0x7F: 0}
"""Types of a fixed size whose value nobody asks for."""


def encode(document: dict[str, Any]) -> bytes:
    """A document of strings, bytes, numbers, truths, lists and documents."""
    made = b"".join(_element(name, value) for name, value in document.items())
    return struct.pack("<i", len(made) + 5) + made + b"\0"


def _element(name: str, value: Any) -> bytes:
    key = name.encode() + b"\0"
    if isinstance(value, bool):
        return b"\x08" + key + bytes([value])
    if isinstance(value, int):
        if -(2**31) <= value < 2**31:
            return b"\x10" + key + struct.pack("<i", value)
        return b"\x12" + key + struct.pack("<q", value)
    if isinstance(value, float):
        return b"\x01" + key + struct.pack("<d", value)
    if isinstance(value, str):
        data = value.encode(errors="replace") + b"\0"
        return b"\x02" + key + struct.pack("<i", len(data)) + data
    if isinstance(value, bytes):
        return b"\x05" + key + struct.pack("<iB", len(value), 0) + value
    if isinstance(value, list):
        return b"\x04" + key + encode({str(at): one for at, one in enumerate(value)})
    return b"\x03" + key + encode(value)


def decode(data: bytes, depth: int = 0) -> dict[str, Any]:
    """A document; lists are documents by number, and other types None. ValueError."""
    if depth > _DEPTH or len(data) < 5:
        raise ValueError("no document")
    try:
        (size,) = struct.unpack_from("<i", data)
        if size < 5 or size > len(data):
            raise ValueError("a document of no such size")
        return _elements(data[4 : size - 1], depth)
    except (struct.error, IndexError) as error:
        raise ValueError(str(error)) from error


def _elements(data: bytes, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    at = 0
    while at < len(data):
        if len(found) >= _ELEMENTS:
            raise ValueError("too many elements")
        kind = data[at]
        end = data.index(0, at + 1)
        name = data[at + 1 : end].decode(errors="replace")
        found[name], at = _value(kind, data, end + 1, depth)
    return found


def _value(kind: int, data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """A value, and where the next element begins."""
    if kind in _PLAIN:
        form, size = _PLAIN[kind]
        return struct.unpack_from(form, data, at)[0], at + size
    if kind in _NAMELESS:
        return None, at + _NAMELESS[kind]
    (size,) = struct.unpack_from("<i", data, at)
    if size < 0 or at + size > len(data):
        raise ValueError("a value of no such size")
    if kind in (0x02, 0x0D, 0x0E):
        return data[at + 4 : at + 3 + size].decode(errors="replace"), at + 4 + size
    if kind in (0x03, 0x04):
        return decode(data[at : at + size], depth + 1), at + max(size, 5)
    if kind == 0x05:
        return data[at + 5 : at + 5 + size], at + 5 + size
    raise ValueError(f"a value of type {kind}")
