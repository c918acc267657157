"""Sockets between pods of one runtime, in memory: streams in pairs, listeners, datagrams.

They keep what the kernel keeps: buffers that a fast sender waits for, half-closed streams, resets,
backlogs. All of it is bounded: a buffer, what all buffers of a runtime take together (`Buffers`),
the connections that nobody accepted, the datagrams that nobody took. Who sends much gives way now
and then, so that virtual time goes on under an endless stream.
"""

import asyncio
import errno
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from cluster.runtime.vos import sockets
from cluster.runtime.vos.sockets import Endpoint, Stream
from cluster.runtime.vos.waiting import Waiters

WINDOW: Final = 64 << 10
"""What a stream holds for a reader before its sender waits."""
_TIGHT: Final = 4 << 10
"""The same where the runtime's buffers are full."""
MAX_BACKLOG: Final = 4096
"""net.core.somaxconn."""
_DATAGRAM_BYTES: Final = 208 << 10
"""net.core.rmem_default, nearly."""
_DATAGRAMS: Final = 512
_RATE_BYTES: Final = 1 << 20
_RATE_SENDS: Final = 1024
_RATE_PAUSE: Final = 0.001
"""8 Gbit/s: after so much a stream's sender pauses so long."""

OnClosed = Callable[["Tcp"], None]


class Buffers:
    """What all buffers of a runtime hold, in bytes (net.ipv4.tcp_mem)."""

    def __init__(self, limit: int = 64 << 20) -> None:
        self.limit = limit
        self.used = 0


class _Half:
    """One direction of a stream."""

    __slots__ = ("buffers", "data", "deaf", "ended", "on_deaf", "reset", "waiters")

    def __init__(self, buffers: Buffers) -> None:
        self.buffers = buffers
        self.data = bytearray()
        self.ended = False
        """The sender sends nothing more."""
        self.deaf = False
        """The receiver will read nothing more."""
        self.on_deaf: Callable[[], None] | None = None
        """What the sender asked to be told of that."""
        self.reset = False
        self.waiters = Waiters()

    def room(self) -> int:
        full = self.buffers.used >= self.buffers.limit
        return (_TIGHT if full else WINDOW) - len(self.data)

    def put(self, data: memoryview | bytes) -> None:
        self.data += data
        self.buffers.used += len(data)
        self.waiters.wake()

    def take(self, most: int) -> bytes:
        taken = bytes(self.data[:most])
        del self.data[:most]
        self.buffers.used -= len(taken)
        self.waiters.wake()
        return taken

    def drop(self) -> None:
        self.buffers.used -= len(self.data)
        self.data.clear()

    def deafen(self) -> None:
        self.deaf = True
        call, self.on_deaf = self.on_deaf, None
        self.drop()
        if call is not None:
            call()


