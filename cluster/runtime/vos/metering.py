"""What programs of a container have worked: CPU time that they say they spend. Pure."""

from collections import deque
from typing import Final

WINDOW: Final = 15.0
"""Seconds over which a rate is taken: a metrics server's resolution."""
_GRAIN: Final = 0.5
NANO: Final = 1_000_000_000


class Meter:
    """Counts CPU time. Times are the clock's, in seconds."""

    def __init__(self) -> None:
        self._total = 0
        self._busy: deque[tuple[float, int]] = deque()
        self._free_at = 0.0

    def work(self, now: float, seconds: float, cores: float) -> float:
        """Spend CPU time with so many `cores` to spend; in how many seconds it is done, for what
        was begun before has them first.
        """
        start = max(now, self._free_at)
        self._free_at = start + seconds / cores
        at = self._free_at - self._free_at % _GRAIN
        if self._busy and self._busy[-1][0] >= at:
            at, spent = self._busy.pop()
            self._busy.append((at, spent + round(seconds * NANO)))
        else:
            self._busy.append((at, round(seconds * NANO)))
        return self._free_at - now

    def backlog(self, now: float) -> float:
        """In how many seconds all that was begun is done."""
        return max(self._free_at - now, 0.0)

    def read(self, now: float) -> tuple[int, int]:
        """Billionths of a core over the last seconds, and nanoseconds of a core in all."""
        while self._busy and self._busy[0][0] < now - WINDOW:
            self._total += self._busy.popleft()[1]
        done = sum(spent for at, spent in self._busy if at <= now)
        return round(done / WINDOW), self._total + done
