"""One HTTP/1.1 request over a stream of bytes, and its answer; h11 does the protocol."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, cast

import h11

from cluster.apiserver.streaming.podstream import Stream

MAX_HEAD: Final = 1 << 16
"""Bytes of an answer's status line and headers."""

Headers = list[tuple[bytes, bytes]]


class Garbled(Exception):
    """What answers is no HTTP, or ends too early."""


@dataclass(frozen=True, slots=True)
class Head:
    """An answer's status and headers; header names are in lower case."""

    status: int
    reason: str
    headers: Headers


class Exchange:
    """A request and its answer: `ask`, `send` while `answer` and `body` are read, `switched`."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._switched = False

    async def ask(self, method: str, target: str, headers: Headers) -> None:
        """Send the head of the request. ConnectionError, ValueError where it cannot be written."""
        try:
            request = h11.Request(method=method, target=target, headers=headers)
        except h11.LocalProtocolError as error:
            raise ValueError(str(error)) from None
        await self._stream.write(self._http.send(request) or b"")

    async def send(self, parts: AsyncIterator[bytes]) -> None:
        """Send the body of the request. ConnectionError; Garbled where its length is wrong."""
        try:
            async for part in parts:
                await self._stream.write(self._http.send(h11.Data(part)) or b"")
            await self._stream.write(self._http.send(h11.EndOfMessage()) or b"")
        except h11.LocalProtocolError as error:
            raise Garbled(str(error)) from None

    async def answer(self) -> Head:
        """The head of the answer. Garbled, ConnectionError."""
        while True:
            event = await self._event()
            if isinstance(event, h11.InformationalResponse):
                if event.status_code != 101:
                    continue
                self._switched = True
            if isinstance(event, h11.Response | h11.InformationalResponse):
                reason = event.reason.decode("latin-1")
                return Head(event.status_code, reason, list(event.headers))
            raise Garbled("EOF")

    async def body(self) -> AsyncIterator[bytes]:
        """The answer's body, in parts. Garbled, ConnectionError."""
        while True:
            event = await self._event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            else:
                return

    def leftover(self) -> bytes:
        """After 101: what has come already in the other protocol."""
        return self._http.trailing_data[0]

    @property
    def switched(self) -> bool:
        """Whether the answer was 101, and the stream speaks another protocol now."""
        return self._switched

    async def _event(self) -> h11.Event:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                data = await self._stream.read()
                if not data and self._http.their_state is h11.SEND_RESPONSE:
                    raise Garbled("EOF")
                self._http.receive_data(data)
        except h11.RemoteProtocolError as error:
            raise Garbled(f"malformed HTTP response: {error}") from None
        return cast(h11.Event, event)
