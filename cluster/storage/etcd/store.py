"""etcd v3 as a `Storage`."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random

import structlog

from cluster.aio import tasks
from cluster.aio.clock import Clock
from cluster.pb.etcd.v3 import rpc_pb2 as pb
from cluster.storage.etcd import faults, reading
from cluster.storage.etcd.clockmarks import ClockMarks
from cluster.storage.etcd.hearing import Hearing
from cluster.storage.etcd.keys import Keys
from cluster.storage.etcd.members import Members
from cluster.storage.etcd.settings import Settings
from cluster.storage.etcd.turns import Turns
from cluster.storage.etcd.writing import Writing
from cluster.storage.interface import (
    Change,
    Compacted,
    Kept,
    Outcome,
    Range,
    Record,
    Sink,
    TooEarly,
    Unavailable,
    closed,
)

_log = structlog.get_logger(component="storage")


class EtcdStorage:
    """A `Storage` that others may write to as well.

    Without a `clock` it does not know when revisions were made.
    """

    shared = True

    def __init__(self, settings: Settings, *, random: Random, clock: Clock | None = None) -> None:
        self._settings = settings
        self._random = random
        self._clock = clock
        self._keys = Keys(settings.prefix)
        self._turns = Turns()
        self._background = tasks.Background("etcd", _fault)
        self._parts: tuple[Members, Hearing, Writing] | None = None

    async def open(self) -> None:
        """Find the members and hear of what happens from now on. Unavailable, with a sentence."""
        members = Members(self._settings, self._random)
        hearing = Hearing(members, self._keys, random=self._random, clock=self._clock)
        try:
            header = await reading.newest(members)
            await reading.check(members)
            await hearing.begin(header.revision, self._settings.patience_seconds)
        except BaseException:
            hearing.end()
            await members.close()
            raise
        self._parts = members, hearing, Writing(self._settings, members, self._keys, hearing)
        marks = ClockMarks(members, hearing, self._clock)
        await marks.load()
        self._background.spawn(marks.keep(), "clock")

    async def close(self) -> None:
        """Wait for writes under way, then leave."""
        if self._parts is None:
            return
        members, hearing, writing = self._parts
        await writing.close()
        self._parts = None
        self._background.cancel()
        hearing.end()
        await members.close()

    @property
    def revision(self) -> int:
        """The newest revision of this cluster's keys that subscribers have heard of."""
        return self._parts[1].ours if self._parts is not None else 0

    async def newest(self) -> int:
        """See `Storage.newest`. It costs a question to etcd."""
        members, hearing, _ = self._open()
        header = await reading.newest(members)
        try:
            async with asyncio.timeout(self._settings.patience_seconds):
                await hearing.reach(header.revision)
        except TimeoutError:
            raise Unavailable(
                f"etcd's watch did not tell of revision {header.revision} in time"
            ) from None
        return hearing.ours

    async def write(self, changes: Sequence[Change]) -> list[Outcome]:
        """See `Storage.write`."""
        if self._parts is None:
            raise closed()
        return await self._parts[2].write(changes)

    async def get(self, key: str, revision: int = 0) -> Record | None:
        """See `Storage.get`."""
        return await reading.get(self._members(), self._keys, key, revision)

    async def range(
        self, prefix: str, *, revision: int = 0, after: str = "", limit: int = 0
    ) -> Range:
        """See `Storage.range`."""
        return await reading.read(
            self._members(), self._keys, prefix, revision=revision, after=after, limit=limit
        )

    def subscribe(self, after: int, sink: Sink) -> Callable[[], None]:
        """See `Storage.subscribe`, and `Hearing.subscribe` for history from before the opening."""
        if self._parts is None:
            raise closed()
        return self._parts[1].subscribe(after, sink)

    async def check(self) -> None:
        """See `Storage.check`."""
        await reading.check(self._members())

    async def compact(self, revision: int) -> None:
        """See `Storage.compact`."""
        await reading.compact(self._members(), revision)
        if self._parts is not None:
            self._parts[1].forget(revision)

    async def turn(self, revision: int) -> bool:
        """See `Storage.turn`."""
        return await self._turns.take(self._members(), revision)

    async def defragment(self) -> tuple[int, int]:
        """See `Storage.defragment`. One member after the other, so that the others answer; sizes
        are those of all files together. The alarm NOSPACE is ended; etcd raises it again where
        there is still no space.
        """
        before = after = 0
        for member in self._members().every:
            try:
                status = await member.call("Status", pb.StatusRequest(), 5)
                before += status.dbSize
                await member.call("Defragment", pb.DefragmentRequest(), 60)
                status = await member.call("Status", pb.StatusRequest(), 5)
                after += status.dbSize
            except (faults.Unanswered, faults.Refused) as error:
                raise Unavailable(f"{member.server} was not defragmented: {error}") from error
        await reading.disarm(self._members())
        return before, after

    async def kept(self) -> Kept:
        """See `Storage.kept`."""
        members, hearing, _ = self._open()
        try:
            oldest = max(hearing.compacted, 1)
            await reading.read(members, self._keys, "/registry/", revision=oldest, limit=1)
        except Compacted as error:
            hearing.forget(error.oldest)
        return Kept(max(hearing.compacted, 1), hearing.ours, hearing.times.first)

    async def revision_at(self, when: float) -> int:
        """See `Storage.revision_at`."""
        found = self._open()[1].times.at(when)
        if found is None:
            raise TooEarly(await self.kept())
        return found

    async def advance(self, revision: int) -> None:
        """Let etcd's next revision be greater than `revision`: by writes to a key of nobody, for
        etcd has no other way while it runs. Unavailable.
        """
        await reading.advance(self._members(), revision)

    async def lasting(self) -> None:
        """See `Storage.lasting`."""
        await asyncio.shield(self._open()[1].lost)

    def _members(self) -> Members:
        return self._open()[0]

    def _open(self) -> tuple[Members, Hearing, Writing]:
        if self._parts is None:
            raise closed()
        return self._parts


def _fault(name: str, error: BaseException) -> None:
    _log.error("a task of the store failed", task=name, exc_info=error)
