"""What programs of a container have worked: CPU time that they say they spend. Pure."""

from dataclasses import dataclass
from typing import Final

WINDOW: Final = 15.0
"""Seconds over which a rate is taken: a metrics server's resolution."""
_GRAIN: Final = 0.5
"""Work that begins within so many seconds is one span."""
_MANY: Final = 256
"""Spans from which on those that are long over are summed up."""
NANO: Final = 1_000_000_000


@dataclass(slots=True)
class _Span:
    """Work from `begin` to `end`, evenly."""

    begin: float
    end: float
    nanos: float
    cores: float

    def done(self, now: float) -> float:
        """What of it is done."""
        if now >= self.end:
            return self.nanos
        return self.nanos * max(now - self.begin, 0.0) / (self.end - self.begin)


class Meter:
    """Counts CPU time. Times are the clock's, in seconds."""

    def __init__(self) -> None:
        self._total = 0.0
        self._spans: list[_Span] = []
        self._last: _Span | None = None
        self._free_at = 0.0

    def work(self, now: float, seconds: float, cores: float) -> float:
        """Spend CPU time with so many `cores` to spend; in how many seconds it is done, for what
        was begun before has them first.
        """
        start = max(now, self._free_at)
        self._free_at = start + seconds / cores
        last = self._last
        # Of the same speed only: so what is done never falls by it.
        if last is not None and last.cores == cores and start - last.begin < _GRAIN:
            last.end = self._free_at
            last.nanos += seconds * NANO
        else:
            self._last = self._add(now, _Span(start, self._free_at, seconds * NANO, cores))
        return self._free_at - now

    def spend(self, now: float, seconds: float, cores: float) -> None:
        """Use so many `cores` for so many seconds from now on, beside all else."""
        self._add(now, _Span(now, now + seconds, seconds * cores * NANO, cores))

    def backlog(self, now: float) -> float:
        """In how many seconds all that was begun is done."""
        return max(self._free_at - now, 0.0)

    def read(self, now: float) -> tuple[int, int]:
        """Billionths of a core over the last seconds, and nanoseconds of a core in all."""
        self._forget(now)
        done = sum(span.done(now) for span in self._spans)
        before = sum(span.done(now - WINDOW) for span in self._spans)
        return round((done - before) / WINDOW), round(self._total + done)

    def _add(self, now: float, span: _Span) -> _Span:
        if len(self._spans) >= _MANY:
            self._forget(now)
        self._spans.append(span)
        return span

    def _forget(self, now: float) -> None:
        """Sum up what was over before the window of a rate."""
        begin = now - WINDOW
        self._total += sum(span.nanos for span in self._spans if span.end < begin)
        self._spans = [span for span in self._spans if span.end >= begin]
