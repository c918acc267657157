"""Storage in memory: for the lab and for tests. Everything is settled as soon as it is made."""

import asyncio
from collections.abc import Callable, Sequence

from cluster.aio.clock import Clock
from cluster.storage.interface import (
    Change,
    Kept,
    Outcome,
    Range,
    Record,
    Sink,
)
from cluster.storage.mvcc import Mvcc
from cluster.storage.sinks import Sinks
from cluster.storage.times import Times


class MemoryStorage:
    """A `Storage` that forgets everything with its process.

    Without a `clock` it does not remember when revisions were made.
    """

    shared = False

    def __init__(self, clock: Clock | None = None) -> None:
        self._core = Mvcc()
        self._sinks = Sinks()
        self._clock = clock
        self._times = Times()

    async def open(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to finish."""

    @property
    def revision(self) -> int:
        """The newest revision; 0 for an empty store."""
        return self._core.settled

    async def newest(self) -> int:
        """See `Storage.newest`: nobody else writes here."""
        return self._core.settled

    async def write(self, changes: Sequence[Change]) -> list[Outcome]:
        """See `Storage.write`."""
        results: list[Outcome] = [self._core.apply(change)[0] for change in changes]
        if self._clock is not None:
            self._times.note(self._core.revision, self._clock.now())
        self._sinks.publish(self._core.settle(self._core.revision))
        return results

    async def get(self, key: str, revision: int = 0) -> Record | None:
        """See `Storage.get`."""
        return self._core.get(key, revision)

    async def range(
        self, prefix: str, *, revision: int = 0, after: str = "", limit: int = 0
    ) -> Range:
        """See `Storage.range`."""
        return self._core.range(prefix, revision, after, limit)

    def subscribe(self, after: int, sink: Sink) -> Callable[[], None]:
        """See `Storage.subscribe`."""
        return self._sinks.add(self._core.history(after), sink)

    async def check(self) -> None:
        """It always does."""

    async def compact(self, revision: int) -> None:
        """See `Storage.compact`."""
        self._core.compact(revision)
        self._times.forget(self._core.compacted)

    async def turn(self, revision: int) -> bool:
        """It always is."""
        return True

    async def defragment(self) -> tuple[int, int]:
        """There is nothing to give back."""
        return 0, 0

    async def kept(self) -> Kept:
        """See `Storage.kept`."""
        return self._core.kept(self._times)

    async def revision_at(self, when: float) -> int:
        """See `Storage.revision_at`."""
        return self._core.revision_at(self._times, when)

    async def lasting(self) -> None:
        """It lasts."""
        await asyncio.get_running_loop().create_future()
