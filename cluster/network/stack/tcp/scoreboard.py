"""What of the data under way the peer says to have, beyond what it acknowledged (SACK)."""

from bisect import bisect_left, bisect_right
from typing import Final

from cluster.network.stack.tcp.settings import DUPLICATES

_MOST: Final = 512
"""Ranges that are remembered; what is forgotten counts as not arrived, which is always safe."""


class Scoreboard:
    """Ranges of positions that arrived, in order, none touching another."""

    __slots__ = ("_ends", "_starts", "total")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.total = 0
        """Bytes in all ranges."""

    @property
    def first(self) -> int:
        """Where the first range begins; -1 where there is none."""
        return self._starts[0] if self._starts else -1

    @property
    def highest(self) -> int:
        """Where the last range ends; -1 where there is none."""
        return self._ends[-1] if self._ends else -1

    def add(self, start: int, end: int) -> bool:
        """`start` to `end` arrived; whether that is news."""
        starts, ends = self._starts, self._ends
        low = bisect_left(ends, start)
        high = bisect_right(starts, end)
        if low < high:
            if starts[low] <= start and ends[low] >= end:
                return False
            start = min(start, starts[low])
            end = max(end, ends[high - 1])
        elif len(starts) >= _MOST:
            return False
        self.total += end - start - sum(ends[low:high]) + sum(starts[low:high])
        starts[low:high] = [start]
        ends[low:high] = [end]
        return True

    def forget(self, before: int) -> None:
        """Everything before a position was acknowledged."""
        starts, ends = self._starts, self._ends
        if not starts or starts[0] >= before:
            return
        gone = bisect_right(ends, before)
        self.total -= sum(ends[:gone]) - sum(starts[:gone])
        del starts[:gone], ends[:gone]
        if starts and starts[0] < before:
            self.total -= before - starts[0]
            starts[0] = before

    def clear(self) -> None:
        """Believe nothing of it any more."""
        self._starts.clear()
        self._ends.clear()
        self.total = 0

    def within(self, start: int, end: int) -> int:
        """How many bytes between two positions arrived."""
        if not self.total or end <= start:
            return 0
        low = bisect_right(self._ends, start)
        high = bisect_left(self._starts, end)
        found = sum(self._ends[low:high]) - sum(self._starts[low:high])
        if low < high:
            found -= max(start - self._starts[low], 0) + max(self._ends[high - 1] - end, 0)
        return found

    def hole(self, start: int, end: int) -> tuple[int, int] | None:
        """The first range between two positions that did not arrive."""
        at = bisect_right(self._ends, start)
        if at < len(self._starts):
            if self._starts[at] <= start:
                start = self._ends[at]
                at += 1
            if at < len(self._starts):
                end = min(end, self._starts[at])
        return (start, end) if start < end else None

    def lost_before(self, mss: int) -> int:
        """The position before which all that did not arrive is lost (RFC 6675, IsLost); -1: none.

        Lost is what three ranges, or more than two segments' bytes, beyond it outran.
        """
        above = 0
        for count in range(1, len(self._starts) + 1):
            above += self._ends[-count] - self._starts[-count]
            if above > (DUPLICATES - 1) * mss or count >= DUPLICATES:
                return self._starts[-count]
        return -1
