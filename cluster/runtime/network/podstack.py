"""A pod's stack, bound to the sockets that its programs have. See `podnetwork.Uplink`.

What the pod says to itself stays in memory; everything else is frames. Who has a port of the pod
has it in the stack too. A packet to a port that nobody has is held while who sleeps there is woken.
"""

from collections.abc import Sequence
from typing import Final

import structlog

from cluster.aio import tasks
from cluster.network.io import sockets as io
from cluster.network.stack.endpoint import Endpoint as End
from cluster.network.wire import addresses
from cluster.runtime import portbinding
from cluster.runtime.podnetwork import Namespace
from cluster.runtime.podsockets import Answering, Listening, Udp
from cluster.runtime.vos import sockets
from cluster.runtime.vos.sockets import Endpoint, Open

TCP: Final = 6
UDP: Final = 17
MOST_ANSWERED: Final = 4096
"""Connections of one pod to those who answer by themselves."""
_FOREVER: Final = 3600.0
"""Who asks has a limit of his own."""


class PodStack:
    """The stack of one namespace."""

    def __init__(self, space: Namespace, stack: io.Stack) -> None:
        self._space = space
        self.stack = stack
        self._owned: dict[Listening | Udp, io.Listener | io.Datagrams] = {}
        self._answering: dict[int, io.Listener] = {}
        """Listeners of those who answer by themselves, by port."""
        self._answered: dict[io.Stream, object] = {}
        """Their connections, and whose each is."""
        self._waking: dict[int, None] = {}
        self._tasks = tasks.Background("podstack", _failed)
        stack.host.on_unbound = self._unbound
        for one in space.bound:
            self.opened(one)

    # ---- what programs ask for ---------------------------------------------------------------

    async def connect(self, address: str, port: int) -> "Connection":
        """See Uplink."""
        return Connection(await self.stack.connect(_end(address, port)))

    def send(self, socket: Udp, data: bytes, to: Endpoint) -> None:
        """See Uplink."""
        made = self._owned.get(socket)
        if isinstance(made, io.Datagrams):
            made.send(data, _end(*to))
        else:
            raise sockets.error(sockets.UNREACHABLE)

    async def echo(self, address: str, size: int, ttl: int) -> sockets.Answer:
        """See Uplink."""
        found = await self.stack.echo(_end(address, 0).address, size, ttl=ttl, timeout=_FOREVER)
        source = addresses.text(found.source)
        return sockets.Answer(source, found.type, found.code, found.seconds, found.ttl, found.size)

    def opened(self, socket: Listening | Udp) -> None:
        """See Uplink."""
        address = socket.local.address
        if ":" in address or portbinding.is_loopback(address):
            return
        where = addresses.parse(address) if address not in portbinding.ANY else 0
        port = socket.local.port
        if isinstance(socket, Listening):
            self._stop_answering(port)
            listener = self.stack.listen(port, where, socket.backlog)
            listener.on_stream = lambda stream: socket.offer(Connection(stream))
            listener.full_when(lambda: socket.waiting >= socket.backlog)
            self._owned[socket] = listener
        else:
            datagrams = self.stack.datagrams(port, where)
            datagrams.on_datagram = lambda data, sender, _to: socket.deliver(data, _text(sender))
            datagrams.on_error = lambda _error: socket.refuse()
            self._owned[socket] = datagrams

    def shut(self, socket: Listening | Udp) -> None:
        """See Uplink."""
        made = self._owned.pop(socket, None)
        if made is not None:
            made.close()

    def open_sockets(self) -> Sequence[Open]:
        """See Uplink."""
        return [
            Open("tcp", _text(one.local), _text(one.peer), one.state, one.waiting)
            for one in self.stack.open_sockets()
            if isinstance(one, io.Stream)
        ]

    def close(self) -> None:
        """See Uplink."""
        self._tasks.cancel()
        self.stack.close()
        self.stack.host.on_unbound = None

    # ---- who sleeps, and who answers by himself ------------------------------------------------

    def _unbound(self, protocol: int, target: End) -> bool:
        """A packet came to a port that nobody has: whether it shall wait."""
        port, occupant = target.port, self._space.occupant
        if port in self._waking:
            return True
        answers = protocol == TCP and occupant.answers(port) is not None
        if not answers and not occupant.asleep():
            return False
        self._waking[port] = None
        self._tasks.spawn(self._wake(port, answers=answers), f"wake/{port}")
        return True

    async def _wake(self, port: int, *, answers: bool) -> None:
        try:
            if not answers:
                await self._space.occupant.wake(port)
        finally:
            del self._waking[port]
        if self._space.listens(port):
            return
        if self._space.occupant.answers(port) is not None:
            self._answer_at(port)
        else:
            self.stack.refuse_held(port)

    def _answer_at(self, port: int) -> None:
        if port not in self._answering:
            listener = self._answering[port] = self.stack.listen(port)
            listener.on_stream = lambda stream: self._begin(stream, port)
            listener.full_when(lambda: len(self._answered) >= MOST_ANSWERED)

    def _begin(self, stream: io.Stream, port: int) -> None:
        found = self._space.occupant.answers(port)
        if found is None:
            stream.abort()
            return
        owner, server = found
        self._answered[stream] = owner
        self._tasks.spawn(self._answer(stream, server), f"answer/{port}")

    async def _answer(self, stream: io.Stream, server: Answering) -> None:
        try:
            while not server.closed and (data := await stream.receive()):
                if answer := server.receive(data):
                    await stream.send(answer)
        except OSError:
            pass  # The client has gone.
        finally:
            self._answered.pop(stream, None)
            stream.close()

    def _stop_answering(self, port: int) -> None:
        listener = self._answering.pop(port, None)
        if listener is not None:
            listener.close()

    def break_answered(self, owner: object) -> None:
        """See Uplink."""
        for stream, whose in list(self._answered.items()):
            if whose is owner:
                stream.abort()
        for port in list(self._answering):
            self._stop_answering(port)


class Connection:
    """A connection as programs have it. See `sockets.Stream`."""

    __slots__ = ("_stream", "local", "peer", "receive", "send")

    def __init__(self, stream: io.Stream) -> None:
        self._stream = stream
        self.local = _text(stream.local)
        self.peer = _text(stream.peer)
        # As they are: each call of a wrapper would cost every read and write of a program.
        self.receive = stream.receive
        self.send = stream.send

    @property
    def closed(self) -> bool:
        """See Socket."""
        return self._stream.closed

    @property
    def lost(self) -> bool:
        """See Stream."""
        return self._stream.lost

    def when_lost(self, call: io.Call) -> None:
        """See Stream."""
        self._stream.when_lost(call)

    def end(self) -> None:
        """See Stream."""
        self._stream.end()

    def close(self) -> None:
        """See Socket."""
        self._stream.close()

    def abort(self) -> None:
        """See Stream."""
        self._stream.abort()


def _end(address: str, port: int) -> End:
    """OSError EHOSTUNREACH: the overlay carries IPv4 alone."""
    try:
        return End(addresses.parse(address), port)
    except ValueError:
        raise sockets.error(sockets.UNREACHABLE) from None


def _text(end: End) -> Endpoint:
    return Endpoint(addresses.text(end.address), end.port)


def _failed(name: str, error: BaseException) -> None:
    structlog.get_logger().error("a pod's stack failed", task=name, error=repr(error))
