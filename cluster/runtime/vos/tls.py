"""TLS over a pod's stream: Python's own, on memory instead of sockets."""

import ssl
from collections.abc import Callable
from typing import TypeVar

from cluster.runtime.vos.sockets import RECEIVE, Endpoint, Stream

Result = TypeVar("Result")


class Tls:
    """A stream within a stream. Use after `handshake`."""

    def __init__(self, stream: Stream, context: ssl.SSLContext, host: str | None = None) -> None:
        self._stream = stream
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._in, self._out, server_side=host is None, server_hostname=host
        )

    @property
    def local(self) -> Endpoint:
        """See `sockets.Stream`."""
        return self._stream.local

    @property
    def peer(self) -> Endpoint:
        """See `sockets.Stream`."""
        return self._stream.peer

    @property
    def closed(self) -> bool:
        """See `sockets.Stream`."""
        return self._stream.closed

    @property
    def session(self) -> str:
        """What was agreed upon: `TLSv1.3 / TLS_AES_256_GCM_SHA384`."""
        cipher = self._tls.cipher()
        return f"{self._tls.version()} / {cipher[0] if cipher else ''}"

    async def handshake(self) -> None:
        """Agree upon keys. ssl.SSLError, OSError."""
        try:
            await self._driven(self._tls.do_handshake)
        except ssl.SSLError:
            await self._stream.send(self._out.read())  # The alert that says why.
            raise

    async def receive(self, most: int = RECEIVE) -> bytes:
        """See `sockets.Stream`."""
        try:
            return await self._driven(lambda: self._tls.read(most))
        except ssl.SSLEOFError:
            return b""
        except ssl.SSLZeroReturnError:
            return b""

    async def send(self, data: bytes) -> None:
        """See `sockets.Stream`."""
        for at in range(0, len(data), RECEIVE):
            piece = data[at : at + RECEIVE]
            await self._driven(lambda piece=piece: self._tls.write(piece))  # type: ignore[misc]

    def end(self) -> None:
        """See `sockets.Stream`."""
        self._stream.end()

    def close(self) -> None:
        """See `sockets.Stream`."""
        self._stream.close()

    def abort(self) -> None:
        """See `sockets.Stream`."""
        self._stream.abort()

    @property
    def lost(self) -> bool:
        """See `sockets.Stream`."""
        return self._stream.lost

    def when_lost(self, call: Callable[[], None]) -> None:
        """See `sockets.Stream`."""
        self._stream.when_lost(call)

    async def _driven(self, step: Callable[[], Result]) -> Result:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
                data = await self._stream.receive()
                if data:
                    self._in.write(data)
                else:
                    self._in.write_eof()
                continue
            await self._flush()
            return result

    async def _flush(self) -> None:
        if self._out.pending:
            await self._stream.send(self._out.read())
