"""The watch cache: every resource's cache, fed by one subscription to the storage."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cluster.api import resources
from cluster.apiserver import codec
from cluster.apiserver.watchcache.entry import Entry, Shape
from cluster.apiserver.watchcache.resource import ResourceCache, readable, without_keys
from cluster.storage import interface as storage


@dataclass(frozen=True, slots=True)
class Limits:
    """How many recent events are held: `ring` of each resource, `backlog` of each watched
    selection of it. A watcher may lag by that many. `bookmark_seconds` lie between two bookmarks,
    which must be fewer than those that revisions are kept. After so many bookmarks an event is let
    go of, however few there are: where objects are large (EndpointSlices) and change seldom, a ring
    would be full of megabytes, hours later. ValueError where one is not positive.
    """

    ring: int = 8192
    backlog: int = 2048
    bookmark_seconds: float = 60.0
    bookmarks: int = 6

    def __post_init__(self) -> None:
        if self.ring <= 0 or self.backlog <= 0:
            raise ValueError("the watch cache must hold at least one event")
        if self.bookmarks <= 0:
            raise ValueError("events must be held for at least one bookmark")
        if self.bookmark_seconds <= 0:
            raise ValueError("bookmark_seconds must be more than 0 seconds")


class WatchCache:
    """The state at `revision`, always equal to what the store has told of.

    It belongs to one event loop. Nothing but `open` and `reached` waits.
    """

    def __init__(
        self, table: resources.Table, store: storage.Storage, limits: Limits | None = None
    ) -> None:
        self.table = table
        self._store = store
        self._limits = limits or Limits()
        self._resources: dict[str, ResourceCache] = {}
        self._unsubscribe: Callable[[], None] | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._expected: list[tuple[int, asyncio.Future[None]]] = []
        self._start = 0
        self._bookmarked: deque[int] = deque()
        table.on_change(self._reshape)
        self.revision = 0
        self.stale: Callable[[str], bool] = _never
        """Whether what is stored of a key should be written anew, though it does not change."""
        self.reason: Callable[[storage.Record], str] = without_keys
        """Why a stored value cannot be read; to be set before `open`."""

    async def open(self) -> None:
        """Load everything and follow the store."""
        found = await self._store.range(codec.PREFIX)
        self.revision = self._start = found.revision
        for resource, records in _by_resource(found.records):
            self.of(resource).load(records)
        self._unsubscribe = self._store.subscribe(found.revision, self._take)
        self._tick()

    def close(self) -> None:
        """Follow the store no longer."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None

    def of(self, resource: str) -> ResourceCache:
        """The cache of a resource (`plural[.group]`)."""
        found = self._resources.get(resource)
        if found is None:
            found = self._resources[resource] = ResourceCache(
                resource,
                Shape(resource, self.table.get(resource)),
                self._start,
                self._limits.ring,
                self._limits.backlog,
            )
            found.reason = self.reason
        return found

    def get(self, resource: str, namespace: str, name: str) -> Entry | None:
        """One object. errors.InternalError where it is there and cannot be read."""
        held = self.of(resource)
        key = codec.key(resource, namespace, name)
        if key in held.unreadable:
            held.check(key)
        return held.get(key)

    def unreadable(self) -> dict[str, storage.Record]:
        """What the store has that cannot be read, by key."""
        found: dict[str, storage.Record] = {}
        for cache in self._resources.values():
            found |= cache.unreadable
        return found

    async def retry(self) -> None:
        """Try once more what could not be read: there may be other keys. storage.Unavailable."""
        for key in self.unreadable():
            record = await self._store.get(key)
            cache = self.of(codec.split(key)[0])
            held = cache.unreadable.get(key)
            # Who wrote or deleted it meanwhile was heard of.
            if record is None or held is None or held.revision != record.revision:
                continue
            if readable(record):
                cache.restore(record)

    def bookmark(self) -> None:
        """Tell every watcher that has seen everything which revision that is."""
        for cache in list(self._resources.values()):
            cache.mark(self.revision)

    async def reached(self, revision: int, seconds: float) -> bool:
        """Wait until the cache knows `revision`, `seconds` at most; whether it does."""
        if self.revision >= revision:
            return True
        arrival: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        item = (revision, arrival)
        self._expected.append(item)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await arrival
        finally:
            self._expected.remove(item)
        return self.revision >= revision

    def _reshape(self, resource: str) -> None:
        found = self._resources.get(resource)
        if found is not None:
            found.reshape(Shape(resource, self.table.get(resource)))

    def _take(self, changes: Sequence[storage.Event]) -> None:
        touched: dict[ResourceCache, None] = {}
        for change in changes:
            resource, _, _ = change.key[len(codec.PREFIX) :].partition("/")
            cache = self.of(resource)
            cache.apply(change)
            touched[cache] = None
        self.revision = changes[-1].revision
        for cache in touched:
            cache.flush()
        for revision, arrival in self._expected:
            if revision <= self.revision and not arrival.done():
                arrival.set_result(None)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._ticking = loop.call_later(self._limits.bookmark_seconds, self._tick)
        self.bookmark()
        self._bookmarked.append(self.revision)
        if len(self._bookmarked) > self._limits.bookmarks:
            past = self._bookmarked.popleft()
            for cache in self._resources.values():
                cache.forget(past)


def _never(key: str) -> bool:
    return False


def _by_resource(
    records: Sequence[storage.Record],
) -> Iterator[tuple[str, list[storage.Record]]]:
    """Records in key order, cut where the resource changes."""
    group: list[storage.Record] = []
    current = ""
    for record in records:
        resource, _, _ = record.key[len(codec.PREFIX) :].partition("/")
        if resource != current and group:
            yield current, group
            group = []
        current = resource
        group.append(record)
    if group:
        yield current, group
