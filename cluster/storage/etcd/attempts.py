"""Changes under way, and what this server's watch has told of their keys since they began."""

import asyncio
from typing import Any

from cluster.storage.etcd import txns
from cluster.storage.interface import Change, Deleted, Event, Record


class Attempt:
    """One change. `expected` is the revision of its key that it is made over."""

    def __init__(self, change: Change, expected: int) -> None:
        self.change = change
        self.expected = expected
        self.doubted = False
        """Whether etcd was asked and did not say what became of it."""
        self.call: Any = None
        self._heard: list[Event] = []
        self._wanted = 0
        self._waiter: asyncio.Future[Event] | None = None

    def hear(self, event: Event) -> None:
        """The watch has told of the key."""
        self._heard.append(event)
        if event.revision == self._wanted and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(event)

    def fail(self, error: Exception) -> None:
        """A subscriber failed when it was told."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    def event(self, revision: int) -> "asyncio.Future[Event]":
        """The event of the change that was made at `revision`."""
        waiter: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._wanted, self._waiter = revision, waiter
        for event in self._heard:
            if event.revision == revision:
                waiter.set_result(event)
        return waiter

    def found(self) -> Event | None:
        """The event that is this change, among those heard since it began."""
        for event in self._heard:
            if txns.makes(self.change, self.expected, event):
                return event
        return None


def outcome(event: Event) -> Record | Deleted:
    """What a writer is told of the event that he made."""
    if event.record is not None:
        return event.record
    if event.previous is None:
        # Compacted in the same instant: who deletes has seen it, and nothing else of it is known.
        return Deleted(event.revision, Record(event.key, b"", 0, 0))
    return Deleted(event.revision, event.previous)


class Attempts:
    """All that are under way, by key."""

    def __init__(self) -> None:
        self._by_key: dict[str, list[Attempt]] = {}

    def add(self, attempt: Attempt) -> None:
        """From now on it hears of its key."""
        self._by_key.setdefault(attempt.change.key, []).append(attempt)

    def remove(self, attempt: Attempt) -> None:
        """It has come to an end."""
        held = self._by_key[attempt.change.key]
        held.remove(attempt)
        if not held:
            del self._by_key[attempt.change.key]

    def hear(self, events: list[Event]) -> None:
        """Tell those whom it concerns."""
        for event in events:
            for attempt in self._by_key.get(event.key, ()):
                attempt.hear(event)

    def fail(self, events: list[Event], error: Exception) -> None:
        """A subscriber raised `error` when it was told of `events`."""
        for event in events:
            for attempt in self._by_key.get(event.key, ()):
                attempt.fail(error)
