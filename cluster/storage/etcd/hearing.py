"""What etcd's watch tells, kept going over lost streams and members, and handed to subscribers.

All of etcd is watched, not this cluster's prefix alone: so a revision is known to be heard of even
where it changed nothing of ours (another prefix, kube-apiserver's compaction key), which etcd
before 3.4.25 and 3.5.8 says wrongly by progress notifications.
"""

import asyncio
import functools
from collections.abc import Callable, Sequence
from contextlib import aclosing
from random import Random
from typing import Any, Final

import structlog

from cluster.aio import tasks
from cluster.aio.backoff import Backoff
from cluster.aio.clock import Clock
from cluster.storage.etcd import faults, txns, watching
from cluster.storage.etcd.attempts import Attempts
from cluster.storage.etcd.keys import ALL, CLOCK, COMPACTED, Keys
from cluster.storage.etcd.members import Members
from cluster.storage.interface import Compacted, Event, Sink, Unavailable
from cluster.storage.sinks import Sinks
from cluster.storage.times import Times

_log = structlog.get_logger(component="storage")
_BEGIN_SECONDS: Final = 3.0
_STALL_SECONDS: Final = 1.5
"""A revision that is there is told within this time, or the watch goes to another member."""


class Hearing:
    """`heard` is the newest revision of etcd that was told, `ours` the newest that was of our keys.

    `lost` gets the error that ends it: events were compacted before they were told.
    """

    def __init__(
        self, members: Members, keys: Keys, *, random: Random, clock: Clock | None
    ) -> None:
        self.attempts = Attempts()
        self.times = Times()
        self.heard = 0
        self.ours = 0
        self.compacted = 0
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._begun = asyncio.Event()
        self._members = members
        self._keys = keys
        self._random = random
        self._clock = clock
        self._sinks = Sinks()
        self._background = tasks.Background("etcd watch", self._fault)
        self._following: asyncio.Task[Any] | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._behind: dict[Sink, asyncio.Future[None]] = {}
        self._last = 0.0
        self.marked = (0, 0.0)
        """Revision and Unix seconds that a server has last written to the clock's key."""

    async def begin(self, revision: int, seconds: float) -> None:
        """Hear everything after `revision`; return when the watch is there. Unavailable."""
        self.heard = self.ours = revision
        self._following = self._background.spawn(self._keep_on(), "all")
        try:
            async with asyncio.timeout(seconds):
                await self._begun.wait()
        except TimeoutError:
            raise Unavailable("etcd answers, but gives no watch") from None

    def end(self) -> None:
        """Hear nothing more."""
        self._background.cancel()
        for _, waiter in self._waiting:
            waiter.cancel()

    def subscribe(self, after: int, sink: Sink) -> Callable[[], None]:
        """See `Storage.subscribe`. History from before this server's own comes as etcd gives it,
        still before anything newer; who writes meanwhile waits for it.
        """
        if after < self.compacted:
            raise Compacted(after, self.compacted)
        if after >= self.heard:
            return self._sinks.add((), _after(after, sink) if after > self.heard else sink)
        leave: list[Callable[[], None]] = []
        joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._behind[sink] = joined
        task = self._background.spawn(self._catch_up(after, sink, leave), "history")
        task.add_done_callback(lambda _: self._joined(sink))
        return functools.partial(_end, task, leave)

    async def joined(self) -> None:
        """Wait until every subscriber has heard as much as the others."""
        for waiter in list(self._behind.values()):
            await asyncio.shield(waiter)

    async def reach(self, revision: int) -> None:
        """Wait until `revision`, which etcd has, is told; a watch that is late is begun anew on
        another member. Whoever waits sets the deadline.
        """
        while self.heard < revision:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            entry = (revision, waiter)
            self._waiting.append(entry)
            try:
                async with asyncio.timeout(_STALL_SECONDS):
                    await waiter
            except TimeoutError:
                if asyncio.get_running_loop().time() - self._last >= _STALL_SECONDS:
                    self._elsewhere()
            finally:
                self._waiting.remove(entry)

    def _elsewhere(self) -> None:
        """The watch is silent about what is there."""
        if self._following is not None and self._begun.is_set():
            self._begun.clear()
            self._following.cancel()
            self._following = self._background.spawn(self._keep_on(), "all")
            self._members.turn_watch()

    async def _keep_on(self) -> None:
        backoff = Backoff(self._random, initial=0.05, maximum=1.0)
        while True:
            member = self._members.watched
            try:
                # From `heard` itself, so that its compaction is seen; it is not told again.
                since = max(self.heard, 1)
                follow = watching.follow(member, ALL, ALL, since, _BEGIN_SECONDS)
                async with aclosing(follow):
                    async for batch in follow:
                        self._last = asyncio.get_running_loop().time()
                        self._begun.set()
                        backoff.reset()
                        self._take(batch)
            except watching.Forgotten as error:
                self._lose(error.revision)
                return
            except faults.Unanswered as error:
                self._begun.clear()
                _log.warning("etcd's watch was lost", member=member.server, error=str(error))
                self._members.turn_watch()
            await backoff.wait()

    def _take(self, batch: Sequence[Any]) -> None:
        """Tell everybody of what is new in a batch of whole revisions."""
        heard = self.heard
        events: list[Event] = []
        for told in batch:
            if told.kv.mod_revision <= heard:
                continue
            key = self._keys.known(told.kv.key)
            if key is not None:
                events.append(txns.event(key, told))
            elif told.kv.key == COMPACTED and told.kv.value.isdigit():
                self.forget(int(told.kv.value))
            elif told.kv.key == CLOCK:
                self.marked = clocked(told.kv.value)
        if batch:
            self.heard = max(heard, batch[-1].kv.mod_revision)
        if events:
            self._tell(events)
        for revision, waiter in self._waiting:
            if revision <= self.heard and not waiter.done():
                waiter.set_result(None)

    def _tell(self, events: list[Event]) -> None:
        self.ours = events[-1].revision
        if self._clock is not None:
            self.times.note(self.ours, self._clock.now())
        try:
            self._sinks.publish(events)
        except Exception as error:  # noqa: BLE001  (a sink's fault goes to the writers it concerns)
            _log.error("a subscriber of the store failed", exc_info=error)
            self.attempts.fail(events, error)
        self.attempts.hear(events)

    def forget(self, compacted: int) -> None:
        """History up to `compacted` is gone, or going."""
        self.compacted = max(self.compacted, compacted)
        self.times.forget(self.compacted)

    def _lose(self, compacted: int) -> None:
        error = Unavailable(
            f"etcd has forgotten what happened after revision {self.heard} (it is compacted up to "
            f"{compacted}) before this server heard of it"
        )
        _log.error("events were lost", error=str(error))
        if not self.lost.done():
            self.lost.set_exception(error)

    async def _catch_up(self, after: int, sink: Sink, leave: list[Callable[[], None]]) -> None:
        """Give `sink` what came after `after` by a watch of its own, then let it hear as others."""
        while True:
            member = self._members.watched
            try:
                follow = watching.follow(member, ALL, ALL, max(after, 1), _BEGIN_SECONDS)
                async with aclosing(follow):
                    async for batch in follow:
                        after = self._past(batch, after, sink)
                        if after >= self.heard:
                            leave.append(self._sinks.add((), _after(after, sink)))
                            return
            except watching.Forgotten as error:
                self._lose(error.revision)
                return
            except faults.Unanswered:
                self._members.turn_watch()
            await asyncio.sleep(0.2)

    def _past(self, batch: Sequence[Any], after: int, sink: Sink) -> int:
        """Give `sink` what in a batch is newer than `after`; the newest revision that it knows."""
        fresh = [told for told in batch if told.kv.mod_revision > after]
        named = ((self._keys.known(told.kv.key), told) for told in fresh)
        events = [txns.event(key, told) for key, told in named if key is not None]
        if events:
            sink(events)
        return fresh[-1].kv.mod_revision if fresh else after

    def _joined(self, sink: Sink) -> None:
        waiter = self._behind.pop(sink, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fault(self, name: str, error: BaseException) -> None:
        _log.error("the watch of etcd failed", task=name, exc_info=error)
        if not self.lost.done():
            self.lost.set_exception(Unavailable(f"the watch of etcd failed: {error}"))


def clocked(value: bytes) -> tuple[int, float]:
    """Revision and Unix seconds of a value of the clock's key; (0, 0.0) for what is none."""
    revision, _, seconds = value.partition(b" ")
    try:
        return int(revision), float(seconds)
    except ValueError:
        return 0, 0.0


def _after(after: int, sink: Sink) -> Sink:
    """`sink`, not told of revisions up to `after`."""

    def take(events: Sequence[Event]) -> None:
        fresh = [event for event in events if event.revision > after]
        if fresh:
            sink(fresh)

    return take


def _end(task: asyncio.Task[Any], leave: list[Callable[[], None]]) -> None:
    task.cancel()
    for one in leave:
        one()