class Tcp:
    """One end of a connection between two programs. See `sockets.Stream`."""

    def __init__(
        self, local: Endpoint, peer: Endpoint, inward: _Half, outward: _Half, on_closed: OnClosed
    ) -> None:
        self.local = local
        self.peer = peer
        self.closed = False
        self._in = inward
        self._out = outward
        self._on_closed = on_closed
        self._sent = self._sends = 0

    @property
    def state(self) -> str:
        """The kernel's word for it."""
        if self._in.ended:
            return "LAST_ACK" if self._out.ended else "CLOSE_WAIT"
        return "FIN_WAIT2" if self._out.ended else "ESTABLISHED"

    @property
    def waiting(self) -> int:
        """Bytes that nobody has read."""
        return len(self._in.data)

    @property
    def lost(self) -> bool:
        """See Stream."""
        return self._out.deaf

    def when_lost(self, call: Callable[[], None]) -> None:
        """See Stream."""
        self._out.on_deaf = call

    async def receive(self, most: int = sockets.RECEIVE) -> bytes:
        """See Stream."""
        while True:
            if self.closed:
                raise sockets.error(errno.ECONNRESET if self._in.reset else errno.EPIPE)
            if self._in.data:
                return self._in.take(max(most, 1))
            if self._in.reset:
                raise sockets.error(errno.ECONNRESET)
            if self._in.ended:
                return b""
            await self._in.waiters.wait()

    async def send(self, data: bytes) -> None:
        """See Stream."""
        view = memoryview(data)
        while True:
            if self._in.reset:
                raise sockets.error(errno.ECONNRESET)
            if self.closed or self._out.ended or self._out.deaf:
                raise sockets.error(errno.EPIPE)
            if not view:
                return
            room = self._out.room()
            if room > 0:
                self._out.put(view[:room])
                self._sent += min(room, len(view))
                view = view[room:]
            if view:
                await self._out.waiters.wait()
            await self._breathe()

    async def _breathe(self) -> None:
        self._sends += 1
        if self._sent >= _RATE_BYTES or self._sends >= _RATE_SENDS:
            self._sent = self._sends = 0
            await asyncio.sleep(_RATE_PAUSE)

    def end(self) -> None:
        """See Stream."""
        self._out.ended = True
        self._out.waiters.wake()

    def close(self) -> None:
        """See Stream."""
        if self.closed:
            return
        if self._in.data:
            self._out.reset = True
        self._finish()

    def abort(self) -> None:
        """See Stream."""
        if not self.closed:
            self._out.reset = True
            self._finish()

    def break_off(self) -> None:
        """Reset both ends: the network itself is gone."""
        self._in.reset = True
        self.abort()

    def _finish(self) -> None:
        self.closed = self._out.ended = True
        self._out.on_deaf = None
        self._in.deafen()
        self._out.waiters.wake()
        self._in.waiters.wake()
        self._on_closed(self)


def pair(
    client: Endpoint, server: Endpoint, buffers: Buffers, on_closed: tuple[OnClosed, OnClosed]
) -> tuple[Tcp, Tcp]:
    """The two ends of a connection: the client's, the server's."""
    up, down = _Half(buffers), _Half(buffers)
    return Tcp(client, server, down, up, on_closed[0]), Tcp(server, client, up, down, on_closed[1])


