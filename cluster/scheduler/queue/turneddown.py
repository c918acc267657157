"""Pods that were turned down, found by the events that may help them.

Every binding is an event, and thousands of pods may be waiting that no binding helps. So an event
is looked up, and of pods that are alike to the hints that it goes to, one is asked for all.
"""

from collections.abc import Collection, Hashable, Mapping
from typing import Generic, TypeVar

from cluster.scheduler.framework.events import Event

_T = TypeVar("_T")


class TurnedDown(Generic[_T]):
    """Things by key, in the order in which they came, and again by event in groups."""

    def __init__(self) -> None:
        self._all: dict[str, _T] = {}
        self._groups: dict[str, Mapping[Event, Hashable]] = {}
        self._by_event: dict[Event, dict[Hashable, dict[str, _T]]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, key: str) -> bool:
        return key in self._all

    def get(self, key: str) -> _T | None:
        """What has this key."""
        return self._all.get(key)

    def first(self) -> _T | None:
        """What has been here longest."""
        return next(iter(self._all.values()), None)

    def heard(self, event: Event) -> list[Collection[_T]]:
        """Those that asked for the event, in groups of the same answer; of ANY, all in one."""
        if event is Event.ANY:
            return [self._all.values()] if self._all else []
        return [group.values() for group in self._by_event.get(event, {}).values()]

    def put(self, key: str, one: _T, groups: Mapping[Event, Hashable]) -> None:
        """Put something here, or in other groups; `groups` has the events that may help it."""
        self._leave(key)
        self._all[key], self._groups[key] = one, groups
        for event, group in groups.items():
            self._by_event.setdefault(event, {}).setdefault(group, {})[key] = one

    def pop(self, key: str) -> _T | None:
        """Take something away."""
        self._leave(key)
        return self._all.pop(key, None)

    def _leave(self, key: str) -> None:
        for event, group in self._groups.pop(key, {}).items():
            groups = self._by_event[event]
            del groups[group][key]
            if not groups[group]:
                del groups[group]
