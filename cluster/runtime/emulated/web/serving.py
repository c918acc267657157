"""An HTTP/1.1 server on a pod's sockets: h11 is the protocol, this is the shell round it.

Deadlines: a client has `idle` seconds to begin a request, `head` to send the rest of its head,
`stall` between two pieces of a body, both ways. What is done for a client that leaves is given up,
however long it would have taken. Memory: a connection holds a head (`Heads.most`), a piece of the
body, and what the handler answers.
"""

import asyncio
import email.utils
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, NamedTuple

import h11
import structlog

from cluster.aio import tasks
from cluster.runtime.emulated.web.messages import (
    PHRASES,
    Handler,
    Headers,
    Request,
    Response,
    TooLarge,
    text,
)
from cluster.runtime.vos.sockets import Listener, Stream

MAX_HEAD: Final = 16 << 10
MAX_CONNECTIONS: Final = 512
_DRAIN: Final = 1 << 20
"""Bytes of an unread body that are thrown away to keep a connection."""
_PIECE: Final = 64 << 10
_AROUND: Final = len("  HTTP/1.1\r\n")
"""What a request line has beside its method and target."""


class Heads(NamedTuple):
    """Which heads of requests a server takes. Sizes are in bytes."""

    most: int = MAX_HEAD
    """All of it (431), of which the last piece may come to more where there is no `line`."""
    line: int = 0
    """The request line (414), and one field (431); 0: no such bound."""
    frames_once: bool = False
    """Whether it refuses (400) who frames a body by a length and in chunks, or in chunks that its
    version of HTTP does not know: others may see another body there (RFC 9112, section 6.1)."""


USUAL: Final = Heads()
NGINX: Final = Heads(32 << 10, 8 << 10, frames_once=True)
"""As nginx has it (`large_client_header_buffers 4 8k`)."""


class Sent(NamedTuple):
    """What became of a request."""

    response: Response
    body: int
    """Bytes of body that were sent."""
    seconds: float


async def _unheard(_request: Request | None, _sent: Sent) -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """How a server behaves. `now` is the wall clock; `heard` is told what was answered, with None
    for what was no request.
    """

    handler: Handler
    now: Callable[[], float]
    server: str = ""
    """The Server header; "" for none."""
    heard: Callable[[Request | None, Sent], Awaitable[None]] = _unheard
    refused: Callable[[int], Response] = lambda status: text(f"{status} {PHRASES[status]}", status)
    """What is answered to what is no request: 400, 414, 431, 408."""
    heads: Heads = USUAL
    idle: float = 75.0
    head: float = 60.0
    stall: float = 60.0
    most: int = MAX_CONNECTIONS
    scheme: str = "http"
    wrap: Callable[[Stream], Awaitable[Stream]] | None = None
    """Puts something between: TLS. OSError where that fails."""


class Server:
    """Serves the connections of listeners. Every connection is a task of `group`."""

    def __init__(self, site: Site, group: tasks.Group) -> None:
        self.site = site
        self.requests = self.accepted = 0
        self.draining = False
        """Whether connections end with the request that they are at."""
        self._group = group
        self._open: dict[Connection, None] = {}

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    def listen(self, listener: Listener) -> asyncio.Task[None]:
        """Serve what connects, until the listener is closed."""
        return self._group.spawn(self._accept(listener), f"accept-{listener.local.port}")

    def serve(self, stream: Stream) -> None:
        """Serve a connection."""
        if len(self._open) >= self.site.most:
            stream.abort()
            return
        self.accepted += 1
        connection = Connection(stream, self)
        self._open[connection] = None
        self._group.spawn(self._run(connection), f"connection-{self.accepted}")

    def drain(self) -> None:
        """Let every connection end with the request that it is at; idle ones at once."""
        self.draining = True
        for connection in list(self._open):
            if not connection.busy:
                connection.stream.close()

    async def _accept(self, listener: Listener) -> None:
        while True:
            try:
                stream = await listener.accept()
            except OSError:
                return
            self.serve(stream)

    async def _run(self, connection: "Connection") -> None:
        try:
            await connection.run()
        finally:
            self._open.pop(connection, None)


