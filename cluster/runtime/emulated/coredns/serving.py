"""Questions by UDP and TCP: who is asked, and what goes back."""

import asyncio
from typing import Final, Protocol

import structlog

from cluster.aio import tasks
from cluster.runtime.emulated.coredns.messages import (
    SERVFAIL,
    Query,
    Reply,
    packed,
    parsed,
)
from cluster.runtime.emulated.coredns.plugins.plugin import Failed
from cluster.runtime.vos.sockets import Datagrams, Endpoint, Listener, Stream

_AT_ONCE: Final = 2048
"""Questions that are answered at the same time; what comes besides is lost."""
_CONNECTIONS: Final = 512
_IDLE: Final = 10.0
_LONGEST: Final = 30.0
"""Seconds after which a question is given up."""


class Asked(Protocol):
    """What answers at a port."""

    async def ask(self, query: Query, port: int) -> Reply:
        """Answer. Failed."""


class Sockets:
    """The sockets of one port, which outlive what answers at it."""

    def __init__(self, asked: Asked, port: int, group: tasks.Group) -> None:
        self.asked = asked
        self._port = port
        self._group = group
        self._busy = self._open = 0
        self._sockets: list[Datagrams | Listener] = []

    def serve(self, datagrams: Datagrams, listener: Listener) -> None:
        """Answer what comes to these."""
        self._sockets = [datagrams, listener]
        self._group.spawn(self._receive(datagrams), f"udp-{self._port}")
        self._group.spawn(self._accept(listener), f"tcp-{self._port}")

    def close(self) -> None:
        """Answer no more."""
        for one in self._sockets:
            one.close()

    async def _receive(self, socket: Datagrams) -> None:
        while True:
            try:
                data, client = await socket.receive()
            except ConnectionRefusedError:
                continue  # a client that is gone
            except OSError:
                return
            if self._busy < _AT_ONCE:
                self._busy += 1
                self._group.spawn(self._datagram(socket, data, client), "question")

    async def _datagram(self, socket: Datagrams, data: bytes, client: Endpoint) -> None:
        try:
            answer = await self._answer(data, client, "udp")
            if answer is not None:
                socket.send(answer, client)
        except OSError:
            return  # the client cannot be reached, or the socket is closed
        finally:
            self._busy -= 1

    async def _accept(self, listener: Listener) -> None:
        while True:
            try:
                stream = await listener.accept()
            except OSError:
                return
            if self._open >= _CONNECTIONS:
                stream.abort()
                continue
            self._open += 1
            self._group.spawn(self._converse(stream), "connection")

    async def _converse(self, stream: Stream) -> None:
        try:
            while (data := await self._message(stream)) is not None:
                answer = await self._answer(data, stream.peer, "tcp")
                if answer is None:
                    break
                async with asyncio.timeout(_IDLE):
                    await stream.send(len(answer).to_bytes(2, "big") + answer)
        except OSError:
            stream.abort()
        finally:
            self._open -= 1
            stream.close()

    async def _message(self, stream: Stream) -> bytes | None:
        """The next question of a connection. OSError, TimeoutError."""
        async with asyncio.timeout(_IDLE):
            head = await _exactly(stream, 2)
            return await _exactly(stream, int.from_bytes(head, "big")) if head else None

    async def _answer(self, data: bytes, client: Endpoint, protocol: str) -> bytes | None:
        query = parsed(data, client, protocol)
        if not isinstance(query, Query):
            return query
        try:
            async with asyncio.timeout(_LONGEST):
                return packed(query, await self.asked.ask(query, self._port))
        except (Failed, TimeoutError):
            reply = Reply(SERVFAIL)
        except Exception:
            log = structlog.get_logger()
            log.exception("an emulated name server failed", name=query.name[:200])
            reply = Reply(SERVFAIL)
        return packed(query, reply)


async def _exactly(stream: Stream, size: int) -> bytes:
    """So many bytes; b"" at the peer's end before the first one. OSError."""
    found = b""
    while len(found) < size:
        data = await stream.receive(size - len(found))
        if not data:
            if found:
                raise ConnectionResetError
            return b""
        found += data
    return found
