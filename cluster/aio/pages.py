"""Serves a few small pages over HTTP/1.1: health, figures. No framework, for it is to cost nothing.

Only GET and HEAD are answered. A connection has a deadline for each request, a head is bounded, and
so is how many connections there are: who is too many is closed at once.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import h11
import structlog

from cluster.aio import tasks

REQUEST_SECONDS: Final = 15.0
"""How long a client may take to ask, and to take the answer."""
MOST_CONNECTIONS: Final = 64
_HEAD_BYTES: Final = 16384
_CHUNK: Final = 16384


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `certificate` is the client's as `ssl.getpeercert` tells it; {}: none."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    certificate: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    status: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"


Answer = Callable[[Asked], Awaitable[Page]]


class Pages:
    """Answers at `address` (port 0: a free one, then in `port`). `ready` is set when it listens."""

    def __init__(
        self, address: str, port: int, answer: Answer, tls: ssl.SSLContext | None = None
    ) -> None:
        self._address = address
        self._answer = answer
        self._tls = tls
        self._open = 0
        self._log = structlog.get_logger().bind(component="pages")
        self.port = port
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled. OSError where the address is taken."""
        async with tasks.Group("pages") as group:

            def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                group.spawn(self._serve(reader, writer), "connection")

            server = await asyncio.start_server(
                connected, self._address, self.port, ssl=self._tls, limit=_HEAD_BYTES
            )
            self.port = server.sockets[0].getsockname()[1]
            self.ready.set()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self.ready.clear()
                server.close()
                group.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= MOST_CONNECTIONS:
                await self._talk(reader, writer)
        except (OSError, TimeoutError, h11.ProtocolError) as error:
            self._log.debug("connection ended", error=str(error))
        finally:
            self._open -= 1
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES)
        encrypted = writer.get_extra_info("ssl_object")
        certificate = (encrypted.getpeercert() if encrypted is not None else None) or {}
        while True:
            async with asyncio.timeout(REQUEST_SECONDS):
                request = await _request(connection, reader)
                if request is None:
                    return
                page = await self._page(request, certificate)
                for event in _answered(request, page):
                    writer.write(connection.send(event) or b"")
                await writer.drain()
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()

    async def _page(self, request: h11.Request, certificate: Mapping[str, Any]) -> Page:
        if request.method not in (b"GET", b"HEAD"):
            return Page(405, b"405: Method Not Allowed\n")
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers
        }
        asked = Asked(request.target.decode("latin-1").partition("?")[0], headers, certificate)
        try:
            return await self._answer(asked)
        except Exception:  # noqa: BLE001  (a fault of one page must not end the others)
            self._log.exception("page failed", path=asked.path)
            return Page(500, b"500 Internal Server Error\n")


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """The next request, after its body (which nobody wants); None at the client's end."""
    request: h11.Request | None = None
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Request):
            request = event
            if any(name == b"content-length" and value != b"0" for name, value in event.headers):
                return request  # answered, then closed: its body is not read
        elif isinstance(event, h11.EndOfMessage):
            return request
        elif not isinstance(event, h11.Data):
            return None


def _answered(request: h11.Request, page: Page) -> list[h11.Event]:
    headers = [
        ("Content-Type", page.kind),
        ("Content-Length", str(len(page.body))),
        ("X-Content-Type-Options", "nosniff"),
    ]
    events: list[h11.Event] = [h11.Response(status_code=page.status, headers=headers)]
    if request.method != b"HEAD":
        events.append(h11.Data(data=page.body))
    return [*events, h11.EndOfMessage()]
