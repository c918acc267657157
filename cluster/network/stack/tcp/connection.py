"""One connection: its state, its timers, and what of either half leads to a segment.

`receive` and `tick` take what happens, `send`, `take`, `end`, `close` and `abort` what the
application wants, `pull` gives the segments that are to go. What the application has to know adds
up in `events`.

It is long because all of it reads and writes one set of fields; what segments, time and the short
way out do to these is in `arrivals`, `timing` and `plain`.
"""

from collections.abc import Callable
from typing import Final

from cluster.network.stack.tcp import arrivals, events, plain, states, timing
from cluster.network.stack.tcp.inbound import Inbound
from cluster.network.stack.tcp.outbound import Outbound
from cluster.network.stack.tcp.segment import MASK, Offer, Segment
from cluster.network.stack.tcp.settings import LEAST_MSS, TIGHT, Memory, Settings
from cluster.network.wire import tcp

NEVER: Final = float("inf")
STAMPS: Final = 12
"""Bytes that the timestamps option takes of each segment."""
_SENDING: Final = states.SENDING
_LOW_WATER: Final = 3
"""Writable again is who has a third of his buffer free (as Linux)."""


def _nothing() -> None:
    """Nobody asked to be told."""


class Connection:
    """A connection as one end has it. Positions: see the package."""

    __slots__ = (
        "_answer",
        "_most",
        "_over",
        "_wake",
        "ack_at",
        "ack_now",
        "calm",
        "challenged_at",
        "clock",
        "error",
        "events",
        "full",
        "heard_at",
        "immediate",
        "inbound",
        "keep_alive",
        "linger_at",
        "memory",
        "orphan",
        "outbound",
        "persist_at",
        "probes",
        "queued",
        "received_at",
        "recent",
        "recent_at",
        "settings",
        "soft_error",
        "stamped",
        "state",
        "syn_due",
        "told",
        "typical",
        "unacked",
        "window_at",
    )

    def __init__(
        self,
        settings: Settings,
        now: float,
        *,
        start: int,
        clock: int,
        mss: int,
        memory: Memory | None = None,
    ) -> None:
        """`start`: our initial sequence number; `clock`: what our timestamps begin with, both
        drawn by the stack; `mss`: the payload, with options, that our interface takes.
        """
        self.settings = settings
        self._most = settings.send_buffer
        self.memory = memory if memory is not None else Memory()
        self.state = states.CLOSED
        self.calm = False
        """Whether it was found settled (`plain`), and nothing happened since then but what may."""
        self.inbound = Inbound(settings.receive_buffer, mss, self.memory)
        self.outbound = Outbound(
            start, mss, settings.send_buffer, settings.largest_burst, self.memory
        )
        self.clock = clock
        self.stamped = False
        """Whether segments carry timestamps, both ways."""
        self.recent = 0
        """TS.Recent: the peer's timestamp to echo."""
        self.recent_at = now
        self.told = 0
        """Last.ACK.sent, as a position of the peer's."""
        self.window_at = 0
        """SND.WL1: the position of the segment that told the peer's window last."""
        self.unacked = 0
        """Bytes that arrived since we acknowledged last."""
        self.typical = 1
        """Payload of the peer's longest segment, one MSS at most."""
        self.ack_now = False
        self.ack_at = NEVER
        self.persist_at = NEVER
        self.keep_alive = False
        self.linger_at = NEVER
        """When FIN-WAIT-2 ends by itself."""
        self.probes = 0
        """Probes in a row that nobody answered."""
        self.heard_at = now
        self.received_at = now
        self.challenged_at = -NEVER
        self.syn_due = False
        self.orphan = False
        """Nobody holds it any more."""
        self.error = 0
        """Why it is over: an errno, 0 while it is not, or where it ended well."""
        self.soft_error = 0
        """What ICMP said, which a timeout will be explained by."""
        self.events = 0
        self._wake: Callable[[], None] = _nothing
        self.queued = False
        self.full = False
        """Whether somebody waits for room in the buffer."""
        self._over = False
        self._answer = Offer()
        """What our SYN says where it answers the peer's."""
        self.immediate: list[Segment] = []

    def attach(self, wake: Callable[[], None]) -> None:
        """Call `wake` when there is something to pull, once until it is pulled."""
        self._wake = wake
        if self.queued:
            wake()

    # ---- beginnings --------------------------------------------------------------------------

    def open(self) -> None:
        """Connect: the SYN goes with the next `pull`."""
        self.state = states.SYN_SENT
        self.syn_due = True
        self.want()

    def answer(self, segment: Segment, now: float) -> None:
        """Take a peer's SYN: ours, which answers it, goes with the next `pull`."""
        self.inbound.begin(segment.sequence, 0)
        self.told = 1
        self.agree(segment.offer or Offer(), segment.stamps, now)
        self.outbound.limit = 1 + segment.window
        self.outbound.widest = segment.window
        self.window_at = 0
        self.state = states.SYN_RECEIVED
        self.syn_due = True
        self.want()

    def agree(self, offer: Offer, stamps: tuple[int, int] | None, now: float) -> None:
        """Take up what the peer's SYN offers, as far as we offer it as well."""
        settings, outbound = self.settings, self.outbound
        self.stamped = settings.timestamps and stamps is not None
        if stamps is not None:
            self.recent, self.recent_at = stamps[0], now
        scaled = settings.window_scaling and offer.scale >= 0
        self.inbound.scale = settings.scale if scaled else 0
        outbound.scale = offer.scale if scaled else 0
        outbound.selective = settings.sack and offer.sack
        self._answer = Offer(
            self.inbound.mss, self.inbound.scale if scaled else -1, outbound.selective
        )
        size = min(offer.mss, outbound.mss)
        outbound.resize(max(size, LEAST_MSS) - (STAMPS if self.stamped else 0))
        outbound.congestion.window = 10 * outbound.mss

    def establish(self, now: float) -> None:
        """The handshake is done."""
        self.state = states.ESTABLISHED
        self.events |= events.CONNECTED | events.WRITABLE
        self.heard_at = now

    # ---- the application ---------------------------------------------------------------------

    @property
    def writable(self) -> bool:
        """Whether it may still send."""
        return self.state in states.SENDING and not self.outbound.ended

    @property
    def room(self) -> int:
        """Bytes that `send` would take now."""
        most = self._most
        if self.memory.used >= self.memory.limit:
            most = min(most, TIGHT)
        left = most - self.outbound.buffer.size
        return left if left > 0 else 0

    @property
    def readable(self) -> int:
        """Bytes that `take` would give now."""
        return self.inbound.buffer.size

    @property
    def finished(self) -> bool:
        """Whether the peer ended, and all that it sent has been taken."""
        return self.inbound.finished and not self.inbound.buffer

    def send(self, data: bytes | memoryview) -> int:
        """Send as much as there is room for; how many bytes that is."""
        outbound = self.outbound
        if self.state not in _SENDING or outbound.ended:
            return 0
        size = len(data)
        if self.memory.used >= self.memory.limit or outbound.buffer.size + size > self._most:
            room = self.room
            if size > room:
                data = memoryview(data)[:room]
                self.full = True
                size = room
        if size:
            outbound.buffer.put(data)
            self.memory.used += size
            if not self.queued:
                self.queued = True
                self._wake()
        return size

    def take(self, most: int) -> bytes:
        """At most `most` bytes of what has arrived."""
        inbound = self.inbound
        taken = inbound.buffer.take(most)
        self.memory.used -= len(taken)
        # Mostly more than half of the window is left: then it is not worth it.
        if (
            (inbound.edge - inbound.next) << 1 <= inbound.widest
            and taken
            and not self.ack_now
            and inbound.worth_telling()
            and inbound.fin < 0
        ):
            self.ack_now = True
            self.want()
        return taken

    def end(self) -> None:
        """Send nothing more: a FIN follows what is in the buffer."""
        if self.outbound.ended or self.state not in states.SENDING:
            return
        self.calm = False
        self.outbound.ended = True
        self.state = states.ENDED[self.state]
        self.want()

    def close(self) -> None:
        """Hold it no more. What was sent still goes out; unread data, or more of it, resets."""
        if self.state == states.TIME_WAIT:
            self.inbound.drop()
            return
        if self.state in (states.CLOSED, states.SYN_SENT) or self.inbound.buffer:
            self.abort()
            return
        self.calm = False
        self.orphan = True
        self.inbound.drop()
        self.end()
        if self.state == states.FIN_WAIT_2:
            self.linger_at = self.heard_at + self.settings.fin_timeout
            self.want()

    def abort(self) -> None:
        """Close with a reset."""
        self.calm = False
        self.orphan = True
        if self.state in states.SYNCHRONIZED:
            self.reset()
        self.over(0)
        self.inbound.drop()

    # ---- what goes out -----------------------------------------------------------------------

    def want(self) -> None:
        """There is, or may be, something to pull."""
        if not self.queued:
            self.queued = True
            self._wake()

    def pull(self, now: float) -> list[Segment]:
        """The segments that are to go now."""
        alone = plain.pull(self, now, int(now * 1000))
        if alone is not None:
            return [Segment(*alone[:4], alone[6], alone[4:6])]
        self.queued = False
        found: list[Segment] = []
        if self.immediate:
            found, self.immediate = self.immediate, found
        if self.state in states.TRANSFERRING:
            outbound = self.outbound
            if outbound.phase or outbound.next < outbound.end:
                for start, end in outbound.due(now):
                    found.append(self._data(now, start, end))
                if outbound.blocked and self.persist_at == NEVER and outbound.timeout_at is None:
                    self.persist_at = now + outbound.timeouts.value
            if self.ack_now:
                found.append(self._segment(now, tcp.ACK, outbound.next))
        elif self.syn_due:
            self.syn_due = False
            self.outbound.syn_sent(now)
            found.append(self._syn(now))
        elif self.ack_now:
            found.append(self._segment(now, tcp.ACK, self.outbound.next))
        return found

    def _data(self, now: float, start: int, end: int) -> Segment:
        outbound = self.outbound
        top = outbound.top
        flags = tcp.ACK
        if end >= top:
            flags = tcp.ACK | tcp.PSH
            if end > top:
                flags, end = (tcp.ACK | tcp.FIN | (tcp.PSH if top > start else 0)), top
        segment = self._segment(now, flags, start)
        segment.payload = outbound.payload(start, end)
        if end - start > outbound.mss:
            segment.gso_size = outbound.mss
        return segment

    def _segment(self, now: float, flags: int, position: int) -> Segment:
        """A segment that acknowledges all that arrived."""
        inbound, outbound = self.inbound, self.outbound
        self.told = there = inbound.next
        self.unacked = 0
        self.ack_now = False
        self.ack_at = NEVER
        sack: tuple[tuple[int, int], ...] = ()
        if (inbound.ahead or inbound.duplicate is not None) and outbound.selective:
            sack = inbound.blocks()
        return Segment(
            flags,
            (outbound.start + position) & MASK,
            (inbound.start + there) & MASK,
            inbound.window(),
            b"",
            ((self.clock + int(now * 1000)) & MASK, self.recent) if self.stamped else None,
            sack,
        )

    def _syn(self, now: float) -> Segment:
        settings, inbound = self.settings, self.inbound
        window = min(settings.receive_buffer, 65535)
        start = self.outbound.start
        if self.state == states.SYN_RECEIVED:
            stamps = (self.stamp(now), self.recent) if self.stamped else None
            awaited = inbound.wire(inbound.next)
            return Segment(tcp.SYN | tcp.ACK, start, awaited, window, b"", stamps, (), self._answer)
        scale = settings.scale if settings.window_scaling else -1
        stamps = (self.stamp(now), 0) if settings.timestamps else None
        offer = Offer(inbound.mss, scale, settings.sack)
        return Segment(tcp.SYN, start, 0, window, b"", stamps, (), offer)

    def stamp(self, now: float) -> int:
        """Our clock of milliseconds."""
        return (self.clock + int(now * 1000)) & MASK

    def acknowledge(self) -> None:
        """Have what arrived acknowledged with the next pull."""
        self.ack_now = True
        self.want()

    def acknowledge_apart(self, now: float) -> None:
        """Acknowledge by a segment of its own: each one counts for the peer."""
        self.probe(now, self.outbound.next)

    def reset(self) -> None:
        """Tell the peer that it is over."""
        outbound, inbound = self.outbound, self.inbound
        self.calm = False
        self.immediate.append(
            Segment(tcp.RST | tcp.ACK, outbound.wire(outbound.next), inbound.wire(inbound.next), 0)
        )
        self.want()

    # ---- what comes in -----------------------------------------------------------------------

    def receive(self, now: float, segment: Segment) -> None:
        """A segment of the peer's has come."""
        arrivals.receive(self, now, segment)

    def unreachable(self, number: int) -> None:
        """ICMP says that the peer cannot be reached: fatal only before the connection is there."""
        if self.state == states.SYN_SENT:
            self.over(number)
        else:
            self.soft_error = number

    def too_big(self, mss: int) -> None:
        """ICMP says that the path takes segments of `mss` bytes, with options, only."""
        size = max(mss, LEAST_MSS) - (STAMPS if self.stamped else 0)
        if size < self.outbound.mss and self.state in states.SYNCHRONIZED:
            self.calm = False
            self.outbound.resize(size)
            self.outbound.again()
            self.want()

    def freed(self) -> None:
        """There is room in the full buffer again, perhaps enough to tell of."""
        if self.room * _LOW_WATER >= self.settings.send_buffer or not self.outbound.buffer.size:
            self.full = False
            self.events |= events.WRITABLE

    def over(self, error: int) -> None:
        """Nothing follows. `error`: an errno, or 0."""
        if self._over:
            return
        self._over = True
        self.calm = False
        self.state = states.CLOSED
        self.error = self.error or error
        self.events |= events.CLOSED | (events.FAILED if error else 0)
        self.ack_now = self.syn_due = False
        self.ack_at = self.persist_at = self.linger_at = NEVER
        self.outbound.drop()
        self.want()

    # ---- time --------------------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        """When `tick` is to be called; infinite where nothing is to be waited for."""
        found = self.ack_at
        timeout = self.outbound.timeout_at
        if timeout is not None and timeout < found:
            found = timeout
        found = min(found, self.persist_at, self.linger_at)
        return min(found, self.keepalive_at) if self.keep_alive else found

    @property
    def keepalive_at(self) -> float:
        """When a silent peer is asked whether he is there."""
        settings = self.settings
        idle = self.outbound.flight == 0 and self.state in states.TRANSFERRING
        if not idle or self.persist_at != NEVER:
            return NEVER
        return self.heard_at + settings.keepalive_idle + self.probes * settings.keepalive_interval

    def tick(self, now: float) -> None:
        """Time has come to a deadline, or to any other moment."""
        self.calm = False
        timing.tick(self, now)

    def probe(self, now: float, position: int) -> None:
        """Send an acknowledgment from a position that the peer has, so that he answers."""
        self.calm = False
        self.immediate.append(self._segment(now, tcp.ACK, position))
        self.want()

    def force(self, now: float, start: int, end: int) -> None:
        """Send data whatever the peer's window is."""
        self.calm = False
        self.immediate.append(self._data(now, start, end))
        self.want()
