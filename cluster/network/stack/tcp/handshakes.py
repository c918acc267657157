"""Connections that peers began and that are not there yet: small records, and not many.

A flood of SYNs costs no more than `capacity` records: the oldest gives way to the newest, which is
what keeps a stack open to those who do answer. A record may first wait for a decision (whether
somebody listens there, far away); then its SYN is answered, again and again, until the peer's
acknowledgment makes a connection of it.
"""

import heapq
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from cluster.network.stack.tcp.connection import Connection
from cluster.network.stack.tcp.segment import MASK, Offer, Segment
from cluster.network.stack.tcp.settings import FIRST_RTO, Memory, Settings
from cluster.network.wire import tcp

CAPACITY: Final = 512
"""net.ipv4.tcp_max_syn_backlog, of a machine with little memory."""
DECISION_SECONDS: Final = 130.0
"""How long a decision may take: longer than any peer asks for a connection."""
K = TypeVar("K")


class Handshake(Generic[K]):
    """A peer's SYN, and what we answer it with."""

    __slots__ = (
        "accepted",
        "at",
        "begun",
        "clock",
        "decided",
        "key",
        "mss",
        "offer",
        "peer_start",
        "retries",
        "stamps",
        "start",
        "window",
    )

    def __init__(
        self,
        key: K,
        segment: Segment,
        now: float,
        *,
        start: int,
        clock: int,
        mss: int,
        accepted: Callable[[Connection], bool] | None,
    ) -> None:
        self.key = key
        self.peer_start = segment.sequence
        self.offer = segment.offer or Offer()
        self.stamps = segment.stamps
        self.window = segment.window
        self.start = start
        self.clock = clock
        self.mss = mss
        self.accepted = accepted
        """Takes the connection; False where there is no room for it now."""
        self.decided = accepted is not None
        self.begun = now
        self.retries = 0
        self.at = now + (FIRST_RTO if self.decided else DECISION_SECONDS)

    def matches(self, segment: Segment) -> bool:
        """Whether a segment acknowledges our answer."""
        return (
            segment.acknowledgment == (self.start + 1) & MASK
            and (segment.sequence - self.peer_start - 1) & MASK < 65536
        )

    def syn(self) -> Segment:
        """The peer's SYN."""
        return Segment(tcp.SYN, self.peer_start, 0, self.window, b"", self.stamps, (), self.offer)

    def answer(self, now: float, settings: Settings) -> Segment:
        """The SYN that acknowledges the peer's."""
        offer = self.offer
        stamps = None
        if settings.timestamps and self.stamps is not None:
            stamps = (self.clock + int(now * 1000)) & MASK, self.stamps[0]
        scale = settings.scale if settings.window_scaling and offer.scale >= 0 else -1
        return Segment(
            tcp.SYN | tcp.ACK,
            self.start,
            (self.peer_start + 1) & MASK,
            min(settings.receive_buffer, 65535),
            b"",
            stamps,
            (),
            Offer(self.mss, scale, settings.sack and offer.sack),
        )

    def connection(self, now: float, settings: Settings, memory: Memory) -> Connection:
        """The connection that it has become."""
        made = Connection(
            settings, now, start=self.start, clock=self.clock, mss=self.mss, memory=memory
        )
        made.answer(self.syn(), now)
        made.syn_due = False
        outbound = made.outbound
        outbound.unacknowledged = outbound.next = 1
        if not self.retries and now > self.begun:
            outbound.timeouts.measured(now - self.begun)
        made.establish(now)
        return made


class Handshakes(Generic[K]):
    """The handshakes of a stack, by what names their connection."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._open: dict[K, Handshake[K]] = {}
        self._times: list[tuple[float, int, Handshake[K]]] = []
        self._sequence = 0
        self.overflowed = 0
        """How many gave way to newer ones."""

    def __len__(self) -> int:
        return len(self._open)

    def find(self, key: K) -> Handshake[K] | None:
        """The handshake of a connection to be."""
        return self._open.get(key)

    def add(self, handshake: Handshake[K]) -> None:
        """A SYN has come."""
        if len(self._open) >= self._capacity:
            self.remove(next(iter(self._open)))
            self.overflowed += 1
        self._open[handshake.key] = handshake
        self._set(handshake)

    def remove(self, key: K) -> None:
        """It has become a connection, or will not."""
        self._open.pop(key, None)

    def _set(self, handshake: Handshake[K]) -> None:
        self._sequence += 1
        heapq.heappush(self._times, (handshake.at, self._sequence, handshake))
        if len(self._times) > 4 * self._capacity:
            living = (entry for entry in self._times if self._valid(entry))
            self._times = sorted(living, key=lambda entry: entry[:2])

    def _valid(self, entry: tuple[float, int, Handshake[K]]) -> bool:
        at, _, handshake = entry
        return self._open.get(handshake.key) is handshake and handshake.at == at

    @property
    def deadline(self) -> float:
        """When `due` has something to tell."""
        times = self._times
        while times and not self._valid(times[0]):
            heapq.heappop(times)
        return times[0][0] if times else float("inf")

    def due(self, now: float, settings: Settings) -> list[Handshake[K]]:
        """Those whose answer goes again now; those who had enough of them are gone."""
        found = []
        while self.deadline <= now:
            handshake = heapq.heappop(self._times)[2]
            if not handshake.decided or handshake.retries >= settings.synack_retries:
                self.remove(handshake.key)
                continue
            handshake.retries += 1
            handshake.at = now + FIRST_RTO * (1 << handshake.retries)
            self._set(handshake)
            found.append(handshake)
        return found
