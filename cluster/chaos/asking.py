"""What became of the requests of a probe: how many failed, for how long, and how late answers were.

Pure: results and times go in. It remembers a number for each second, and a sample of latencies.
"""

from dataclasses import dataclass, field
from math import floor
from random import Random
from typing import Final

from cluster.chaos.outages import Outages

_SAMPLE: Final = 10_000
_ERRORS: Final = 20


@dataclass(slots=True)
class Tally:
    """The requests of one probe."""

    sent: int = 0
    failed: int = 0
    seconds: dict[int, list[int]] = field(default_factory=dict)
    """Answered well and not, by the second (since the faults began) in which they were sent."""
    errors: dict[str, int] = field(default_factory=dict)
    """How often each was met."""
    worst: float = 0.0
    """The longest time without a good answer."""
    outages: Outages = field(default_factory=Outages)
    _latencies: list[float] = field(default_factory=list)
    _answered: int = 0
    _good: float | None = None
    _random: Random = field(default_factory=lambda: Random(0))  # noqa: S311  (a sample)

    def add(self, at: float, took: float, error: str = "") -> None:
        """A request that was sent at `at` is over; `error` "": it was answered well."""
        self.sent += 1
        bucket = self.seconds.setdefault(floor(at), [0, 0])
        bucket[1 if error else 0] += 1
        self.outages.add(at, at + took, error)
        if error:
            self.failed += 1
            known = error if error in self.errors or len(self.errors) < _ERRORS else "others"
            self.errors[known] = self.errors.get(known, 0) + 1
            if self._good is None:
                self._good = at
            self.worst = max(self.worst, at + took - self._good)
            return
        self._sample(took)
        done = at + took
        if self._good is not None and self.failed:
            self.worst = max(self.worst, at - self._good)
        self._good = max(done, self._good or done)

    @property
    def availability(self) -> float:
        """The share that was answered well; 1 where none was sent."""
        return 1.0 - self.failed / self.sent if self.sent else 1.0

    def percentile(self, share: float) -> float:
        """How long `share` of the good answers took at most, in seconds; 0 without any."""
        ordered = sorted(self._latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0

    def _sample(self, took: float) -> None:
        """Each has the same chance to be in the sample (Vitter's algorithm R)."""
        self._answered += 1
        if len(self._latencies) < _SAMPLE:
            self._latencies.append(took)
            return
        place = self._random.randrange(self._answered)
        if place < _SAMPLE:
            self._latencies[place] = took