class Connection:
    """A client's connection."""

    def __init__(self, stream: Stream, server: Server) -> None:
        self.stream = stream
        self.busy = False
        self._server = server
        self._site = server.site
        self._http = h11.Connection(h11.SERVER, server.site.heads.most)
        self._requests = 0
        self._working: asyncio.Timeout | None = None
        """Round what is done for a request."""

    async def run(self) -> None:
        """Serve until one side has enough."""
        try:
            if self._site.wrap is not None:
                self.stream = await self._site.wrap(self.stream)
            self.stream.when_lost(self._left)
            while await self._one():
                self._http.start_next_cycle()
        except (OSError, h11.LocalProtocolError):
            self.stream.abort()
        except Exception:
            log = structlog.get_logger()
            log.exception("an emulated server failed")
            self.stream.abort()
        finally:
            self.stream.close()

    async def _one(self) -> bool:
        """Serve a request; whether the connection stays."""
        self.busy = False
        try:
            head = await self._head()
        except h11.RemoteProtocolError as error:
            await self._refuse(self._too_much() or error.error_status_hint or 400)
            return False
        if head is None:
            return False
        status = _refusal(head, self._site.heads)
        if status:
            await self._refuse(status)
            return False
        self.busy = True
        self._requests += 1
        self._server.requests += 1
        request = self._request(head)
        begun = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(0 if self.stream.lost else None) as self._working:
                response = await self._answer(request)
                size = 0 if response.drop else await self._send(request, response)
        except h11.RemoteProtocolError:
            await self._refuse(400)
            return False
        finally:
            self._working = None
        took = 0.0 if response.drop else asyncio.get_running_loop().time() - begun
        await self._site.heard(request, Sent(response, size, took))
        if response.drop:
            return False
        if response.takeover is not None:
            await response.takeover(self.stream, self._http.trailing_data[0])
            return False
        return await self._drained()

    def _too_much(self) -> int:
        """What is said of a head that is too long to be all there: 414, or 0 for what is known."""
        line = self._site.heads.line
        data = self._http.trailing_data[0]
        return 414 if line and len(data) > line and b"\n" not in data[:line] else 0

    def _left(self) -> None:
        """The client is gone: end what is done for it, as if its time were up."""
        if self._working is not None and not self._working.expired():
            self._working.reschedule(asyncio.get_running_loop().time())

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._site.handler(request)
        except TooLarge:
            refused = self._site.refused(413)
            refused.close = True
            return refused
        except (ConnectionError, TimeoutError, h11.RemoteProtocolError):
            raise
        except Exception:
            log = structlog.get_logger()
            log.exception("an emulated server failed", path=request.path[:200])
            return self._site.refused(500)

    async def _head(self) -> h11.Request | None:
        """The next request; None where the client has gone. h11.RemoteProtocolError."""
        limit, began = self._site.idle, False
        deadline = asyncio.get_running_loop().time() + limit
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                return event
            if event is not h11.NEED_DATA:
                return None
            if not began and self._http.trailing_data[0]:
                began = True
                deadline = asyncio.get_running_loop().time() + self._site.head
            try:
                async with asyncio.timeout_at(deadline):
                    data = await self.stream.receive()
            except TimeoutError:
                if began:
                    raise
                return None  # it was kept for long enough
            if not data and not self._http.trailing_data[0]:
                return None
            self._http.receive_data(data)

    def _request(self, head: h11.Request) -> Request:
        raw = head.headers.raw_items()
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
        size = sum(len(name) + len(value) + 4 for name, value in raw)
        return Request(
            head.method.decode("latin-1"),
            head.target.decode("latin-1"),
            Headers(pairs),
            self.stream.peer,
            self.stream.local,
            1 if head.http_version == b"1.1" else 0,
            self._body(),
            size + len(head.method) + len(head.target) + 14,
            self._requests,
            self._site.scheme,
        )

    async def _body(self) -> AsyncGenerator[bytes]:
        """What is left of the request's body. h11.RemoteProtocolError, OSError, TimeoutError."""
        while self._http.their_state is h11.SEND_BODY:
            if self._http.they_are_waiting_for_100_continue:
                await self._write(
                    self._http.send(h11.InformationalResponse(status_code=100, headers=[]))
                )
            event = self._http.next_event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif event is h11.NEED_DATA:
                async with asyncio.timeout(self._site.stall):
                    self._http.receive_data(await self.stream.receive())
            else:
                return

    # ---- answering ---------------------------------------------------------------------------

    async def _send(self, request: Request, response: Response) -> int:
        """Send an answer; the bytes of its body."""
        head = self._headers(response)
        pairs = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
                 for name, value in head]  # fmt: skip
        reason = (response.reason or PHRASES.get(response.status, "")).encode("latin-1", "replace")
        status = response.status
        if status == 101:
            first: h11.Event = h11.InformationalResponse(
                status_code=101, headers=pairs, reason=reason
            )
            await self._write(self._http.send(first))
            return 0
        first = h11.Response(status_code=status, headers=pairs, reason=reason)
        data = self._http.send(first) or b""
        if request.method == "HEAD" or status in (204, 304):
            await _closed(response.body)
            await self._write(data + (self._http.send(h11.EndOfMessage()) or b""))
            return 0
        if isinstance(response.body, bytes):
            return await self._send_bytes(data, response.body)
        return await self._send_pieces(data, response.body)

    def _headers(self, response: Response) -> list[tuple[str, str]]:
        pairs: list[tuple[str, str]] = []
        headers = response.headers
        if self._site.server and "server" not in headers:
            pairs.append(("Server", self._site.server))
        pairs += headers.pairs
        if "date" not in headers:
            own = bool(pairs) and pairs[0][0].lower() == "server"
            date = ("Date", email.utils.formatdate(self._site.now(), usegmt=True))
            pairs.insert(1 if own else 0, date)
        bare = response.status < 200 or response.status in (204, 304)
        if isinstance(response.body, bytes) and not bare and "content-length" not in headers:
            pairs.append(("Content-Length", str(len(response.body))))
        if (response.close or self._server.draining) and "connection" not in headers:
            pairs.append(("Connection", "close"))
        return pairs

    async def _send_bytes(self, head: bytes, body: bytes) -> int:
        if len(body) <= _PIECE:
            data = self._http.send(h11.Data(data=body)) if body else b""
            end = self._http.send(h11.EndOfMessage()) or b""
            await self._write(head + (data or b"") + end)
            return len(body)
        await self._write(head)
        for start in range(0, len(body), _PIECE):
            await self._write(self._http.send(h11.Data(data=body[start : start + _PIECE])))
        await self._write(self._http.send(h11.EndOfMessage()))
        return len(body)

    async def _send_pieces(self, head: bytes, pieces: AsyncIterator[bytes]) -> int:
        size = 0
        try:
            await self._write(head)
            async for piece in pieces:
                size += len(piece)
                await self._write(self._http.send(h11.Data(data=piece)))
        finally:
            await _closed(pieces)
        await self._write(self._http.send(h11.EndOfMessage()))
        return size

    async def _write(self, data: bytes | None) -> None:
        if data:
            async with asyncio.timeout(self._site.stall):
                await self.stream.send(data)

    async def _refuse(self, status: int) -> None:
        """Answer what is no request, as far as one may."""
        response = self._site.refused(status)
        response.close = True
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        nobody = Request("GET", "")
        size = await self._send(nobody, response)
        await self._site.heard(None, Sent(response, size, 0.0))

    async def _drained(self) -> bool:
        """Read what the handler left of the body; whether the connection stays."""
        left = _DRAIN
        try:
            async with aclosing(self._body()) as body:
                async for piece in body:
                    left -= len(piece)
                    if left < 0 or self._http.our_state is h11.MUST_CLOSE:
                        return False
        except h11.RemoteProtocolError:
            return False
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE


def _refusal(head: h11.Request, heads: Heads) -> int:
    """The status that a whole head is refused with; 0 where it is taken."""
    line = len(head.method) + len(head.target) + _AROUND
    sizes = [len(name) + len(value) + 4 for name, value in head.headers.raw_items()]
    if heads.line and line > heads.line:
        return 414
    if heads.line and (line + sum(sizes) > heads.most or max(sizes, default=0) > heads.line):
        return 431
    names = {name for name, _ in head.headers}
    if not heads.frames_once or b"transfer-encoding" not in names:
        return 0
    return 400 if b"content-length" in names or head.http_version != b"1.1" else 0


async def _closed(body: bytes | AsyncIterator[bytes]) -> None:
    """Nobody wants the rest of a body."""
    closing = getattr(body, "aclose", None)
    if closing is not None:
        await closing()
