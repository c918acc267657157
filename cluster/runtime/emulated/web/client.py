"""An HTTP/1.1 client on a pod's sockets, one conversation a connection; h11 is the protocol.

Deadlines are the caller's (`asyncio.timeout`); memory is a head and a piece of the body.
"""

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import h11

from cluster.runtime.emulated.web.messages import Headers, TooLarge
from cluster.runtime.vos.sockets import Stream

MAX_HEAD: Final = 64 << 10


class Malformed(Exception):
    """The server answers what is no HTTP."""


class Empty(Exception):
    """The server closed the connection without an answer."""


class Cut(Exception):
    """The server closed the connection before the end of its answer."""


class Answer(NamedTuple):
    """The head of an answer."""

    status: int
    reason: str
    headers: Headers
    minor: int = 1


class Conversation:
    """A client's side of a connection."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._http = h11.Connection(h11.CLIENT, MAX_HEAD)
        self._got = False

    async def send(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes | AsyncIterator[bytes] = b"",
    ) -> None:
        """Send a request. OSError; ValueError for what is no request; what `body` raises."""
        pairs = [(key.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
                 for key, value in headers]  # fmt: skip
        if isinstance(body, bytes) and body and "content-length" not in headers:
            pairs.append((b"Content-Length", str(len(body)).encode()))
        try:
            head = h11.Request(
                method=method.encode("latin-1", "replace"),
                target=target.encode("utf-8", "surrogateescape"),
                headers=pairs,
            )
            data = self._http.send(head) or b""
        except h11.LocalProtocolError as error:
            raise ValueError(str(error)) from error
        if isinstance(body, bytes):
            data += (self._http.send(h11.Data(data=body)) or b"") if body else b""
            await self.stream.send(data + (self._http.send(h11.EndOfMessage()) or b""))
            return
        await self.stream.send(data)
        async for piece in body:
            await self.stream.send(self._http.send(h11.Data(data=piece)) or b"")
        await self.stream.send(self._http.send(h11.EndOfMessage()) or b"")

    async def answer(self) -> Answer:
        """The head of the answer, past what is only informational but 101.

        Malformed, Empty, OSError.
        """
        while True:
            event = await self._event()
            if isinstance(event, h11.Response) or (
                isinstance(event, h11.InformationalResponse) and event.status_code == 101
            ):
                pairs = [
                    (key.decode("latin-1"), value.decode("latin-1"))
                    for key, value in event.headers.raw_items()
                ]
                minor = 1 if event.http_version == b"1.1" else 0
                reason = event.reason.decode("latin-1")
                return Answer(event.status_code, reason, Headers(pairs), minor)
            if not isinstance(event, h11.InformationalResponse):
                raise Empty

    async def read(self) -> bytes:
        """The next piece of the body, b"" at its end. Malformed, Cut, OSError."""
        event = await self._event()
        return bytes(event.data) if isinstance(event, h11.Data) else b""

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body. Malformed, Cut, OSError."""
        while data := await self.read():
            yield data

    async def everything(self, limit: int) -> bytes:
        """All of the body. TooLarge, Malformed, Cut, OSError."""
        found = bytearray()
        while data := await self.read():
            found += data
            if len(found) > limit:
                raise TooLarge
        return bytes(found)

    def again(self) -> bool:
        """Begin another request on the same connection, where both sides have done with this one
        and neither wants to close it.
        """
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        self._got = False
        return not self._http.trailing_data[0]

    @property
    def rest(self) -> bytes:
        """What came after `101 Switching Protocols`."""
        return bytes(self._http.trailing_data[0])

    async def _event(self) -> h11.Event | type[h11.PAUSED] | None:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                if not self._got:
                    raise Empty from error
                if self._http.their_state is h11.ERROR and "closed connection" in str(error):
                    raise Cut(str(error)) from error
                raise Malformed(str(error)) from error
            if event is not h11.NEED_DATA:
                if isinstance(event, h11.ConnectionClosed):
                    return None
                return event  # type: ignore[return-value]
            data = await self.stream.receive()
            self._got = self._got or bool(data)
            self._http.receive_data(data)
