"""What the peer sends: the window that it has, what arrived in order, and what arrived ahead."""

from typing import Final

from cluster.network.stack.tcp.arrived import Arrived
from cluster.network.stack.tcp.segment import HALF, MASK
from cluster.network.stack.tcp.settings import TIGHT, Memory

_PIECES: Final = 256
"""Ranges ahead of the gap that are kept; more of them are dropped, and come again."""
_BLOCKS: Final = 4


class _Piece:
    """Data that arrived ahead of a gap."""

    __slots__ = ("data", "end", "start")

    def __init__(self, start: int, data: bytes | bytearray) -> None:
        self.start = start
        self.end = start + len(data)
        self.data = bytearray(data)


class Inbound:
    """The receiving half of a connection. Positions: see the package."""

    __slots__ = (
        "_memory",
        "_recent",
        "_worth",
        "ahead",
        "buffer",
        "capacity",
        "deaf",
        "duplicate",
        "edge",
        "fin",
        "mss",
        "next",
        "scale",
        "start",
        "widest",
    )

    def __init__(self, capacity: int, mss: int, memory: Memory) -> None:
        self.capacity = capacity
        self.mss = mss
        self._worth = min(mss, capacity >> 1)
        """By how much the window has to grow at least."""
        self.start = 0
        """The peer's initial sequence number."""
        self.next = 0
        """RCV.NXT: the position that is awaited."""
        self.edge = 0
        """RCV.NXT + RCV.WND: the first position that the peer may not send."""
        self.widest = 0
        """The largest window that the peer was told of."""
        self.scale = 0
        self.fin = -1
        """Where the peer's FIN stands, once it is known."""
        self.buffer = Arrived()
        self.deaf = False
        """Nobody will take what arrives: it is acknowledged and thrown away."""
        self.duplicate: tuple[int, int] | None = None
        """What arrived twice, for the next acknowledgment to tell (D-SACK)."""
        self.ahead: list[_Piece] = []
        """What arrived beyond a gap, in order."""
        self._recent: list[_Piece] = []
        self._memory = memory

    @property
    def gap(self) -> bool:
        """Whether something is missing before what has arrived."""
        return bool(self.ahead)

    @property
    def finished(self) -> bool:
        """Whether the peer's FIN has been reached."""
        return 0 <= self.fin < self.next

    def position(self, sequence: int) -> int:
        """The position of a sequence number of the peer's."""
        there = self.next
        return there + ((sequence - self.start - there + HALF) & MASK) - HALF

    def wire(self, position: int) -> int:
        """The sequence number of a position."""
        return (self.start + position) & MASK

    def begin(self, sequence: int, scale: int) -> None:
        """The peer's SYN arrived; `scale` is what our own windows are shifted by."""
        self.start = sequence
        self.next = 1
        self.scale = scale
        self.widest = min(self.capacity, 65535)
        self.edge = 1 + self.widest

    # ---- data --------------------------------------------------------------------------------

    def put(self, position: int, payload: bytes | bytearray) -> bool:
        """Take data; whether something new stands in order."""
        end = position + len(payload)
        if position == self.next and end <= self.edge and not self.ahead and self.fin < 0:
            self._append(payload)
            return True
        if position < self.next:
            self.duplicate = (position, min(end, self.next))
            payload = payload[self.next - position :]
            position = self.next
        last = self.edge if self.fin < 0 else min(self.edge, self.fin)
        payload = payload[: max(last - position, 0)]
        if not payload:
            return False
        if position > self.next:
            self._keep(position, payload)
            return False
        self._append(payload)
        self._drain()
        return True

    def ends(self, position: int) -> None:
        """The peer's FIN stands at a position, which is within the window."""
        if self.fin < 0 and position >= self.next and (not self.ahead or position >= self._last()):
            self.fin = position

    def reach_fin(self) -> bool:
        """Take the FIN where all before it has arrived; whether this was it."""
        if self.fin != self.next:
            return False
        self.next += 1
        self.edge = max(self.edge, self.next)
        return True

    def take(self, most: int) -> bytes:
        """At most `most` bytes of what stands in order."""
        taken = self.buffer.take(most)
        self._memory.used -= len(taken)
        return taken

    def drop(self) -> None:
        """Forget all data, and take no more."""
        self._memory.used -= len(self.buffer) + sum(len(piece.data) for piece in self.ahead)
        self.buffer.clear()
        self.ahead.clear()
        self._recent.clear()
        self.deaf = True

    def _append(self, payload: bytes | bytearray) -> None:
        self.next += len(payload)
        if not self.deaf:
            self.buffer.put(payload)
            self._memory.used += len(payload)

    def _last(self) -> int:
        return self.ahead[-1].end

    def _keep(self, position: int, payload: bytes | bytearray) -> None:
        """Take data ahead of a gap. What is there already stays as it came first."""
        if self.deaf:
            return
        ahead = self.ahead
        at = len(ahead)
        while at and ahead[at - 1].end >= position:
            at -= 1
        end = position + len(payload)
        if at == len(ahead) or ahead[at].start > end:
            if len(ahead) < _PIECES:
                piece = _Piece(position, payload)
                ahead.insert(at, piece)
                self._memory.used += len(payload)
                self._touch(piece)
            return
        self._merge(at, position, payload)

    def _merge(self, at: int, position: int, payload: bytes | bytearray) -> None:
        """Join data with the pieces from `at` on that it touches or overlaps."""
        ahead = self.ahead
        piece = ahead[at]
        end = position + len(payload)
        if piece.start <= position and end <= piece.end:
            self.duplicate = (position, end)
            self._touch(piece)
            return
        before = len(piece.data)
        if position < piece.start:
            piece.data[:0] = payload[: piece.start - position]
            piece.start = position
        while piece.end < end:
            following = ahead[at + 1] if at + 1 < len(ahead) else None
            until = end if following is None else min(end, following.start)
            piece.data += payload[piece.end - position : until - position]
            piece.end = max(piece.end, until)
            if following is None or following.start > piece.end:
                break
            piece.data += following.data
            piece.end = following.end
            before += len(following.data)
            del ahead[at + 1]
            self._recent = [one for one in self._recent if one is not following]
        self._memory.used += len(piece.data) - before
        self._touch(piece)

    def _drain(self) -> None:
        """Put what arrived ahead behind what has now arrived before it."""
        ahead = self.ahead
        while ahead and ahead[0].start <= self.next:
            piece = ahead.pop(0)
            self._recent = [one for one in self._recent if one is not piece]
            self._memory.used -= len(piece.data)
            if piece.end > self.next:
                self._append(piece.data[self.next - piece.start :])

    # ---- what is told to the peer ------------------------------------------------------------

    def _touch(self, piece: _Piece) -> None:
        recent = [one for one in self._recent if one is not piece]
        self._recent = [piece, *recent[: _BLOCKS - 1]]

    def blocks(self) -> tuple[tuple[int, int], ...]:
        """What to tell by SACK: what came twice, then the ranges that grew last. Clears the first.

        Of the peer's sequence numbers.
        """
        found = [self.duplicate] if self.duplicate is not None else []
        self.duplicate = None
        found += [(piece.start, piece.end) for piece in self._recent]
        start = self.start
        return tuple(((start + a) & MASK, (start + b) & MASK) for a, b in found[:_BLOCKS])

    def _room(self) -> int:
        memory, most = self._memory, self.capacity
        if memory.used >= memory.limit:
            most = min(most, TIGHT)
        left = most - self.buffer.size
        return left if left > 0 else 0

    def window(self) -> int:
        """The window to advertise now, as the header has it. It never takes back what it gave.

        It grows by a segment or half of the buffer, never by less (RFC 9293, 3.8.6.2.2).
        """
        width = self.edge - self.next
        if self.capacity - width >= self._worth:
            grown = self._room() - width
            if grown >= self._worth:
                self.edge += grown
                width += grown
        if width > self.widest:  # noqa: PLR1730  (a call costs more)
            self.widest = width
        value = width >> self.scale
        return value if value < 65535 else 65535

    def worth_telling(self) -> bool:
        """Whether so much was taken that the peer should hear of the window at once."""
        left = self.edge - self.next
        if left << 1 > self.widest:
            return False
        grown = self.next + self._room() - self.edge
        return grown >= max(left, self._worth)
