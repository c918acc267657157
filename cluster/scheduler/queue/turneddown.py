"""Pods that were turned down, found by the events that may help them.

Every binding is an event, and thousands of pods may be waiting that no binding helps: so an event
is looked up, and only the pods whose plugins asked for it are asked.
"""

from collections.abc import Collection
from typing import Generic, TypeVar

from cluster.scheduler.framework.events import Event

_T = TypeVar("_T")


class TurnedDown(Generic[_T]):
    """Things by key, in the order in which they were put here, and again by event."""

    def __init__(self) -> None:
        self._all: dict[str, tuple[_T, Collection[Event]]] = {}
        self._by_event: dict[Event, dict[str, _T]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, key: str) -> bool:
        return key in self._all

    def get(self, key: str) -> _T | None:
        """What has this key."""
        found = self._all.get(key)
        return found[0] if found is not None else None

    def first(self) -> _T | None:
        """What has been here longest."""
        found = next(iter(self._all.values()), None)
        return found[0] if found is not None else None

    def heard(self, event: Event) -> list[_T]:
        """Those that asked for the event, longest here first; of ANY, all."""
        if event is Event.ANY:
            return [one for one, _ in self._all.values()]
        return list(self._by_event.get(event, {}).values())

    def put(self, key: str, one: _T, events: Collection[Event]) -> None:
        """Put something here that is not here yet; `events` are those that may help it."""
        self._all[key] = (one, events)
        for event in events:
            self._by_event.setdefault(event, {})[key] = one

    def pop(self, key: str) -> _T | None:
        """Take something away."""
        found = self._all.pop(key, None)
        if found is None:
            return None
        for event in found[1]:
            del self._by_event[event][key]
        return found[0]
