"""A disk on which writes take a moment to be durable, and stores that live on it, one after the
other, as API servers come and go.
"""

import asyncio
from collections.abc import Callable, Sequence

from cluster.lab.rough.crossings import World
from cluster.storage.interface import Change, Deleted, Event, Mismatch, Record, Sink, Unavailable
from cluster.storage.memory import MemoryStorage
from cluster.storage.mvcc import Mvcc
from cluster.storage.sinks import Sinks

_PART = "apiserver"


class Disk:
    """What is durable. `subscribe` is for the lab's own eyes, which see each commit first."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.core = Mvcc()
        self.eyes = Sinks()

    def subscribe(self, sink: Sink) -> Callable[[], None]:
        """Show `sink` all that becomes durable."""
        return self.eyes.add(self.core.history(0), sink)


class DiskStorage(MemoryStorage):
    """A store on a disk, for one life of an API server: writes are committed in groups, and
    answered afterwards. `cut` is that life's sudden end.
    """

    def __init__(self, disk: Disk) -> None:
        super().__init__()
        self._core = disk.core
        self._disk = disk
        self._waiting: list[asyncio.Future[None]] = []
        self._committing = False
        self._cut = False

    async def write(
        self, changes: Sequence[Change]
    ) -> list[Record | Deleted | Mismatch | Unavailable]:
        """See `Storage.write`: durable after some milliseconds, with whatever came meanwhile."""
        self._alive()
        results: list[Record | Deleted | Mismatch | Unavailable] = [
            self._core.apply(change)[0] for change in changes
        ]
        loop = asyncio.get_running_loop()
        if not self._committing:
            self._committing = True
            world = self._disk.world
            seconds = world.random.uniform(0, world.roughness.commit_seconds)
            loop.call_later(seconds, self._commit)
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append(done)
        await asyncio.shield(done)
        return results

    def cut(self) -> None:
        """The process is gone: a commit under way was made or was not, and nobody is told."""
        if self._cut:
            return
        self._cut = True
        if self._committing and self._disk.world.happens(0.5):
            self._settle()
        self._core.undo()
        for done in self._waiting:
            if not done.done():
                done.set_exception(_gone())
                done.exception()  # nobody has to ask
        self._waiting.clear()

    def _alive(self) -> None:
        if self._cut:
            raise _gone()

    def _commit(self) -> None:
        """The group is durable: subscribers hear of it, then the writers."""
        if not self._lives_on():
            return
        self._committing = False
        waiting, self._waiting = self._waiting, []
        events = self._settle()
        if not self._lives_on():
            return
        self._sinks.publish(events)
        for done in waiting:
            if not done.done():
                done.set_result(None)

    def _lives_on(self) -> bool:
        """Whether the process gets past this moment."""
        if not self._cut:
            self._disk.world.crossings.crossed(_PART)
        return not self._cut

    def _settle(self) -> Sequence[Event]:
        events = self._core.settle(self._core.revision)
        self._disk.eyes.publish(events)
        return events


def _gone() -> Unavailable:
    return Unavailable("the store was cut off", "it was cut off")
