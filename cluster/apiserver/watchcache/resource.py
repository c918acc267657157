"""The cache of one resource: its objects by key, its recent events, its watchers."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Sequence

from cluster.api import errors
from cluster.apiserver import codec
from cluster.apiserver.encryption import ciphers
from cluster.apiserver.watchcache import events
from cluster.apiserver.watchcache.entry import Entry, Shape
from cluster.apiserver.watchcache.events import Event
from cluster.apiserver.watchcache.feed import Feed
from cluster.apiserver.watchcache.selection import Selection
from cluster.apiserver.watchcache.watch import Watch
from cluster.apiserver.watchcache.watchers import Watchers
from cluster.storage import interface as storage

Observer = Callable[[Event], None]
_LAST = "\U0010ffff"
_HOST = "spec.nodeName"


class ResourceCache:
    """Objects and recent events of one resource.

    `changed` is the revision of the newest event, or the one that the cache began with, for what
    was deleted before is not known; `oldest` the one after which every event is still held.
    """

    def __init__(self, resource: str, shape: Shape, revision: int, ring: int, backlog: int) -> None:
        self.resource = resource
        self.shape = shape
        self.changed = revision
        self.oldest = revision
        self._entries: dict[str, Entry] = {}
        self._keys: list[str] = []
        self._hosts: dict[str, dict[str, Entry]] | None = None
        self._capacity = ring
        self._ring = Feed(ring)
        self._watchers = Watchers(backlog)
        self._readers = 0
        self._fresh: list[Event] = []
        self._observers: list[Observer] = []
        self.unreadable: dict[str, storage.Record] = {}
        """What the store has and nobody can read: encrypted by a key that is not here, or broken.

        Objects that could be read once stay as they were last seen, and nobody is shown them."""
        self.reason: Callable[[storage.Record], str] = without_keys

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def watchers(self) -> int:
        """How many watches are open."""
        return self._readers + len(self._watchers)

    def get(self, key: str) -> Entry | None:
        """The object of a storage key."""
        return self._entries.get(key)

    def entry(self, record: storage.Record) -> Entry:
        """An entry of a record, held or not."""
        held = self._entries.get(record.key)
        if held is not None and held.revision == record.revision:
            return held
        value = codec.spelled(record.value)
        if value is None:
            raise self.fault(record)
        json = codec.with_revision(value, record.revision)
        return Entry(self.shape, record.key, json, record.revision, record.created)

    def check(self, prefix: str) -> None:
        """errors.InternalError where an object whose key starts with `prefix` cannot be read."""
        for key, record in self.unreadable.items():
            if key.startswith(prefix):
                raise self.fault(record)

    def fault(self, record: storage.Record) -> errors.InternalError:
        """What whoever wants an object that cannot be read is told."""
        why = self.reason(record) or "the stored value is no object"
        return errors.InternalError(
            f'Internal error occurred: unable to transform key "{record.key}": {why}'
        )

    def restore(self, record: storage.Record) -> None:
        """An object that could not be read can be: who watches has to begin anew."""
        self.unreadable.pop(record.key, None)
        if record.key in self._entries:
            del self._entries[record.key]
            del self._keys[bisect_left(self._keys, record.key)]
        entry = self.entry(record)
        insort(self._keys, record.key)
        self._entries[record.key] = entry
        self._hosts = None
        for observer in self._observers:
            observer(Event(events.ADDED, entry.json, entry.revision, entry))
        self.end_watches()

    def reshape(self, shape: Shape) -> None:
        """The row of the resource has changed, and with it what selectors can ask for."""
        self.shape = shape
        for entry in self._entries.values():
            entry.reshape(shape)

    def load(self, records: Sequence[storage.Record]) -> None:
        """Take the state that the store had at the start, in key order."""
        for record in records:
            if not readable(record):
                self.unreadable[record.key] = record
                self.changed = max(self.changed, record.revision)
                continue
            entry = self.entry(record)
            self._entries[record.key] = entry
            self._keys.append(record.key)
            self.changed = max(self.changed, record.revision)
            self._observe(Event(events.ADDED, entry.json, entry.revision, entry))

    def observe(self, observer: Observer) -> None:
        """Show `observer` the present objects as ADDED, and from now on each event, at once."""
        for key in self._keys:
            entry = self._entries[key]
            observer(Event(events.ADDED, entry.json, entry.revision, entry))
        self._observers.append(observer)

    def apply(self, change: storage.Event) -> None:
        """Take one change; `flush` shows it to the watchers."""
        key, record = change.key, change.record
        value = codec.spelled(record.value) if record is not None else None
        if record is not None and value is None:
            self.unreadable[key] = record
            self.changed = change.revision
            return
        if self.unreadable:
            self.unreadable.pop(key, None)
        previous = self._entries.get(key)
        if record is None or value is None:
            if previous is None:
                return
            del self._entries[key]
            del self._keys[bisect_left(self._keys, key)]
            last = codec.at_revision(previous.json, change.revision)
            event = Event(events.DELETED, last, change.revision, None, previous)
        else:
            json = codec.with_revision(value, record.revision)
            entry = Entry(self.shape, key, json, record.revision, record.created)
            self._entries[key] = entry
            if previous is None:
                insort(self._keys, key)
            kind = events.ADDED if previous is None else events.MODIFIED
            event = Event(kind, json, record.revision, entry, previous)
        self.changed = change.revision
        self._fresh.append(event)
        self._observe(event)

    def flush(self) -> None:
        """Publish the changes since the last flush."""
        fresh, self._fresh = self._fresh, []
        if not fresh:
            return
        self.oldest = max(self.oldest, self._ring.append(fresh))
        self._watchers.publish(fresh)

    def forget(self, revision: int) -> None:
        """Let go of events up to a revision: none who watches goes on from before them."""
        self.oldest = max(self.oldest, self._ring.forget(revision))
        self._watchers.forget(revision)

    def end_watches(self) -> None:
        """The resource is gone: its watches end, and none can go on from before now."""
        ring, self._ring = self._ring, Feed(self._capacity)
        self.oldest = max(self.oldest, self.changed)
        ring.finish()
        self._watchers.finish()

    def mark(self, revision: int) -> None:
        """Offer every watcher a bookmark."""
        self._ring.mark(revision)
        self._watchers.mark(revision)

    def scan(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """Objects whose key starts with `prefix` and sorts after `after`, in key order."""
        low, high = self._bounds(prefix, after)
        return map(self._entries.__getitem__, self._keys[low:high])

    def count(self, prefix: str, after: str = "") -> int:
        """How many `scan` would give."""
        low, high = self._bounds(prefix, after)
        return high - low

    def select(self, selection: Selection, after: str = "") -> Iterator[Entry]:
        """Selected objects past the key `after`, in key order."""
        label, value = selection.pinned()
        prefix = codec.prefix(self.resource, selection.namespace)
        if label == _HOST:
            found = self._by_host(value)
            if after:
                found = (entry for entry in found if entry.key > after)
        elif label == "metadata.name" and selection.namespace:
            named = self._entries.get(prefix + value)
            found = iter((named,) if named is not None and named.key > after else ())
        else:
            found = self.scan(prefix, after)
        if not selection.selective:
            return found
        return filter(selection.matches, found)

    def watch(self, selection: Selection, revision: int | None, now: int) -> Watch:
        """Watch a selection from after `revision`; None: the present objects first, as ADDED.

        `now` is the revision of the whole cache. errors.Expired.
        """
        if revision is not None and revision < self.oldest:
            raise errors.expired(f"too old resource version: {revision} ({self.oldest})")
        if revision is None:
            missed = self._present(selection, now)
        elif selection.everything:
            missed = []
        else:
            missed = self._missed(selection, revision)
        if selection.everything:
            position = self._ring.end if revision is None else self._ring.after(revision)
            self._readers += 1
            return Watch(self._ring, position, revision or 0, missed, self._left)
        watched = self._watchers.join(selection)
        return Watch(
            watched.feed,
            watched.feed.end,
            revision or 0,
            missed,
            lambda: self._watchers.leave(watched),
        )

    def _left(self) -> None:
        self._readers -= 1

    def _present(self, selection: Selection, now: int) -> list[Event]:
        """In order of revision, so that a reader which is cut off half-way can resume."""
        found = [
            Event(events.ADDED, entry.json, entry.revision, entry)
            for entry in sorted(self.select(selection), key=_by_revision)
        ]
        found.append(Event(events.BOOKMARK, b"", now, initial_end=True))
        return found

    def _missed(self, selection: Selection, revision: int) -> list[Event]:
        past = self._ring.since(self._ring.after(revision))
        seen = (selection.view(event) for event in past)
        return [event for event in seen if event is not None]

    def _bounds(self, prefix: str, after: str) -> tuple[int, int]:
        keys = self._keys
        low = bisect_right(keys, after) if after > prefix else bisect_left(keys, prefix)
        return low, bisect_left(keys, prefix + _LAST)

    def _by_host(self, node: str) -> Iterator[Entry]:
        """Objects of a node, by an index that the first such question makes."""
        if self._hosts is None:
            self._hosts = {}
            for key in self._keys:
                entry = self._entries[key]
                self._hosts.setdefault(entry.field(_HOST), {})[key] = entry
        return iter(sorted(self._hosts.get(node, {}).values(), key=_by_key))

    def _observe(self, event: Event) -> None:
        if self._hosts is not None:
            self._rehost(self._hosts, event)
        for observer in self._observers:
            observer(event)

    def _rehost(self, hosts: dict[str, dict[str, Entry]], event: Event) -> None:
        if event.previous is not None:
            node = event.previous.field(_HOST)
            hosts[node].pop(event.previous.key)
            if not hosts[node]:
                del hosts[node]
        if event.entry is not None:
            hosts.setdefault(event.entry.field(_HOST), {})[event.entry.key] = event.entry


def without_keys(record: storage.Record) -> str:
    """Why a server that was given no keys cannot read a value."""
    try:
        ciphers.Identity().open(record.value, record.key.encode())
    except ciphers.Undecipherable as error:
        return str(error)
    return ""


def readable(record: storage.Record) -> bool:
    """Whether a stored value is an object's JSON."""
    return codec.spelled(record.value) is not None


def _by_revision(entry: Entry) -> int:
    return entry.revision


def _by_key(entry: Entry) -> str:
    return entry.key
