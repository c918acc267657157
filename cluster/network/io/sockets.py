"""The asyncio face of a host: streams, listeners, datagrams and pings of one stack.

A `Stack` has one timer, and gives the host its turn once a turn of the loop: what came and what was
sent until then goes together, so nobody is called from within somebody else's call.
"""

import asyncio
import errno
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from cluster.network.io.datagrams import Datagrams
from cluster.network.io.waiting import Waiters
from cluster.network.stack.endhost import listener as listeners
from cluster.network.stack.endhost.echoes import Answer
from cluster.network.stack.endhost.flow import Flow
from cluster.network.stack.endhost.ports import error
from cluster.network.stack.endpoint import Endpoint
from cluster.network.stack.host import Host
from cluster.network.stack.tcp import events, states
from cluster.network.wire import icmp, ipv4
from cluster.network.wire.frame import Frame

__all__ = ["Answer", "Datagrams", "Endpoint", "Listener", "Stack", "Stream"]

RECEIVE: Final = 65536
_RATE_BYTES: Final = 1 << 20
_SEND_BYTES: Final = 1024
"""What a send counts at least."""
_RATE_SECONDS: Final = 0.001
"""8 Gbit/s: a sender of more gives way, so that virtual time goes on under an endless stream."""
_AT_ONCE: Final = 16
"""Connections that are served in a turn: peers work on their answers while others are served."""
_NEVER: Final = float("inf")
Call = Callable[[], None]
Transmit = Callable[[list[Frame]], None]


class Stream:
    """A TCP connection, as a program has it. Errors are OSErrors with the kernel's numbers."""

    __slots__ = (
        "_begun",
        "_flow",
        "_lost",
        "_readers",
        "_sent",
        "_stack",
        "_writers",
        "closed",
        "local",
        "peer",
    )

    def __init__(self, stack: "Stack", flow: Flow) -> None:
        self._stack = stack
        self._flow = flow
        self.local = flow.local
        self.peer = flow.peer
        self.closed = False
        """Whether it was closed here."""
        self._readers = Waiters(stack.loop)
        self._writers = Waiters(stack.loop)
        self._lost: Call | None = None
        self._sent = 0
        self._begun = stack.loop.time()
        flow.watch = self._watch

    @property
    def state(self) -> str:
        """The kernel's word for it."""
        return self._flow.connection.state

    @property
    def waiting(self) -> int:
        """Bytes that nobody has read."""
        return self._flow.connection.readable

    @property
    def lost(self) -> bool:
        """Whether the peer is known to read nothing more: it reset, or never answers."""
        return self._flow.connection.error != 0

    def when_lost(self, call: Call) -> None:
        """Call `call`, once, as soon as the peer is lost. Replaces an earlier one."""
        self._lost = call

    def keep_alive(self, *, on: bool = True) -> None:
        """Probe a silent peer (SO_KEEPALIVE)."""
        self._flow.connection.keep_alive = on
        self._flow.connection.want()

    async def receive(self, most: int = RECEIVE) -> bytes:
        """At most `most` bytes as soon as there are any; b"" at the peer's end.

        ConnectionResetError, TimeoutError; BrokenPipeError where it was closed here.
        """
        connection = self._flow.connection
        inbound = connection.inbound
        while True:
            if self.closed:
                raise error(errno.EPIPE)
            if inbound.buffer.size:
                return connection.take(most if most > 0 else 1)
            if inbound.finished:
                return b""
            if connection.error:
                raise error(connection.error)
            await self._readers.wait()

    async def send(self, data: bytes) -> None:
        """Send all; waits while the buffer is full. ConnectionResetError, BrokenPipeError."""
        connection = self._flow.connection
        taken = 0 if self.closed else connection.send(data)
        if taken < len(data) or not taken:
            self._check()
            view = memoryview(data)
            while taken < len(data):
                await self._writers.wait()
                self._check()
                taken += connection.send(view[taken:])
        self._sent += len(data) + _SEND_BYTES
        if self._sent >= _RATE_BYTES:
            await self._breathe()

    def _check(self) -> None:
        """Whether it may send."""
        connection = self._flow.connection
        if self.closed or not connection.writable:
            number = connection.error if not self.closed else 0
            raise error(number or errno.EPIPE)

    async def _breathe(self) -> None:
        """Give way where so much was sent in no time."""
        self._sent = 0
        now = self._stack.loop.time()
        rest = self._begun + _RATE_SECONDS - now
        self._begun = now
        if rest > 0:
            await asyncio.sleep(rest)
            self._begun += rest

    def end(self) -> None:
        """Send nothing more (FIN); receiving goes on."""
        self._flow.connection.end()

    def close(self) -> None:
        """Use it no more. What was sent is still delivered; with unread data it resets."""
        self._finish(self._flow.connection.close)

    def abort(self) -> None:
        """Close with a reset."""
        self._finish(self._flow.connection.abort)

    def _finish(self, how: Call) -> None:
        if not self.closed:
            self.closed = True
            how()
            self._readers.wake()
            self._writers.wake()
            self._lost = None
            self._stack.forget(self)

    async def connected(self) -> None:
        """Wait until the handshake is done. OSError of its failure."""
        connection = self._flow.connection
        while connection.state in (states.SYN_SENT, states.SYN_RECEIVED):
            await self._writers.wait()
        if connection.error:
            raise error(connection.error)

    def _watch(self, found: int) -> None:
        if found == events.READABLE:
            self._readers.wake()
            return
        if found & (events.READABLE | events.FAILED | events.CLOSED):
            self._readers.wake()
        if found & ~events.READABLE:
            self._writers.wake()
        if found & events.FAILED and self._lost is not None:
            call, self._lost = self._lost, None
            call()


