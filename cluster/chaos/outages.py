"""When requests of a probe were not answered well: from the first that failed to the next answer.

Pure: results and times go in. Requests end in another order than that in which they were sent, and
what counts is when they were sent: one that waits for its timeout says how it was then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

QUIET: Final = 1.0
"""So long no request may fail for an outage to be over."""
_MOST: Final = 1000


@dataclass(slots=True)
class Outage:
    """Requests failed from `began`, when the first of them was sent, until one that was sent after
    the last of them was answered, at `ended` (None: there was none).
    """

    began: float
    seen: float
    """When the first of them failed."""
    error: str
    ended: float | None = None
    failed: int = 1


@dataclass(slots=True)
class Outages:
    """Those of one probe, whose requests end within `timeout` seconds. Failures less than `quiet`
    seconds after an answer are of the same outage: of several nodes one may be lost.
    """

    timeout: float = QUIET
    quiet: float = QUIET
    _found: list[Outage] = field(default_factory=list)
    _waiting: list[tuple[float, float, str]] = field(default_factory=list)
    """Sent, over, and the error, of requests that may have been sent after one under way."""

    def add(self, at: float, ended: float, error: str) -> None:
        """A request that was sent at `at` is over; `error` "": it was answered well."""
        heappush(self._waiting, (at, ended, error))
        self._take(ended - 2 * self.timeout)  # what times out may be late

    def found(self) -> Sequence[Outage]:
        """All of them, after the last request."""
        self._take(float("inf"))
        return tuple(self._found)

    def _take(self, until: float) -> None:
        while self._waiting and self._waiting[0][0] < until:
            self._one(*heappop(self._waiting))

    def _one(self, at: float, ended: float, error: str) -> None:
        last = self._found[-1] if self._found else None
        if not error:
            if last is not None and last.ended is None:
                last.ended = ended
        elif last is None or (self._over(last, at) and len(self._found) < _MOST):
            self._found.append(Outage(at, ended, error))
        else:
            last.ended = None
            last.failed += 1

    def _over(self, outage: Outage, now: float) -> bool:
        return outage.ended is not None and now >= outage.ended + self.quiet
