"""Keys that become due later: one timer for all of them, and one entry a key."""

import asyncio
import heapq
from collections.abc import Callable
from typing import Final

_STALE: Final = 64
"""So many entries that count no more may stay where they are, and as many as there are others."""


class DelayQueue:
    """Hands each key, with its cause, to `due` when its delay is over.

    A key that is added again becomes due at the earlier of the two times, with the newer cause.
    Keys that are due together come in the order of their times, then of their adding.
    """

    def __init__(self, due: Callable[[str, int], None]) -> None:
        self._due = due
        self._heap: list[tuple[float, int, str]] = []
        self._waiting: dict[str, tuple[float, int]] = {}
        self._timer: asyncio.TimerHandle | None = None
        # uvloop's handle of a timer that is due at once does not tell its time.
        self._timer_at = 0.0
        self._sequence = 0

    def add(self, key: str, seconds: float, cause: int) -> None:
        """Make `key` due after `seconds`."""
        when = asyncio.get_running_loop().time() + seconds
        known = self._waiting.get(key)
        if known is not None:
            cause = max(cause, known[1])
            if known[0] <= when:
                self._waiting[key] = known[0], cause
                return
        self._waiting[key] = when, cause
        self._sequence += 1
        heapq.heappush(self._heap, (when, self._sequence, key))
        self._tidy()
        self._arm()

    def forget(self, key: str) -> None:
        """Let `key` not become due."""
        if self._waiting.pop(key, None) is not None:
            self._tidy()

    def clear(self) -> None:
        """Forget all keys and the timer."""
        self._heap.clear()
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __len__(self) -> int:
        return len(self._waiting)

    def _tidy(self) -> None:
        """Take out what counts no more where it is most of the heap: delays are up to hours."""
        if len(self._heap) <= 2 * len(self._waiting) + _STALE:
            return
        self._heap = [entry for entry in self._heap if self._counts(entry)]
        heapq.heapify(self._heap)

    def _counts(self, entry: tuple[float, int, str]) -> bool:
        """Whether its key was neither forgotten nor made due earlier since."""
        known = self._waiting.get(entry[2])
        return known is not None and known[0] == entry[0]

    def _arm(self) -> None:
        """Set the timer for the first of the heap, where it is not set for that already."""
        if not self._heap:
            return
        first = self._heap[0][0]
        if self._timer is not None:
            if self._timer_at <= first:
                return
            self._timer.cancel()
        self._timer_at = first
        self._timer = asyncio.get_running_loop().call_at(first, self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)
            if self._counts(entry):
                key = entry[2]
                _, cause = self._waiting.pop(key)
                self._due(key, cause)
        self._arm()
