"""Byte pipes to and from a client that has upgraded its connection.

A pipe holds a bounded number of bytes that were not read yet, and its writer waits for a client
that does not keep up; so neither way can one slow end fill the memory.
"""

import asyncio
import socket
from collections import deque
from typing import Any, Final, Protocol, cast

import aiohttp
from aiohttp import web

_READ_AHEAD: Final = 1 << 17
_KEEP_ALIVE: Final = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))


class Pipe(Protocol):
    """Bytes both ways."""

    async def read(self) -> bytes:
        """The next bytes; b"" when the other end sends no more."""

    async def write(self, data: bytes) -> None:
        """Send; in the order of the calls. Waits while the other end is slow. ConnectionError."""

    def close(self) -> None:
        """Send what is written, and hang up."""


class TransportPipe(asyncio.Protocol):
    """The rest of an HTTP connection, after `Switching Protocols`.

    It takes the transport over from `before`, which still hears that the connection is lost.
    """

    def __init__(self, transport: asyncio.Transport, before: asyncio.Protocol) -> None:
        self._transport = transport
        self._before = before
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._ended = False
        self._lost = False
        self._reader: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._room.set()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._parts.append(data)
        self._size += len(data)
        if self._size >= _READ_AHEAD and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """The client sends no more: it is gone, for these protocols have ends of their own."""
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._ended = self._lost = True
        self._room.set()
        self._wake()
        self._before.connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not keep up."""
        self._room.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._room.set()

    async def read(self) -> bytes:
        """See `Pipe.read`."""
        while not self._parts:
            if self._ended:
                return b""
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        data = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        """See `Pipe.write`."""
        if self._lost or self._transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self._transport.write(data)
        await self._room.wait()
        if self._lost:
            raise ConnectionResetError("the client is gone")

    def close(self) -> None:
        """See `Pipe.close`."""
        self._transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        self._transport.abort()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


class MessagePipe:
    """Bytes in the binary messages of a WebSocket: how SPDY is tunnelled."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        """See `Pipe.read`."""
        while True:
            message = await self._socket.receive()
            if message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                data = message.data
                if data:
                    return cast(bytes, data if isinstance(data, bytes) else data.encode())
            else:
                return b""

    async def write(self, data: bytes) -> None:
        """See `Pipe.write`."""
        await self._socket.send_bytes(data)

    def close(self) -> None:
        """The WebSocket is closed by whoever opened it."""


def watch_closely(transport: Any) -> None:
    """Have the kernel ask a silent client for a sign of life, so that a dead one is noticed."""
    found = transport.get_extra_info("socket")
    if found is None:
        return
    for name, value in _KEEP_ALIVE:
        option = getattr(socket, name, None)
        if option is not None:
            try:
                found.setsockopt(socket.IPPROTO_TCP, option, value)
            except OSError:
                return  # no TCP
