"""A bounded log of the events of one selection, which any number of watchers read.

Watchers hold no queue of their own: each has a position in the log. One that is so slow that its
position has left the log has fallen out, and hears so; nobody waits for it. Watchers at the same
position share one batch, and so one encoding.
"""

import asyncio
from collections.abc import Callable, Sequence

from cluster.apiserver.watchcache import events
from cluster.apiserver.watchcache.events import Batch, Event

BLOCK = 256
"""Events in a batch at most. Batches end at multiples of it, so that late watchers meet again."""
_BYTES = 1 << 20
_CROWD = 16
_CROWD_SECONDS = 0.005


class FellOut(Exception):
    """The watcher's position is no longer in the log."""


class Feed:
    """Positions count every event ever appended; the log holds `[start, end)`."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._log: list[Event] = []
        self._start = 0
        self._batches: dict[int, tuple[Batch, int]] = {}
        self._bookmark = Batch([Event(events.BOOKMARK, b"", 0)])
        self._waiting: list[asyncio.Future[None]] = []
        self._listeners: dict[Callable[[], None], None] = {}
        self._late_wake: asyncio.TimerHandle | None = None
        self.ended = False

    @property
    def end(self) -> int:
        """The position after the newest event."""
        return self._start + len(self._log)

    @property
    def bookmarked(self) -> int:
        """The revision of the newest bookmark."""
        return self._bookmark.revision

    def after(self, revision: int) -> int:
        """The position of the first event with a greater revision."""
        log = self._log
        low, high = 0, len(log)
        while low < high:
            middle = (low + high) // 2
            if log[middle].revision <= revision:
                low = middle + 1
            else:
                high = middle
        return self._start + low

    def since(self, position: int) -> Sequence[Event]:
        """The events from a position on."""
        return self._log[position - self._start :]

    def append(self, fresh: Sequence[Event]) -> int:
        """Add events and wake the watchers.

        Returns the revision of the newest event that left the log, 0 if none did.
        """
        self._batches.clear()
        self._log += fresh
        dropped = 0
        surplus = len(self._log) - self._capacity
        if surplus > self._capacity // 4:
            dropped = self._log[surplus - 1].revision
            del self._log[:surplus]
            self._start += surplus
        self._wake()
        return dropped

    def forget(self, revision: int) -> int:
        """Let go of events up to a revision. The newest one's revision, 0 where there was none."""
        count = self.after(revision) - self._start
        if not count:
            return 0
        dropped = self._log[count - 1].revision
        del self._log[:count]
        self._start += count
        self._batches.clear()
        return dropped

    def mark(self, revision: int) -> None:
        """Offer a bookmark at `revision` to the watchers that have seen everything."""
        self._bookmark = Batch([Event(events.BOOKMARK, b"", revision)])
        self._wake()

    def finish(self) -> None:
        """Nothing will come any more: watchers end once they have read what is here."""
        self.ended = True
        for hear in self._listeners:
            hear()
        self._wake_now()

    def bookmark(self) -> Batch:
        """The newest bookmark."""
        return self._bookmark

    def take(self, position: int) -> tuple[Batch, int] | None:
        """The batch at `position` and the position after it; None at the end. FellOut."""
        found = self._batches.get(position)
        if found is not None:
            return found
        offset = position - self._start
        if offset < 0:
            raise FellOut
        stop = min(len(self._log), offset + BLOCK - position % BLOCK)
        if offset == stop:
            return None
        size = 0
        for count in range(offset, stop):
            size += len(self._log[count].json)
            if size > _BYTES and count > offset:
                stop = count
                break
        found = Batch(self._log[offset:stop]), self._start + stop
        self._batches[position] = found
        return found

    def wait(self) -> asyncio.Future[None]:
        """Done when something may have come."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        return waiter

    def listen(self, hear: Callable[[], None]) -> None:
        """Call `hear`, each time and at once, when something may have come."""
        self._listeners[hear] = None

    def ignore(self, hear: Callable[[], None]) -> None:
        """Call `hear` no more."""
        self._listeners.pop(hear, None)

    def _wake(self) -> None:
        """Wake the watchers; a crowd of them at most every few milliseconds.

        One wake-up costs each of them a message, whatever it carries, and a writer pays for it.
        """
        for hear in self._listeners:
            hear()
        if not self._waiting:
            return
        if len(self._waiting) < _CROWD:
            self._wake_now()
        elif self._late_wake is None:
            loop = asyncio.get_running_loop()
            self._late_wake = loop.call_later(_CROWD_SECONDS, self._wake_now)

    def _wake_now(self) -> None:
        if self._late_wake is not None:
            self._late_wake.cancel()
            self._late_wake = None
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
