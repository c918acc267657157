"""When revisions were made: so that the past can be asked for by time. Pure.

Bursts are thinned: a revision that has a neighbour within `STEP` seconds on both sides is not
remembered, so a second has a few entries at most, however much is written in it.
"""

from bisect import bisect_left, bisect_right

STEP = 0.25
"""Seconds by which an answer may be older than asked for, in the middle of a burst."""
MOST = 65_536
"""Entries that are held: at four a second more than four hours, and long enough at rest."""


class Times:
    """Revisions and when they were there, oldest first. Both only grow."""

    def __init__(self) -> None:
        self._revisions: list[int] = []
        self._seconds: list[float] = []

    def __len__(self) -> int:
        return len(self._revisions)

    @property
    def first(self) -> float | None:
        """The earliest time that is known, in Unix seconds."""
        return self._seconds[0] if self._seconds else None

    def note(self, revision: int, now: float) -> bool:
        """`revision` is the newest one at `now`, in Unix seconds; whether it is a new entry.

        It takes the place of the last one where that stands within a STEP of the one before.
        """
        if self._revisions and revision <= self._revisions[-1]:
            return False
        # A clock that was set back must not make the past unreadable.
        now = max(now, self._seconds[-1]) if self._seconds else now
        crowded = len(self._seconds) > 1 and now - self._seconds[-2] < STEP
        if crowded:
            self._revisions[-1], self._seconds[-1] = revision, now
        else:
            self._revisions.append(revision)
            self._seconds.append(now)
            if len(self._revisions) > MOST + MOST // 8:
                del self._revisions[:-MOST], self._seconds[:-MOST]
        return not crowded

    def undo(self, settled: int) -> None:
        """Revisions past `settled` were taken back: they will be made again, later."""
        while self._revisions and self._revisions[-1] > settled:
            self._revisions.pop()
            self._seconds.pop()

    def at(self, when: float) -> int | None:
        """The newest revision that was there at `when`; None where that is not remembered."""
        index = bisect_right(self._seconds, when)
        return self._revisions[index - 1] if index else None

    def of(self, revision: int) -> float | None:
        """When `revision` was there, at the latest; None where that is not remembered."""
        index = bisect_left(self._revisions, revision)
        return self._seconds[index] if index < len(self._seconds) else None

    def forget(self, compacted: int) -> list[int]:
        """Nothing before `compacted` can be read any more; the entries given up."""
        index = max(bisect_right(self._revisions, compacted) - 1, 0)
        gone = self._revisions[:index]
        del self._revisions[:index], self._seconds[:index]
        return gone
