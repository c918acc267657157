"""How runtime and shim talk: one connection for each request, of frames.

A frame is a kind (1 byte), a length (4 bytes, big-endian) and that many bytes. The first one is the
request, a JSON object; the answer is a JSON object, and frames of a stream may follow both ways.
"""

import asyncio
import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final

JSON, DATA, ERROR, RESIZE, END = range(5)
"""An object; bytes (stdin, stdout, of a connection or log); stderr; columns and rows; no more."""
LONGEST: Final = 16 << 20
PIECE: Final = 64 << 10
_HEAD: Final = struct.Struct(">BI")
SIZE: Final = struct.Struct(">HH")
"""What a RESIZE carries: columns, rows."""


class Broken(Exception):
    """The other side speaks no frames, or went in the middle of one."""


def pack(kind: int, data: bytes = b"") -> bytes:
    """A frame."""
    return _HEAD.pack(kind, len(data)) + data


loads = json.loads
"""What a JSON frame holds."""


def document(value: Mapping[str, Any]) -> bytes:
    """A frame of JSON."""
    return pack(JSON, json.dumps(value).encode())


async def read(reader: asyncio.StreamReader) -> tuple[int, bytes] | None:
    """The next frame; None at the end. Broken."""
    try:
        kind, length = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        if length > LONGEST:
            raise Broken(f"a frame of {length} bytes")
        return kind, await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise Broken("it ended within a frame") from error
        return None
    except OSError as error:
        raise Broken(str(error)) from error


async def readable(descriptor: int) -> None:
    """Wait until something can be read."""
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    loop.add_reader(descriptor, wake)
    try:
        await waiter
    finally:
        loop.remove_reader(descriptor)


def taken(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """The whole frames at the begin of a buffer, which they leave."""
    while len(buffer) >= _HEAD.size:
        kind, length = _HEAD.unpack_from(buffer)
        end = _HEAD.size + length
        if len(buffer) < end:
            return
        piece = bytes(buffer[_HEAD.size : end])
        del buffer[:end]
        yield kind, piece


async def read_document(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next frame, which has to be an object; None at the end. Broken."""
    found = await read(reader)
    if found is None:
        return None
    kind, data = found
    try:
        value = json.loads(data) if kind == JSON else None
    except ValueError as error:
        raise Broken("what came is no JSON") from error
    if not isinstance(value, dict):
        raise Broken("what came is no object")
    return value
