"""When which connection is to be looked at again: one entry each that counts, others are old."""

import heapq
from collections.abc import Iterator
from typing import Final

from cluster.network.stack.endhost.flow import Flow

_NEVER: Final = float("inf")
_SPARE: Final = 64


class Timers:
    """A heap of times. That a deadline moves away, as with most acknowledgments, costs nothing: the
    earlier entry finds out when its time has come.
    """

    def __init__(self) -> None:
        self._times: list[tuple[float, int, Flow]] = []
        self._sequence = 0
        self._most = _SPARE

    def __len__(self) -> int:
        """Entries, old ones too."""
        return len(self._times)

    def set(self, flow: Flow, at: float) -> None:
        """Look at a flow then; earlier than was said before."""
        flow.timer_at = at
        self._sequence += 1
        heapq.heappush(self._times, (at, self._sequence, flow))
        if len(self._times) > self._most:
            self._times[:] = [one for one in self._times if one[2].timer_at == one[0]]
            heapq.heapify(self._times)
            self._most = _SPARE + 2 * len(self._times)

    @property
    def deadline(self) -> float:
        """The first time; infinite where there is none."""
        times = self._times
        while times and times[0][2].timer_at != times[0][0]:
            heapq.heappop(times)
        return times[0][0] if times else _NEVER

    def due(self, now: float) -> Iterator[Flow]:
        """Those whose time has come; each is to be set again."""
        while self.deadline <= now:
            flow = heapq.heappop(self._times)[2]
            flow.timer_at = _NEVER
            yield flow
