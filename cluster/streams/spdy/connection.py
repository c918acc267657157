"""A SPDY connection over a pipe: streams that are read and written."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

from cluster.streams.pipes import Pipe
from cluster.streams.spdy import session
from cluster.streams.spdy.faults import Malformed
from cluster.streams.spdy.headers import Headers

_READ_AHEAD: Final = 1 << 18
_PIECE: Final = 1 << 15
PROTOCOL_ERROR: Final = session.PROTOCOL_ERROR


class Stream:
    """One stream. `headers` are those that it was opened with."""

    def __init__(self, number: int, headers: Headers, connection: "Connection") -> None:
        self.number = number
        self.headers = headers
        self._connection = connection
        self._parts: deque[bytes] = deque()
        self.unread = 0
        self._ended = False
        self._broken = False
        self.when_broken: Callable[[], None] | None = None
        """Called, once at least, when nothing more comes of it."""
        self._changed = asyncio.Event()

    def header(self, name: str) -> str:
        """The first value of a header, "" where it has none."""
        return next((value for known, value in self.headers if known == name), "")

    async def read(self) -> bytes:
        """The next bytes; b"" at their end. ConnectionError where the stream was reset, after all
        that came before.
        """
        while not self._parts:
            if self._ended:
                return b""
            if self._broken:
                raise ConnectionResetError("the stream was reset")
            self._changed.clear()
            await self._changed.wait()
        data = b"".join(self._parts)
        self._parts.clear()
        self.unread = 0
        with contextlib.suppress(ConnectionError):  # who has hung up may have said it all
            await self._connection.consumed(self.number, len(data))
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes; waits while the peer is slow. ConnectionError."""
        for start in range(0, len(data), _PIECE):
            rest = data[start : start + _PIECE]
            while rest:
                room = await self._room()
                await self._connection.send(self.number, rest[:room])
                rest = rest[room:]

    async def close(self) -> None:
        """Send nothing more. ConnectionError."""
        await self._connection.send(self.number, b"", fin=True)

    async def reset(self, status: int = session.CANCEL) -> None:
        """End it both ways. ConnectionError."""
        self.broken()
        await self._connection.reset(self.number, status)

    def received(self, data: bytes, *, fin: bool) -> None:
        """Bytes have come, or their end."""
        if data:
            self._parts.append(data)
            self.unread += len(data)
        self._ended = self._ended or fin
        self._changed.set()

    def broken(self) -> None:
        """Nothing more comes, and nothing can be sent. What has come before may be read: servers
        of Kubernetes' own say how a command ended, and reset their streams at once.
        """
        self._broken = True
        self.unread = 0
        self._changed.set()
        if self.when_broken is not None:
            self.when_broken()

    def widened(self) -> None:
        """More may be sent."""
        self._changed.set()

    async def _room(self) -> int:
        while True:
            if self._broken:
                raise ConnectionResetError("the stream was reset")
            room = self._connection.sendable(self.number)
            if room:
                return room
            self._changed.clear()
            await self._changed.wait()


class Connection:
    """The server's end of a connection. Its `run` must be running for streams to live."""

    def __init__(self, pipe: Pipe, machine: session.Session | None = None) -> None:
        self._pipe = pipe
        self._session = machine if machine is not None else session.Session()
        self._streams: dict[int, Stream] = {}
        self._read = asyncio.Event()

    async def run(self, opened: Callable[[Stream], None]) -> None:
        """Serve until the peer is gone; `opened` is told of each stream that it opens.

        ConnectionError where the connection breaks; Malformed where the peer breaks the protocol.
        """
        try:
            while data := await self._pipe.read():
                for event in self._session.feed(data):
                    self._happened(event, opened)
                await self._flush()
                await self._until_read()
        except Malformed:
            self._session.leave(PROTOCOL_ERROR)
            await self._flush()
            raise
        finally:
            for stream in list(self._streams.values()):
                stream.broken()

    async def accept(self, stream: Stream, headers: Headers = ()) -> None:
        """Answer a stream that the peer has opened."""
        self._session.reply(stream.number, headers)
        await self._flush()

    async def open(self, headers: Headers) -> Stream:
        """Open a stream."""
        number = self._session.open(headers)
        stream = self._streams[number] = Stream(number, headers, self)
        await self._flush()
        return stream

    def release(self, stream: Stream) -> None:
        """Forget a stream that is done with; what the peer still sends on it is thrown away."""
        self._streams.pop(stream.number, None)
        self._session.forget(stream.number)
        self._read.set()

    def sendable(self, number: int) -> int:
        """How many bytes may be sent on a stream."""
        return self._session.sendable(number)

    async def send(self, number: int, data: bytes, *, fin: bool = False) -> None:
        """Send on a stream."""
        self._session.send(number, data, fin=fin)
        await self._flush()

    async def reset(self, number: int, status: int) -> None:
        """End a stream."""
        self._session.reset(number, status)
        self._streams.pop(number, None)
        self._read.set()
        await self._flush()

    async def consumed(self, number: int, size: int) -> None:
        """Bytes of a stream were read."""
        self._session.consumed(number, size)
        self._read.set()
        await self._flush()

    def _happened(self, event: session.Event, opened: Callable[[Stream], None]) -> None:
        match event:
            case session.Opened(number, headers, fin):
                stream = self._streams[number] = Stream(number, headers, self)
                if fin:
                    stream.received(b"", fin=True)
                opened(stream)
            case session.Received(number, data, fin):
                known = self._streams.get(number)
                if known is not None:
                    known.received(data, fin=fin)
            case session.Ended(number, _):
                known = self._streams.pop(number, None)
                if known is not None:
                    known.broken()
            case session.Widened(number):
                for each in self._streams.values() if not number else ():
                    each.widened()
                if number in self._streams:
                    self._streams[number].widened()

    async def leave(self) -> None:
        """Tell the peer that this is the end."""
        self._session.leave()
        await self._flush()

    async def _until_read(self) -> None:
        """Read no further ahead of any stream than its share."""
        while any(stream.unread > _READ_AHEAD for stream in self._streams.values()):
            self._read.clear()
            await self._read.wait()

    async def _flush(self) -> None:
        data = self._session.take()
        if data:
            await self._pipe.write(data)
