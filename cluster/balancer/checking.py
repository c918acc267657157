"""Asks a server how it is: HTTP over TLS, by one connection for as long as that lasts."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

_MOST = 1 << 16
"""Bytes of an answer's head or body: more is no health check."""


class Malformed(Exception):
    """What came back is no answer to a health check."""


class Probe:
    """Asks a `place` (host, port) for `path`; `context` None: without TLS. `name` is what its
    certificate carries, if not the host.
    """

    def __init__(
        self,
        place: tuple[str, int],
        path: str,
        context: ssl.SSLContext | None,
        name: str = "",
    ) -> None:
        host, port = place
        self._place = place
        self._name = (name or host) if context is not None else None
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: kubemu-balancer\r\n\r\n"
        ).encode()
        self._context = context
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, seconds: float) -> int | None:
        """The status of its answer; None where none came within `seconds`. Never raises for what
        the server does.
        """
        known = self._streams is not None
        try:
            async with _patience(seconds):
                try:
                    return await self._asked()
                except (OSError, EOFError, Malformed):
                    self.close()
                    if not known:
                        return None
                    # The connection may have been closed for being idle: by a new one, then.
                    return await self._asked()
        except (OSError, EOFError, Malformed):  # TimeoutError is an OSError
            self.close()
            return None

    def close(self) -> None:
        """End the connection."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _asked(self) -> int:
        if self._streams is None:
            host, port = self._place
            self._streams = await asyncio.open_connection(
                host, port, ssl=self._context, limit=_MOST, server_hostname=self._name
            )
        reader, writer = self._streams
        writer.write(self._request)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            status, length, keeps = parse(head)
            await reader.readexactly(length)
        except asyncio.LimitOverrunError as error:
            raise Malformed("the answer is too long") from error
        if not keeps:
            self.close()
        return status


@contextlib.asynccontextmanager
async def _patience(seconds: float) -> AsyncIterator[None]:
    """A deadline that begins its second half only when this process gets to it: who was stopped
    himself, and finds the answer and the end of its time together, must not blame the server.
    """
    loop, half = asyncio.get_running_loop(), seconds / 2
    async with asyncio.timeout(seconds) as deadline:
        extended = loop.call_later(half, lambda: deadline.reschedule(loop.time() + half))
        try:
            yield
        finally:
            extended.cancel()


def parse(head: bytes) -> tuple[int, int, bool]:
    """Status, length of the body, and whether the connection is kept. Malformed."""
    first, *lines = head.split(b"\r\n")
    words = first.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise Malformed("the answer is not HTTP")
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip()
    length = 0
    with contextlib.suppress(ValueError):
        length = int(fields.get(b"content-length", b"-1"))
    if not 0 <= length <= _MOST:
        raise Malformed("the answer does not say how long it is")
    return int(words[1]), length, fields.get(b"connection", b"").lower() != b"close"