class Listener:
    """A listening socket: `accept()`, or `on_stream`, which is called with each connection."""

    def __init__(self, stack: "Stack", core: listeners.Listener) -> None:
        self._stack = stack
        self._core = core
        self.local = core.local
        self._waiters = Waiters(stack.loop)
        self._on_stream: Callable[[Stream], None] | None = None
        core.ready = self._waiters.wake

    @property
    def closed(self) -> bool:
        """Whether it listens no more."""
        return self._core.closed

    @property
    def waiting(self) -> int:
        """Connections that nobody has accepted."""
        return len(self._core.queue)

    @property
    def on_stream(self) -> Callable[[Stream], None] | None:
        """Takes connections; it must not fail."""
        return self._on_stream

    @on_stream.setter
    def on_stream(self, call: Callable[[Stream], None]) -> None:
        self._on_stream = call
        self._core.taken = lambda flow: call(self._stack.stream(flow))
        while (flow := self._core.accept()) is not None:
            call(self._stack.stream(flow))

    def full_when(self, full: Callable[[], bool]) -> None:
        """With `on_stream`: peers who come while `full()` have to ask again."""
        self._core.full = full

    async def accept(self) -> Stream:
        """The next connection. OSError EBADF once it is closed."""
        while True:
            if self.closed:
                raise error(errno.EBADF)
            flow = self._core.accept()
            if flow is not None:
                return self._stack.stream(flow)
            await self._waiters.wait()

    def close(self) -> None:
        """Listen no more; who nobody accepted is reset."""
        if not self.closed:
            self._core.close()
            self._waiters.wake()
            self._stack.forget(self)


