"""Which Event object a sighting belongs to: repeats are counted, floods are combined or dropped.

Pure, after client-go's EventCorrelator (tools/record/events_cache.go), with its constants:

- the same event again (same object, reason and message) raises the count of the one Event;
- from the tenth different message of one object and reason within ten minutes on, they share one
  Event, whose message says that it is combined;
- a source may speak 25 times about one object, and once more for every five minutes since.

What can make no difference any more is let go of at once, so that memory follows what is said now:
messages of over ten minutes ago, and leave to speak that is whole again.
"""

import dataclasses
from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeVar

AGGREGATE_MAX_EVENTS = 10
AGGREGATE_INTERVAL = 600.0
SPAM_BURST = 25
SPAM_REFILL_SECONDS = 300.0
MAX_ENTRIES = 4096
COMBINED = "(combined from similar events): "

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Subject:
    """The involved object, as an Event refers to it."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str = ""
    field_path: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was said about an object; `type` is Normal or Warning."""

    subject: Subject
    type: str
    reason: str
    message: str
    action: str = ""


@dataclass(slots=True, eq=False)
class Series:
    """One Event object: what it says, and how often it was seen. Times are wall seconds."""

    sighting: Sighting
    first: float
    last: float
    count: int = 1
    name: str = ""
    """The Event's own name; "" until it is first written."""
    cause: int = 0
    """The newest revision upon which its source spoke."""
    stored: bool = False
    attempts: int = 0


@dataclass(slots=True)
class _Similar:
    last: float
    messages: tuple[str, ...] = ()
    """Fewer than `AGGREGATE_MAX_EVENTS`, oldest first."""

    def is_over(self, now: float) -> bool:
        """Whether what is said now has nothing to do with these any more."""
        return now - self.last > AGGREGATE_INTERVAL


class Correlator:
    """Remembers the newest `MAX_ENTRIES` series, groups and objects that were spoken of."""

    def __init__(self) -> None:
        self._series: OrderedDict[tuple[object, ...], Series] = OrderedDict()
        self._similar: OrderedDict[tuple[object, ...], _Similar] = OrderedDict()
        # When it may be spoken of each object `SPAM_BURST` times again. That says how often it may
        # be now, in a quarter of a bucket's bytes: objects that come and go leave thousands.
        self._whole: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def observe(self, sighting: Sighting, now: float) -> Series | None:
        """The series that this sighting belongs to, counted; None: dropped as spam."""
        self._forget(now)
        subject = sighting.subject
        identity = (
            subject.api_version, subject.kind, subject.namespace, subject.name, subject.uid,
        )  # fmt: skip
        group = (*identity, sighting.type, sighting.reason)
        key: tuple[object, ...] = (*group, subject.field_path, sighting.message)
        if self._floods(group, sighting.message, now):
            key = group
            sighting = dataclasses.replace(sighting, message=COMBINED + sighting.message)
        series = self._seen(key, sighting, now)
        return series if self._allows(identity, now) else None

    def _floods(self, group: tuple[object, ...], message: str, now: float) -> bool:
        """Whether messages of this group are so many that they share one Event."""
        similar = self._similar.pop(group, None)
        if similar is None or similar.is_over(now):
            similar = _Similar(now)
        similar.last = now
        if message not in similar.messages:
            similar.messages += (message,)
        _remember(self._similar, group, similar)
        if len(similar.messages) < AGGREGATE_MAX_EVENTS:
            return False
        similar.messages = similar.messages[1:]
        return True

    def _seen(self, key: tuple[object, ...], sighting: Sighting, now: float) -> Series:
        series = self._series.pop(key, None)
        if series is None:
            series = Series(sighting, now, now)
        else:
            series.count += 1
            series.last = now
            series.sighting = sighting
        _remember(self._series, key, series)
        return series

    def _allows(self, identity: tuple[str, ...], now: float) -> bool:
        whole = max(self._whole.pop(identity, now), now)
        allowed = whole - now <= (SPAM_BURST - 1) * SPAM_REFILL_SECONDS
        _remember(self._whole, identity, whole + SPAM_REFILL_SECONDS if allowed else whole)
        return allowed

    def _forget(self, now: float) -> None:
        """Let go of the oldest groups and sources that are as good as new ones."""
        while self._similar and next(iter(self._similar.values())).is_over(now):
            self._similar.popitem(last=False)
        while self._whole and next(iter(self._whole.values())) <= now:
            self._whole.popitem(last=False)


def _remember(kept: OrderedDict[_K, _V], key: _K, value: _V) -> None:
    """Put the newest last, and let go of the oldest, which a plain dict would search for."""
    kept[key] = value
    if len(kept) > MAX_ENTRIES:
        kept.popitem(last=False)
