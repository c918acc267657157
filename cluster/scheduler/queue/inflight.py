"""Events that happen while pods are being scheduled.

A pod that is turned down must not miss an event that came between its start and its verdict. So
events are kept from the oldest start on; where too many come, the pods in flight are told that
anything may have happened.
"""

from collections import deque
from typing import Final

from cluster.scheduler.framework.events import Event, Occurrence

_MOST: Final = 4096
_ANYTHING: Final = Occurrence(Event.ANY)


class InFlight:
    """Pods between their start and their verdict, and what happened meanwhile."""

    def __init__(self) -> None:
        self._started: dict[str, int] = {}
        self._events: deque[Occurrence] = deque()
        self._first = 0
        """The number of the oldest event that is kept."""

    def __len__(self) -> int:
        return len(self._started)

    def __contains__(self, key: str) -> bool:
        return key in self._started

    def start(self, key: str) -> None:
        """A pod's attempt begins."""
        self._started[key] = self._first + len(self._events)

    def saw(self, occurrence: Occurrence) -> None:
        """Something happened."""
        if not self._started:
            return
        self._events.append(occurrence)
        if len(self._events) > _MOST:
            self._events.popleft()
            self._first += 1

    def missed(self, key: str) -> list[Occurrence]:
        """What happened since the pod's attempt began."""
        since = self._started.get(key)
        if since is None:
            return []
        if since < self._first:
            return [_ANYTHING]
        return list(self._events)[since - self._first :]

    def end(self, key: str) -> None:
        """The pod's attempt is over."""
        if self._started.pop(key, None) is None:
            return
        if not self._started:
            self._first += len(self._events)
            self._events.clear()
            return
        # Starts are in order, so the first that is left is the oldest.
        oldest = next(iter(self._started.values()))
        while self._first < oldest and self._events:
            self._events.popleft()
            self._first += 1
