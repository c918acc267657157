"""Connections that are over, remembered lest their old segments reach a new one (TIME-WAIT)."""

from collections import deque
from typing import Final, Generic, TypeVar

from cluster.network.stack.tcp.connection import Connection
from cluster.network.stack.tcp.segment import HALF, MASK, Segment
from cluster.network.wire import tcp

CAPACITY: Final = 8192
"""net.ipv4.tcp_max_tw_buckets; the oldest is forgotten."""
REUSE_SECONDS: Final = 1.0
"""From when on our own side may use the same ports again (net.ipv4.tcp_tw_reuse)."""
K = TypeVar("K")


class Remains:
    """What is left of a connection."""

    __slots__ = ("clock", "ended", "expected", "recent", "sequence", "stamped", "window")

    def __init__(self, connection: Connection, now: float) -> None:
        inbound, outbound = connection.inbound, connection.outbound
        self.sequence = outbound.wire(outbound.next)
        self.expected = inbound.wire(inbound.next)
        self.window = inbound.window()
        self.clock = connection.clock
        self.recent = connection.recent
        self.stamped = connection.stamped
        self.ended = now

    @staticmethod
    def asks(segment: Segment) -> bool:
        """Whether a segment is to be answered: a bare acknowledgment is not, lest two who remember
        answer each other for ever.
        """
        special = bool(segment.flags & (tcp.FIN | tcp.SYN) or segment.payload)
        return special and not segment.flags & tcp.RST

    def answer(self, now: float) -> Segment:
        """The last acknowledgment once more."""
        stamps = None
        if self.stamped:
            stamps = (self.clock + int(now * 1000)) & MASK, self.recent
        return Segment(tcp.ACK, self.sequence, self.expected, self.window, b"", stamps)

    def yields(self, segment: Segment) -> bool:
        """Whether a SYN may begin a new connection already: it is newer than all of the old one
        (RFC 9293, 3.10.7.4; RFC 6191).
        """
        if self.stamped and segment.stamps is not None:
            return 0 < (segment.stamps[0] - self.recent) & MASK < HALF
        return 0 < (segment.sequence - self.expected) & MASK < HALF


class TimeWait(Generic[K]):
    """The remains of a stack's connections, by what names them."""

    def __init__(self, seconds: float, capacity: int = CAPACITY) -> None:
        self._seconds = seconds
        self._capacity = capacity
        self._found: dict[K, Remains] = {}
        self._order: deque[tuple[float, K, Remains]] = deque()

    def __len__(self) -> int:
        return len(self._found)

    def add(self, key: K, connection: Connection, now: float) -> None:
        """A connection is over."""
        if len(self._found) >= self._capacity:
            self._drop()
        remains = Remains(connection, now)
        self._found[key] = remains
        self._order.append((now + self._seconds, key, remains))

    def get(self, key: K) -> Remains | None:
        """What is left of a connection."""
        return self._found.get(key)

    def remove(self, key: K) -> None:
        """Forget it: a new connection takes its place."""
        self._found.pop(key, None)

    def reusable(self, key: K, now: float) -> bool:
        """Whether we may connect by the same ends again, if there was such a connection at all."""
        remains = self._found.get(key)
        return remains is None or (remains.stamped and now - remains.ended > REUSE_SECONDS)

    @property
    def deadline(self) -> float:
        """When the oldest is to be forgotten."""
        return self._order[0][0] if self._order else float("inf")

    def expire(self, now: float) -> None:
        """Forget what is old."""
        while self._order and self._order[0][0] <= now:
            self._drop()

    def _drop(self) -> None:
        _, key, remains = self._order.popleft()
        if self._found.get(key) is remains:
            del self._found[key]
