"""Joins a connection of the overlay to a real one of the machine: bytes, ends and resets."""

import asyncio
import contextlib
import socket
import struct
from typing import Final

from cluster.aio import tasks
from cluster.runtime.vos.sockets import Stream

PIECE: Final = 65536
"""Bytes that are read at once; as much waits at most on either side, beside the sockets' own."""
_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER that closes with a reset."""


async def join(near: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes both ways until both sides have ended. A reset of the one resets the other.

    Each side waits while the other is slow. Both are closed at the end, whatever it was.
    """
    try:
        async with tasks.Group("splice") as group:
            group.spawn(_inward(reader, near), "in")
            group.spawn(_outward(near, writer), "out")
    except (OSError, RuntimeError):  # uvloop's word for a transport that was just closed
        near.abort()
        reset(writer)
    except BaseException:
        near.abort()
        reset(writer)
        raise
    finally:
        near.close()
        writer.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    writer.transport.abort()


async def _inward(reader: asyncio.StreamReader, near: Stream) -> None:
    while data := await reader.read(PIECE):
        await near.send(data)
    near.end()


async def _outward(near: Stream, writer: asyncio.StreamWriter) -> None:
    while data := await near.receive(PIECE):
        if writer.is_closing():
            raise ConnectionResetError
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof() and not writer.is_closing():
        writer.write_eof()
