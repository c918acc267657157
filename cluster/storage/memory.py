"""Storage in memory: for the lab and for tests. Everything is settled as soon as it is made."""

from collections.abc import Callable, Sequence

from cluster.storage.interface import Change, Deleted, Mismatch, Range, Record, Sink
from cluster.storage.mvcc import Mvcc
from cluster.storage.sinks import Sinks


class MemoryStorage:
    """A `Storage` that forgets everything with its process."""

    shared = False

    def __init__(self) -> None:
        self._core = Mvcc()
        self._sinks = Sinks()

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

    async def write(self, changes: Sequence[Change]) -> list[Record | Deleted | Mismatch]:
        """See `Storage.write`."""
        results = [self._core.apply(change)[0] for change in changes]
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
