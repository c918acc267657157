"""What we send: the buffer, the peer's window, and what is sent again.

The peer's acknowledgments, and silence, say what was lost; `recovery` fixes what of it goes again:
all that did not arrive before the position `edge`, from `resent` on (RFC 6675; a peer without SACK
is followed as NewReno has it, its repeated acknowledgments counted as segments that arrived). What
was resent and lost once more is noticed by what was sent after it and arrived.
"""

from typing import Final

from cluster.network.stack.tcp.congestion import NewReno
from cluster.network.stack.tcp.kept import Kept
from cluster.network.stack.tcp.resendings import Resendings
from cluster.network.stack.tcp.scoreboard import Scoreboard
from cluster.network.stack.tcp.segment import HALF, MASK
from cluster.network.stack.tcp.settings import DUPLICATES, Memory
from cluster.network.stack.tcp.timeouts import Timeouts

OPEN: Final = 0
FAST: Final = 1
"""Some was lost, others arrive."""
LOSS: Final = 2
"""A timeout: all that was under way counts as lost."""
_MEASURE_SECONDS: Final = 0.01
"""How often a round trip is measured: often enough for a timeout of 0.2 s at least."""


class Outbound:
    """The sending half of a connection. Positions: see the package."""

    __slots__ = (
        "_held",
        "_limited",
        "_measure_from",
        "_measured",
        "_measured_at",
        "_memory",
        "_must",
        "_resendings",
        "base",
        "board",
        "buffer",
        "burst",
        "congestion",
        "duplicates",
        "edge",
        "ended",
        "last_sent",
        "limit",
        "mss",
        "next",
        "phase",
        "recover",
        "resent",
        "retransmitted",
        "scale",
        "selective",
        "start",
        "timeout_at",
        "timeouts",
        "unacknowledged",
        "widest",
    )

    def __init__(self, start: int, mss: int, buffer: int, burst: int, memory: Memory) -> None:
        self.start = start
        """Our initial sequence number."""
        self.unacknowledged = 0
        """SND.UNA."""
        self.next = 0
        """The first position that was never sent."""
        self.base = 1
        """The position of the buffer's first byte."""
        self.buffer = Kept()
        self.ended = False
        """Whether a FIN follows the buffer."""
        self.limit = 0
        """SND.UNA + SND.WND: the first position that the peer does not take."""
        self.widest = 0
        """The largest window that the peer ever had."""
        self.scale = 0
        """What the peer's windows are shifted by."""
        self.selective = False
        """Whether the peer sends SACK."""
        self.mss = mss
        """Payload of a segment."""
        self.burst = max(burst, mss)
        self.congestion = NewReno(mss, 2 * buffer)
        self.timeouts = Timeouts()
        self.timeout_at: float | None = None
        self.board = Scoreboard()
        self.phase = OPEN
        self.recover = 0
        """The phase ends when this position is acknowledged."""
        self.resent = 0
        """In the phase, holes before it were sent again."""
        self.edge = 0
        """In the phase, what did not arrive before it is lost."""
        self.duplicates = 0
        """Acknowledgments in a row that said the same."""
        self.last_sent = 0.0
        self.retransmitted = 0
        """Segments sent again, ever."""
        self._held = 0
        """Without SACK: bytes taken to have arrived, by repeated acknowledgments."""
        self._must = False
        """Whether one segment goes again whatever the congestion window says."""
        self._limited = False
        """Whether the congestion window is what holds us back."""
        self._resendings = Resendings()
        self._measured = -1
        """Once this position is acknowledged, a round trip is known."""
        self._measured_at = 0.0
        self._measure_from = 0.0
        self._memory = memory

    # ---- facts -------------------------------------------------------------------------------

    @property
    def top(self) -> int:
        """The position behind the last byte of the buffer."""
        return self.base + self.buffer.size

    @property
    def end(self) -> int:
        """The position behind all there is to send, FIN included."""
        return self.base + self.buffer.size + self.ended

    @property
    def flight(self) -> int:
        """What was sent and not acknowledged."""
        return self.next - self.unacknowledged

    def position(self, acknowledgment: int) -> int:
        """The position of an acknowledgment of the peer's."""
        there = self.unacknowledged
        return there + ((acknowledgment - self.start - there + HALF) & MASK) - HALF

    def wire(self, position: int) -> int:
        """The sequence number of a position."""
        return (self.start + position) & MASK

    @property
    def calm(self) -> bool:
        """Whether all that was sent is bytes of the buffer, and nothing of it is missed."""
        return (
            self.phase == OPEN
            and not self.ended
            and not self.board.total
            and not self._held
            and not self.timeouts.backoff
            and self.base == self.unacknowledged
        )

    def alone(self, now: float) -> int:
        """Where all that is left to send begins, if it goes now in one segment, as far as windows
        go; counts it as sent. -1 otherwise. Only where all is `calm`.
        """
        start = self.next
        behind = self.base + self.buffer.size
        if (
            not 0 < behind - start <= self.mss
            or behind > self.limit
            or behind - self.unacknowledged > self.congestion.window
        ):
            return -1
        self.next = behind
        self._limited = False
        self.last_sent = now
        if self.timeout_at is None:
            self.timeout_at = now + self.timeouts.value
        if self._measured < 0 and now >= self._measure_from:
            self._measured = behind
            self._measured_at = now
        return start

    def payload(self, start: int, end: int) -> bytes:
        """The data between two positions."""
        return self.buffer.part(start - self.base, end - self.base)

    def drop(self) -> None:
        """Forget all."""
        self._memory.used -= self.buffer.size
        self.buffer.clear()
        self.board.clear()
        self.timeout_at = None

    def syn_sent(self, now: float) -> None:
        """Our SYN went out, for the first time or again (which measures nothing)."""
        self._measured = -1 if self.next else 1
        self._measured_at = now
        self.next = 1
        self.last_sent = now
        self.timeout_at = now + self.timeouts.value

    def resize(self, mss: int) -> None:
        """The path takes less than was thought: what is lost goes again in smaller pieces."""
        self.mss = mss
        self.burst = max(self.burst, mss)
        self.congestion.resize(mss)

    # ---- what the peer says ------------------------------------------------------------------

    def acknowledged(self, now: float, position: int, echoed: float) -> None:
        """The peer has all before `position`, which is news. `echoed`: seconds since the peer's
        timestamp was ours, negative where unknown.
        """
        count = position - self.unacknowledged
        self.unacknowledged = position
        gone = position - self.base
        if gone > 0:
            gone = min(gone, self.buffer.size)  # the FIN may be behind it
            self.buffer.drop(gone)
            self.base += gone
            self._memory.used -= gone
        self.duplicates = 0
        if self._measured >= 0 or self.timeouts.backoff:
            self._measure(now, position, echoed)
        if self.phase == OPEN:
            if self._limited:
                self.congestion.acknowledged(count)
            if self.board.total:
                self.board.forget(position)
        else:
            self._recovered(position, count)
        self.timeout_at = now + self.timeouts.value if self.next > position else None

    def advance(self, now: float, position: int) -> None:
        """`acknowledged`, where nothing is special: see `calm`."""
        count = position - self.unacknowledged
        self.unacknowledged = self.base = position
        self.buffer.drop(count)
        self._memory.used -= count
        self.duplicates = 0
        if 0 <= self._measured <= position:
            self._measure(now, position, -1.0)
        if self._limited:
            self.congestion.acknowledged(count)
        self.timeout_at = now + self.timeouts.value if self.next > position else None

    def _measure(self, now: float, position: int, echoed: float) -> None:
        if 0 <= self._measured <= position:
            self.timeouts.measured(max(now - self._measured_at, 1e-6))
            self._measured = -1
            self._measure_from = now + _MEASURE_SECONDS
        elif self.timeouts.backoff:
            if echoed >= 0:
                self.timeouts.measured(max(echoed, 1e-6))
            else:
                self.timeouts.settle()

    def _recovered(self, position: int, count: int) -> None:
        """Go on in a phase, or leave it."""
        self.board.forget(position)
        self._held = max(self._held - max(count - self.mss, 0), 0)
        self.resent = max(self.resent, position)
        if position >= self.recover:
            if self.phase == FAST:
                flight = self.next - position
                room = max(flight, self.mss) + self.mss
                self.congestion.window = min(self.congestion.threshold, room)
            self.phase = OPEN
            self._resendings.clear()
            self._held = 0
        elif self.phase == LOSS:
            self.congestion.acknowledged(count)
        elif not self.selective:
            # A partial acknowledgment: the next one is lost too (RFC 6582).
            self.resent = position
            self.edge = position + self.mss
            self._must = True

    def arrived(self, blocks: tuple[tuple[int, int], ...]) -> bool:
        """Blocks of SACK; whether they told something new."""
        news = False
        for first, behind in blocks:
            start = self.position(first)
            end = start + ((behind - first) & MASK)
            if self.unacknowledged < start < end <= self.next:
                news = self.board.add(start, end) or news
        return news

    def repeated(self) -> None:
        """An acknowledgment said the same again."""
        self.duplicates += 1
        if not self.selective:
            self._held = min(self._held + self.mss, max(self.flight - self.mss, 0))

    def detect(self) -> None:
        """Look for losses, in what the last acknowledgment said."""
        lost = self.board.lost_before(self.mss) if self.board.total else -1
        if self.phase == OPEN:
            if self.duplicates < DUPLICATES and lost <= self.unacknowledged:
                return
            if self.flight <= 0 or (not self.selective and self.unacknowledged < self.recover):
                return
            self.congestion.lost(self.flight)
            self._enter(FAST)
            self.edge = max(lost, min(self.unacknowledged + self.mss, self.next))
            self._must = True
        elif self.phase == FAST:
            self.edge = max(self.edge, lost)
        self._resendings.detect(self.board, self.unacknowledged, self.mss)

    def _enter(self, phase: int) -> None:
        self.phase = phase
        self.recover = self.next
        self.resent = self.unacknowledged
        self._measured = -1
        self._resendings.clear()

    def timed_out(self, now: float) -> None:
        """No acknowledgment came in time: all that is under way counts as lost."""
        board = self.board
        if board.first == self.unacknowledged or self.timeouts.backoff > 1:
            board.clear()  # the peer threw away what it had: it may (RFC 2018, 8)
        fresh = self.phase != LOSS or self.unacknowledged > self.resent
        self.congestion.timed_out(self.flight, first=fresh and not self.timeouts.backoff)
        self._enter(LOSS)
        self._held = 0
        self.edge = self.next
        self._must = True
        self.duplicates = 0
        self.timeouts.back_off()
        self.timeout_at = now + self.timeouts.value

    def again(self) -> None:
        """What is under way was too large for the path: it goes again, and nothing is blamed."""
        if self.flight:
            self._enter(FAST)
            self._held = 0
            self.congestion.threshold = max(self.congestion.window, 2 * self.mss)
            self.edge = self.next
            self._must = True

    # ---- what goes out -----------------------------------------------------------------------

    def _pipe(self) -> int:
        """What is thought to be on its way (RFC 6675, SetPipe)."""
        if self.phase == OPEN:
            return self.flight - self.board.total - self._held
        within = self.board.within
        resent = self.resent - self.unacknowledged - within(self.unacknowledged, self.resent)
        beyond = max(self.edge, self.resent)
        fresh = self.next - beyond - within(beyond, self.next)
        return max(resent + fresh - self._resendings.size - self._held, 0)

    def due(self, now: float) -> list[tuple[int, int]]:
        """What to send now, from one position to another; counts it as sent."""
        found: list[tuple[int, int]] = []
        if self.phase != OPEN:
            self._resend(found)
        if self.next < self.end:
            self._fresh(now, found)
        if found:
            self.last_sent = now
            if self.timeout_at is None or found[0][0] == self.unacknowledged:
                self.timeout_at = now + self.timeouts.value
        return found

    def _resend(self, found: list[tuple[int, int]]) -> None:
        """What is lost, as far as the congestion window goes."""
        room = self.congestion.window - self._pipe()
        while self._must or room >= self.mss:
            hole = self._lost()
            if hole is None:
                break
            start, end = hole
            most = self.mss if self._must else min(room, self.burst)
            end = min(end, start + most - most % self.mss)
            self._must = False
            room -= end - start
            self._sent_again(start, end)
            found.append((start, end))
        self._must = False

    def _lost(self) -> tuple[int, int] | None:
        board, known = self.board, self.unacknowledged
        again = self._resendings.first(board, known)
        return again or board.hole(max(self.resent, known), self.edge)

    def _sent_again(self, start: int, end: int) -> None:
        self.retransmitted += 1
        if not self._resendings.sent(start, end, self.next):
            self.resent = end

    def _fresh(self, now: float, found: list[tuple[int, int]]) -> None:
        """What was never sent, as far as both windows go."""
        mss, congestion = self.mss, self.congestion
        if self.next == self.unacknowledged and now - self.last_sent > self.timeouts.value:
            congestion.rested()
        burst = self.burst - self.burst % mss or mss
        room = congestion.window - self._pipe()
        end, top = self.end, self.top
        self._limited = False
        while self.next < end:
            start = self.next
            granted = self.limit - start
            allowed = min(room, granted, burst)
            left = top - start
            if left > allowed:
                # Whole segments; a part of one only into at least half of what the peer ever
                # took (RFC 9293, 3.8.6.2.1).
                size = allowed - allowed % mss if allowed > 0 else 0
                if allowed == granted < mss and granted > 0 and 2 * granted >= self.widest:
                    size = granted
                self._limited = room <= granted
                if size <= 0 or self._worth_waiting(size, left, burst):
                    return
            elif left == 0 and granted <= 0:
                return  # the FIN alone has to fit, too
            else:
                size = left
                if self.ended and granted > left:
                    size += 1
            self.next = start + size
            room -= size
            found.append((start, self.next))
            if self._measured < 0 and now >= self._measure_from and self.phase == OPEN:
                self._measured = self.next
                self._measured_at = now

    def _worth_waiting(self, size: int, left: int, burst: int) -> bool:
        """Whether more segments will soon be allowed to go in one burst."""
        window = min(self.congestion.window, self.widest)
        return size < min(window >> 2, burst, left) and self.flight > 0 and size * 2 < self.flight

    @property
    def blocked(self) -> bool:
        """Whether only the peer's window keeps all from going: probes have to ask for it."""
        return self.next < self.end and self.next == self.unacknowledged

    def forced(self) -> tuple[int, int] | None:
        """What a probe may send into a window that is open, but not by a segment."""
        size = min(self.limit - self.next, self.mss, self.top - self.next)
        if size <= 0:
            return None
        start = self.next
        self.next += size
        return start, self.next
