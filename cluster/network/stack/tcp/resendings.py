"""What was sent again, and which of it was lost once more.

What was resent, and did not arrive before something that was sent after it, is due a second time.
"""

from collections import deque
from typing import Final

from cluster.network.stack.tcp.scoreboard import Scoreboard
from cluster.network.stack.tcp.settings import DUPLICATES

_MARKS: Final = 256


class Resendings:
    """Ranges of positions that went again since a phase of recovery began."""

    __slots__ = ("_due", "_marks")

    def __init__(self) -> None:
        self._due: deque[tuple[int, int]] = deque()
        self._marks: deque[tuple[int, int, int]] = deque()
        """Start, end, and what was the next position then."""

    @property
    def size(self) -> int:
        """Bytes that are due once more."""
        return sum(end - start for start, end in self._due)

    def clear(self) -> None:
        """A phase begins or ends."""
        self._due.clear()
        self._marks.clear()

    def detect(self, board: Scoreboard, unacknowledged: int, mss: int) -> None:
        """Look for what was lost once more, by what has arrived."""
        marks = self._marks
        reached = board.highest - DUPLICATES * mss
        while marks and marks[0][2] < reached:
            start, end, _ = marks.popleft()
            start = max(start, unacknowledged)
            while start < end and (hole := board.hole(start, end)) is not None:
                self._due.append(hole)
                start = hole[1]

    def first(self, board: Scoreboard, unacknowledged: int) -> tuple[int, int] | None:
        """The first range that is due once more and has not arrived meanwhile."""
        while self._due:
            start, end = self._due[0]
            start = max(start, unacknowledged)
            hole = board.hole(start, end) if start < end else None
            if hole is not None:
                return hole
            self._due.popleft()
        return None

    def sent(self, start: int, end: int, following: int) -> bool:
        """A range goes again; `following`: the position that was never sent. Whether it was due
        once more.
        """
        due = bool(self._due)
        if due:
            _, behind = self._due.popleft()
            if end < behind:
                self._due.appendleft((end, behind))
        if len(self._marks) < _MARKS:
            self._marks.append((start, end, following))
        return due