class Stack:
    """A host on the running loop.

    `transmit` takes what it sends, in a turn of the loop of its own; what it raises is a fault.
    """

    def __init__(self, host: Host, transmit: Transmit | None = None) -> None:
        self.host = host
        self.transmit: Transmit = transmit if transmit is not None else _discard
        self.loop = asyncio.get_running_loop()
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._due = _NEVER
        self._open: dict[Stream | Listener | Datagrams, None] = {}
        self._closed = False
        host.wanted = self.wake

    # ---- frames ------------------------------------------------------------------------------

    def receive(self, frames: Iterable[Frame]) -> None:
        """Take frames that came."""
        self.host.receive_all(self.loop.time(), frames)
        if not self._scheduled:
            self.wake()

    def wake(self) -> None:
        """Give the host its turn soon."""
        if not self._scheduled and not self._closed:
            self._scheduled = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        # It stays scheduled until the host has been asked: what it does meanwhile is in there.
        try:
            frames = self.host.pull(self.loop.time(), _AT_ONCE)
        finally:
            self._scheduled = False
        if self.host.busy:
            self.wake()
        self._arm()
        if frames:
            self._send(frames)

    def _send(self, frames: list[Frame]) -> None:
        """Hand frames on, long ones one by one: the peer works on them while others are cut."""
        first = 0
        for end, frame in enumerate(frames, 1):
            if frame.gso_size and end < len(frames):
                self.transmit(frames[first:end])
                first = end
        self.transmit(frames[first:] if first else frames)

    def _arm(self) -> None:
        deadline = self.host.deadline
        if deadline is None or self._due <= deadline:
            return  # an earlier timer finds out, and sets the next
        if self._timer is not None:
            self._timer.cancel()
        # What uvloop gives for a time that is past has no `when`.
        self._due = deadline
        self._timer = self.loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer, self._due = None, _NEVER
        now = self.loop.time()
        deadline = self.host.deadline
        if deadline is not None and deadline <= now:
            self.host.tick(now)
            self.wake()
        else:
            self._arm()

    # ---- sockets -----------------------------------------------------------------------------

    async def connect(
        self,
        to: Endpoint,
        *,
        source: Endpoint | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  (none: as long as the kernel would)
    ) -> Stream:
        """A connection; from another's address, where the host answers for every one.

        ConnectionRefusedError, TimeoutError; OSError ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL,
        ENETDOWN once the stack is closed, as of all that follow.
        """
        self._check_open()
        stream = self.stream(self.host.connect(self.loop.time(), to, source))
        try:
            async with asyncio.timeout(timeout):
                await stream.connected()
        except BaseException:
            stream.abort()
            raise
        return stream

    def accepted(self, request: listeners.Request) -> Stream:
        """The connection that a peer asked for; he has yet to hear of it. ConnectionResetError."""
        return self.stream(request.accept(self.loop.time()))

    def listen(self, port: int, address: int = 0, backlog: int = 128) -> Listener:
        """Listen at a port (0: a free one) of an address (0: of all). OSError EADDRINUSE,
        EADDRNOTAVAIL, EMFILE.
        """
        self._check_open()
        made = Listener(self, self.host.listen(self.loop.time(), port, address, backlog))
        self._open[made] = None
        self.wake()
        return made

    def datagrams(self, port: int = 0, address: int = 0) -> Datagrams:
        """A UDP socket. OSError as `listen`."""
        self._check_open()
        made = Datagrams(self, port, address)
        self._open[made] = None
        return made

    async def echo(
        self,
        address: int,
        size: int = 56,
        *,
        ttl: int = 64,
        sequence: int = 1,
        timeout: float = 10.0,  # noqa: ASYNC109  (ping's own option)
    ) -> Answer:
        """Ping: what came back, an error of a hop too. TimeoutError; OSError ENETUNREACH."""
        self._check_open()
        answer: asyncio.Future[Answer] = self.loop.create_future()

        def answered(found: Answer) -> None:
            if not answer.done():
                answer.set_result(found)

        waiting = self.host.echo(
            self.loop.time(), address, answered, size=size, ttl=ttl, sequence=sequence
        )
        try:
            async with asyncio.timeout(timeout):
                return await answer
        finally:
            waiting.cancel()

    def send_datagram(self, data: bytes, source: Endpoint, target: Endpoint) -> None:
        """Send a datagram without a socket. OSError as `Datagrams.send`."""
        self.host.send_datagram(self.loop.time(), data, source, target)

    def send_echo_reply(self, source: int, target: int, request: icmp.Message, data: bytes) -> None:
        """Answer a ping of `target`'s in the name of `source`."""
        self.host.answer_echo(self.loop.time(), source, target, request, data)

    def refuse_held(self, port: int) -> None:
        """Nobody will take a port: what waits for it is refused."""
        for protocol in (ipv4.TCP, ipv4.UDP):
            self.host.refuse_held(self.loop.time(), protocol, port)
        self.wake()

    def open_sockets(self) -> Sequence[Stream | Listener | Datagrams]:
        """All that are open, in the order in which they were."""
        return list(self._open)

    def stream(self, flow: Flow) -> Stream:
        """The face of a connection."""
        made = Stream(self, flow)
        self._open[made] = None
        return made

    def _check_open(self) -> None:
        if self._closed:
            raise error(errno.ENETDOWN)

    def forget(self, socket: Stream | Listener | Datagrams) -> None:
        """A socket was closed."""
        self._open.pop(socket, None)

    def close(self) -> None:
        """The host is gone: peers are reset, and whoever waits is told."""
        if self._closed:
            return
        self._closed = True
        for socket in list(self._open):
            if not isinstance(socket, Stream):
                socket.close()
        self.host.close()
        if self._timer is not None:
            self._timer.cancel()
        frames = self.host.pull(self.loop.time())
        if frames:
            self.transmit(frames)
        self._open.clear()


def _discard(_frames: list[Frame]) -> None:
    """Nobody takes them yet."""