class Answering(Protocol):
    """The server's side of one connection, sans-IO: what comes in is answered at once."""

    @property
    def closed(self) -> bool:
        """Whether it sends and takes no more."""

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the client; what is answered."""


class Answered:
    """The client's end of a connection to what answers by itself, without a task. See
    `sockets.Stream`.
    """

    state = "ESTABLISHED"

    def __init__(
        self,
        local: Endpoint,
        peer: Endpoint,
        server: Answering,
        owner: object,
        on_closed: Callable[["Answered"], None],
    ) -> None:
        self.owner = owner
        self.local = local
        self.peer = peer
        self.closed = False
        self._server = server
        self._on_closed = on_closed
        self._data = bytearray()
        self._reset = self._ended = False
        self._waiters = Waiters()

    @property
    def waiting(self) -> int:
        """Bytes that nobody has read."""
        return len(self._data)

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self._server.closed or self._reset or self._ended

    @property
    def lost(self) -> bool:
        """See Stream."""
        return self._server.closed or self._reset

    def when_lost(self, call: Callable[[], None]) -> None:
        """See Stream. What answers at once is never waited for: it is not told."""

    def answer(self, data: bytes) -> bytes:
        """Send, and have at once what is answered. ConnectionResetError, BrokenPipeError."""
        if self._reset:
            raise sockets.error(errno.ECONNRESET)
        if self.closed or self._ended or self._server.closed:
            raise sockets.error(errno.EPIPE)
        return self._server.receive(data)

    async def receive(self, most: int = sockets.RECEIVE) -> bytes:
        """See Stream."""
        while True:
            if self._data:
                taken = bytes(self._data[:most])
                del self._data[:most]
                self._waiters.wake()
                return taken
            if self.closed or self._reset:
                raise sockets.error(errno.ECONNRESET if self._reset else errno.EPIPE)
            if self._server.closed or self._ended:
                return b""
            await self._waiters.wait()

    async def send(self, data: bytes) -> None:
        """See Stream."""
        for start in range(0, len(data), WINDOW):
            while len(self._data) >= WINDOW and not self.closed and not self._reset:
                await self._waiters.wait()
            self._data += self.answer(data[start : start + WINDOW])
            self._waiters.wake()

    def end(self) -> None:
        """See Stream."""
        self._ended = True
        self._waiters.wake()

    def close(self) -> None:
        """See Stream."""
        if not self.closed:
            self.closed = True
            self._data.clear()
            self._waiters.wake()
            self._on_closed(self)

    abort = close

    def break_off(self) -> None:
        """The server is gone."""
        self._reset = True
        self.close()


class Listening:
    """A listening socket. See `sockets.Listener`."""

    def __init__(
        self,
        local: Endpoint,
        backlog: int,
        *,
        on_closed: Callable[["Listening"], None],
    ) -> None:
        self.local = local
        self.closed = False
        self._backlog = min(max(backlog, 1), MAX_BACKLOG)
        self._on_closed = on_closed
        self._queue: deque[Stream] = deque()
        self._waiters = Waiters()

    @property
    def backlog(self) -> int:
        """Connections that may wait."""
        return self._backlog

    @property
    def waiting(self) -> int:
        """Connections that nobody has accepted."""
        return len(self._queue)

    async def room(self) -> bool:
        """Wait for room in the backlog; False where it is closed."""
        while len(self._queue) >= self._backlog and not self.closed:
            await self._waiters.wait()
        return not self.closed

    def offer(self, stream: Stream) -> None:
        """A new connection."""
        self._queue.append(stream)
        self._waiters.wake()

    async def accept(self) -> Stream:
        """See Listener."""
        while True:
            if self.closed:
                raise sockets.error(errno.EBADF)
            if self._queue:
                self._waiters.wake()
                return self._queue.popleft()
            await self._waiters.wait()

    def close(self) -> None:
        """See Socket: those who nobody accepted are reset."""
        if self.closed:
            return
        self.closed = True
        for stream in self._queue:
            stream.abort()
        self._queue.clear()
        self._waiters.wake()
        self._on_closed(self)


Route = Callable[["Udp", bytes, Endpoint], None]


class Udp:
    """A socket for datagrams. See `sockets.Datagrams`."""

    def __init__(
        self,
        local: Endpoint,
        route: Route,
        *,
        on_closed: Callable[["Udp"], None],
    ) -> None:
        self.local = local
        self.closed = False
        self._route = route
        self._on_closed = on_closed
        self._queue: deque[tuple[bytes, Endpoint]] = deque()
        self.waiting = 0
        """Bytes that nobody has taken."""
        self._refused = False
        self._waiters = Waiters()

    async def receive(self) -> tuple[bytes, Endpoint]:
        """See Datagrams."""
        while True:
            if self.closed:
                raise sockets.error(errno.EBADF)
            if self._queue:
                data, sender = self._queue.popleft()
                self.waiting -= len(data)
                return data, sender
            if self._refused:
                self._refused = False
                raise sockets.error(errno.ECONNREFUSED)
            await self._waiters.wait()

    def send(self, data: bytes, to: Endpoint) -> None:
        """See Datagrams."""
        if self.closed:
            raise sockets.error(errno.EBADF)
        if len(data) > sockets.MAX_DATAGRAM:
            raise sockets.error(errno.EMSGSIZE)
        self._route(self, bytes(data), to)

    def deliver(self, data: bytes, sender: Endpoint) -> None:
        """A datagram has come; one that finds no room is lost."""
        if len(self._queue) < _DATAGRAMS and self.waiting + len(data) <= _DATAGRAM_BYTES:
            self._queue.append((data, sender))
            self.waiting += len(data)
            self._waiters.wake()

    def refuse(self) -> None:
        """What it sent found no socket (ICMP: port unreachable)."""
        self._refused = True
        self._waiters.wake()

    def close(self) -> None:
        """See Socket."""
        if not self.closed:
            self.closed = True
            self._queue.clear()
            self._waiters.wake()
            self._on_closed(self)
