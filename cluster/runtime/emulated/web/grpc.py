"""gRPC on a pod's sockets: `grpcserving` is the protocol, this is the shell round it.

A port may speak HTTP/1.1, too, as servers do that tell them apart by their first bytes. A client
has `_HEAD` seconds to say what it speaks; after that it may stay.
"""

import asyncio
from typing import Any, Final, cast

from cluster.aio import tasks
from cluster.runtime.emulated.web.serving import MAX_CONNECTIONS, Server
from cluster.runtime.grpcserving import Http2, Service
from cluster.runtime.vos import sockets
from cluster.runtime.vos.sockets import Listener, Stream

_PREFACE: Final = b"PRI * HTTP/2.0\r\n"
_HEAD: Final = 60.0


class Grpc:
    """Serves a service to whoever connects, in tasks of `group`; those who speak HTTP/1.1 are
    handed to `other`, or let go.
    """

    def __init__(self, service: Service, group: tasks.Group, other: Server | None = None) -> None:
        self._service = service
        self._group = group
        self._other = other
        self._open = self._accepted = 0

    def listen(self, listener: Listener) -> asyncio.Task[None]:
        """Serve what connects, until the listener is closed."""
        return self._group.spawn(self._accept(listener), f"accept-{listener.local.port}")

    async def _accept(self, listener: Listener) -> None:
        while True:
            try:
                stream = await listener.accept()
            except OSError:
                return
            if self._open >= MAX_CONNECTIONS:
                stream.abort()
                continue
            self._open += 1
            self._accepted += 1
            self._group.spawn(self._run(stream), f"grpc-{self._accepted}")

    async def _run(self, stream: Stream) -> None:
        try:
            async with asyncio.timeout(_HEAD):
                begun = await _begun(stream)
            if begun.startswith(_PREFACE):
                await self._serve(stream, begun)
            elif self._other is not None and begun:
                self._other.serve(cast(Stream, _Begun(stream, begun)))
                return
        except OSError:
            stream.abort()
        finally:
            self._open -= 1
        stream.close()

    async def _serve(self, stream: Stream, begun: bytes) -> None:
        http = Http2(self._service)
        data = begun
        while data:
            answer = http.receive(data)
            if answer:
                async with asyncio.timeout(_HEAD):
                    await stream.send(answer)
            if http.closed:
                return
            data = await stream.receive()


async def _begun(stream: Stream) -> bytes:
    """What comes first: as much as tells whether it is HTTP/2. OSError."""
    data = b""
    while _PREFACE.startswith(data) and len(data) < len(_PREFACE):
        more = await stream.receive()
        if not more:
            break
        data += more
    return data


class _Begun:
    """A stream of which something was read already; all else is the stream's own."""

    def __init__(self, stream: Stream, begun: bytes) -> None:
        self._stream = stream
        self._begun = begun

    async def receive(self, most: int = sockets.RECEIVE) -> bytes:
        """See `sockets.Stream`."""
        if self._begun:
            data, self._begun = self._begun[:most], self._begun[most:]
            return data
        return await self._stream.receive(most)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
