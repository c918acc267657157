"""What became of each fault: how long after it the cluster noticed, acted, and was well again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cluster.chaos import experiment as ex
from cluster.chaos import observing
from cluster.chaos.asking import Tally
from cluster.chaos.observing import Event

_TOGETHER: Final = 1.0
"""Faults that begin within so many seconds are one, as far as their consequences go."""


@dataclass(slots=True)
class Span:
    """A fault as it was done: from `began` to `ended` (None: it was not undone).

    `error` says why it could not be done, or undone.
    """

    number: int
    action: str
    whom: str
    targets: tuple[str, ...]
    began: float
    ended: float | None = None
    error: str = ""
    marks: dict[str, float] = field(default_factory=dict)
    """Seconds after `began`, by mark; `recovered` after `ended`."""
    struck: list[int | None] = field(default_factory=list)
    """Of a fault of the API: to how many requests each server did it. None: it does not know."""

    @property
    def requests(self) -> int | None:
        """To how many requests it was done; None: nobody knows."""
        known = [count for count in self.struck if count is not None]
        return sum(known) if known and len(known) == len(self.struck) else None

    def __str__(self) -> str:
        return f"{self.action} {', '.join(self.targets)}".strip()


def measure(spans: Sequence[Span], events: Sequence[Event], held: Sequence[Event]) -> None:
    """Fill in the marks of faults. What happens is put down to the fault that began last, or to
    all that began together.

    `held` are the times at which states, or answers, were lost (LOST) and held again (HELD), by
    subject: it is well where nothing is lost.
    """
    held = sorted(held, key=lambda event: event.at)
    for span in spans:
        later = (other.began for other in spans if other.began > span.began + _TOGETHER)
        end = min(later, default=float("inf"))
        mine = [event for event in events if span.began <= event.at < end]
        for mark, kinds in (
            (ex.DETECTED, observing.SIGNS),
            (ex.NOT_READY, (observing.NODE_LOST,)),
            (ex.EVICTED, (observing.EVICTED,)),
        ):
            first = _first(mine, kinds)
            if first is not None:
                span.marks[mark] = first - span.began
        moved = _rescheduled(mine)
        if moved is not None:
            span.marks[ex.RESCHEDULED] = moved - span.began
        well = _recovered(span, held, end)
        if well is not None:
            span.marks[ex.RECOVERED] = well


def of_requests(spans: Sequence[Span], tallies: Mapping[str, Tally]) -> list[Event]:
    """LOST and HELD of probes whose requests failed, by their outages.

    A request that was under way when a fault began failed for the fault, not before it.
    """
    found = []
    for name, tally in tallies.items():
        for one in tally.outages.found():
            begun = (span.began for span in spans if one.began < span.began <= one.seen)
            lost = max([one.began, *begun])
            found.append(Event(lost, observing.LOST, name, one.error))
            if one.ended is not None:
                said = f"answers again; {one.failed} failed"
                # One that was sent later may have been answered before the fault.
                found.append(Event(max(one.ended, lost), observing.HELD, name, said))
    return found


def _first(events: Iterable[Event], kinds: Sequence[str]) -> float | None:
    return next((event.at for event in events if event.kind in kinds), None)


def _rescheduled(events: Sequence[Event]) -> float | None:
    """When as many pods had been replaced as were evicted."""
    open_, last = 0, None
    for event in events:
        if event.kind == observing.EVICTED:
            open_ += 1
            last = None
        elif event.kind == observing.REPLACED and open_:
            open_ -= 1
            if not open_:
                last = event.at
    return last


def _recovered(span: Span, held: Sequence[Event], end: float) -> float | None:
    """How long after it was undone all was well for good, until the next fault; 0: it was then."""
    if span.ended is None:
        return None
    well = span.ended
    lost: set[str] = set()
    for event in held:
        if event.at >= end:
            break
        if event.kind == observing.LOST:
            lost.add(event.subject)
        elif event.subject in lost:
            lost.discard(event.subject)
            well = max(event.at, span.ended)
    return None if lost else well - span.ended
