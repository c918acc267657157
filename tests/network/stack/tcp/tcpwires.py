"""Two connections and a wire between them that delays, loses, repeats and reorders, by a seed."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from cluster.network.stack.tcp import events, plain, states
from cluster.network.stack.tcp.connection import Connection
from cluster.network.stack.tcp.handshakes import Handshake
from cluster.network.stack.tcp.segment import Segment
from cluster.network.stack.tcp.settings import Memory, Settings
from cluster.network.stack.tcp.timewait import Remains
from cluster.network.wire import tcp

MSS = 1410


@dataclass
class Faults:
    delay: float = 0.0005
    jitter: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    """A share that comes 5 ms late."""
    cut: list[tuple[float, float]] = field(default_factory=list)
    """Times between which nothing passes."""


@dataclass
class End:
    name: str
    settings: Settings
    received: bytearray = field(default_factory=bytearray)
    to_send: bytearray = field(default_factory=bytearray)
    ends: bool = True
    """Whether it ends after its last byte."""
    reads: bool = True
    connection: Connection | None = None
    log: list[Segment] = field(default_factory=list)
    """What it sent, cut as on a wire."""


class Wires:
    """Runs until nothing happens any more; time is virtual."""

    def __init__(
        self,
        faults: Faults | None = None,
        *,
        seed: int = 1,
        client: Settings | None = None,
        server: Settings | None = None,
        mss: tuple[int, int] = (MSS, MSS),
    ) -> None:
        self.now = 100.0
        self.random = random.Random(seed)
        self.faults = faults or Faults()
        self.memory = Memory()
        self.client = End("client", client or Settings())
        self.server = End("server", server or Settings())
        self._mss = mss
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._handshake: Handshake[str] | None = None
        self.handshakes = 0
        self.client.connection = self._made(self.client, mss[0])
        self.client.connection.open()

    def _made(self, end: End, mss: int) -> Connection:
        return Connection(
            end.settings,
            self.now,
            start=self.random.getrandbits(32),
            clock=self.random.getrandbits(32),
            mss=mss,
            memory=self.memory,
        )

    def at(self, when: float, call: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (when, self._sequence, call))

    def run(self, until: float = 1e9) -> None:
        """Until both ends rest and nothing is under way, or time has come."""
        for _ in range(300_000):
            self._flush()
            deadline = min(self._deadline(self.client), self._deadline(self.server))
            following = self._events[0][0] if self._events else float("inf")
            moment = min(deadline, following)
            if moment > until or moment == float("inf"):
                self.now = max(self.now, min(until, 1e9))
                return
            self.now = max(self.now, moment)
            if following <= deadline:
                heapq.heappop(self._events)[2]()
            else:
                for end in (self.client, self.server):
                    if end.connection is not None and end.connection.deadline <= self.now:
                        end.connection.tick(self.now)
        raise AssertionError("it never comes to rest")

    def _deadline(self, end: End) -> float:
        return end.connection.deadline if end.connection is not None else float("inf")

    def _flush(self) -> None:
        for _ in range(100):
            moved = False
            for end in (self.client, self.server):
                if end.connection is not None:
                    self._application(end, end.connection)
                    for segment in end.connection.pull(self.now):
                        moved = True
                        for piece in cut(segment):
                            self._check(end, piece)
                            end.log.append(piece)
                            self._transmit(end, piece)
            if not moved:
                return
        raise AssertionError("segments without end, in no time")

    def _application(self, end: End, connection: Connection) -> None:
        assert not connection.calm or plain.settled(connection), "calm, with something going on"
        if connection.state in (states.SYN_SENT, states.SYN_RECEIVED):
            return
        if end.to_send:
            taken = connection.send(bytes(end.to_send[: 1 << 16]))
            del end.to_send[:taken]
        if not end.to_send and end.ends and connection.writable:
            connection.end()
        if end.reads and connection.readable:
            end.received += connection.take(1 << 20)
        connection.events &= events.FAILED | events.CLOSED

    def _check(self, end: End, piece: Segment) -> None:
        """Nobody sends more than a segment takes, or beyond the window that he was given."""
        connection, other = end.connection, self.server if end is self.client else self.client
        assert connection is not None
        assert len(piece.payload) <= min(self._mss)
        if other.connection is not None and piece.payload:
            inbound = other.connection.inbound
            behind = inbound.position(piece.sequence) + len(piece.payload)
            assert behind <= inbound.edge, "sent beyond the window"

    def _transmit(self, end: End, piece: Segment) -> None:
        faults, draw = self.faults, self.random.random
        if any(start <= self.now < behind for start, behind in faults.cut):
            return
        if faults.loss and draw() < faults.loss:
            return
        delay = faults.delay + faults.jitter * draw()
        if faults.reorder and draw() < faults.reorder:
            delay += 0.005
        other = self.server if end is self.client else self.client
        self.at(self.now + delay, lambda: self._deliver(other, piece))
        if faults.duplicate and draw() < faults.duplicate:
            self.at(self.now + delay * 1.5, lambda: self._deliver(other, piece))

    def _deliver(self, end: End, piece: Segment) -> None:
        if end.connection is not None:
            if end.connection.state == states.TIME_WAIT:
                if Remains.asks(piece):
                    self._transmit(end, Remains(end.connection, self.now).answer(self.now))
                return
            end.connection.receive(self.now, piece)
            return
        if piece.flags & tcp.SYN and not piece.flags & tcp.ACK:
            if self._handshake is None:
                self._handshake = Handshake(
                    "key",
                    piece,
                    self.now,
                    start=self.random.getrandbits(32),
                    clock=7,
                    mss=self._mss[1],
                    accepted=lambda _: True,
                )
            self.handshakes += 1
            answer = self._handshake.answer(self.now, end.settings)
            end.log.append(answer)
            self._transmit(end, answer)
        elif self._handshake is not None and self._handshake.matches(piece):
            end.connection = self._handshake.connection(self.now, end.settings, self.memory)
            end.connection.receive(self.now, piece)

    @property
    def both(self) -> tuple[Connection, Connection]:
        assert self.client.connection is not None
        assert self.server.connection is not None
        return self.client.connection, self.server.connection


def cut(segment: Segment) -> list[Segment]:
    """As a port cuts a long segment."""
    size = segment.gso_size
    if not size or len(segment.payload) <= size:
        return [segment]
    pieces = []
    for start in range(0, len(segment.payload), size):
        last = start + size >= len(segment.payload)
        flags = segment.flags if last else segment.flags & ~(tcp.FIN | tcp.PSH)
        piece = Segment(
            flags,
            (segment.sequence + start) & 0xFFFFFFFF,
            segment.acknowledgment,
            segment.window,
            bytes(segment.payload[start : start + size]),
            segment.stamps,
            segment.sack,
        )
        pieces.append(piece)
    return pieces
