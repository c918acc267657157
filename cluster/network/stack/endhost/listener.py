"""Listening sockets of a host, and connections that somebody else decides about."""

import errno
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cluster.network.stack.endhost.ports import error
from cluster.network.stack.endpoint import Endpoint
from cluster.network.wire import icmp

if TYPE_CHECKING:
    from cluster.network.stack.endhost.flow import Flow
    from cluster.network.stack.endhost.openings import Openings
    from cluster.network.stack.endhost.streams import Streams
    from cluster.network.stack.tcp.handshakes import Handshake

MOST_BACKLOG: Final = 4096
"""net.core.somaxconn."""
Taken = Callable[["Flow"], None]


class Listener:
    """A listening socket: connections that are there wait in it, `backlog` of them at most.

    With `taken` they go to it instead, within `Host.receive`; `full` then says whether there is
    room. A full listener lets peers ask again.
    """

    __slots__ = ("_streams", "backlog", "closed", "full", "local", "queue", "ready", "taken")

    def __init__(self, streams: "Streams", local: Endpoint, backlog: int) -> None:
        self._streams = streams
        self.local = local
        self.backlog = min(max(backlog, 1), MOST_BACKLOG)
        self.queue: deque[Flow] = deque()
        self.ready: Callable[[], None] | None = None
        """Called when a connection has come into the queue."""
        self.taken: Taken | None = None
        self.full: Callable[[], bool] | None = None
        self.closed = False

    @property
    def has_room(self) -> bool:
        """Whether one more connection may come."""
        if self.closed:
            return False
        if self.full is not None:
            return not self.full()
        return len(self.queue) < self.backlog

    def offer(self, flow: "Flow") -> None:
        """A connection is there."""
        if self.taken is not None:
            self.taken(flow)
            return
        self.queue.append(flow)
        if self.ready is not None:
            self.ready()

    def accept(self) -> "Flow | None":
        """The connection that waits longest."""
        return self.queue.popleft() if self.queue else None

    def close(self) -> None:
        """Listen no more: who nobody accepted is reset."""
        if self.closed:
            return
        self.closed = True
        self._streams.listeners.free(self.local, self)
        while self.queue:
            self.queue.popleft().connection.abort()
        self.taken = self.full = None  # they know it


class Request:
    """A peer's wish for a connection, to be decided about by one of the four methods, once; at any
    time: whoever came too late has decided nothing.
    """

    __slots__ = ("_handshake", "_openings", "source", "target")

    def __init__(
        self,
        openings: "Openings",
        handshake: "Handshake[bytes]",
        source: Endpoint,
        target: Endpoint,
    ) -> None:
        self._openings = openings
        self._handshake = handshake
        self.source = source
        """Who wants it."""
        self.target = target
        """Whom he wants to reach."""

    @property
    def waiting(self) -> bool:
        """Whether the peer may still be there."""
        return self._openings.handshakes.find(self._handshake.key) is self._handshake

    def accept(self, now: float) -> "Flow":
        """The connection, of which the peer is still to hear. ConnectionResetError where he has
        gone.
        """
        if not self.drop():
            raise error(errno.ECONNRESET)
        return self._openings.accept(now, self._handshake)

    def refuse(self) -> None:
        """Answer with a reset."""
        if self.drop():
            self._openings.later(lambda now: self._openings.refuse(now, self._handshake))

    def unreachable(self, code: int = icmp.HOST_UNREACHABLE) -> None:
        """Answer with ICMP's destination unreachable."""
        if self.drop():
            self._openings.later(lambda now: self._openings.report(now, self._handshake, code))

    def drop(self) -> bool:
        """Answer nothing; whether the peer was still waiting."""
        waiting = self.waiting
        if waiting:
            self._openings.handshakes.remove(self._handshake.key)
        return waiting
