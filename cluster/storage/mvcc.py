"""The multi-version core: keys, revisions and history in memory. Pure: no I/O, no clock.

Changes apply at once and get their revisions here; a binding makes them durable afterwards and
calls `settle`, or takes them back with `undo`. Readers see settled revisions only.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from sortedcontainers import SortedDict

from cluster.storage.interface import (
    Change,
    Compacted,
    Deleted,
    Event,
    FutureRevision,
    Kept,
    Mismatch,
    Range,
    Record,
    TooEarly,
)
from cluster.storage.times import Times

_LAST = "\U0010ffff"  # sorts after every character that a key may have


class _Versions:
    """The states of one key, oldest first: a record, or None where it was deleted."""

    __slots__ = ("records", "revisions")

    def __init__(self) -> None:
        self.revisions: list[int] = []
        self.records: list[Record | None] = []

    def push(self, revision: int, record: Record | None) -> None:
        self.revisions.append(revision)
        self.records.append(record)

    def pop(self) -> None:
        self.revisions.pop()
        self.records.pop()

    def newest(self) -> Record | None:
        return self.records[-1] if self.records else None

    def at(self, revision: int) -> Record | None:
        index = bisect_right(self.revisions, revision)
        return self.records[index - 1] if index else None

    def compact(self, revision: int) -> tuple[list[int], bool]:
        """Drop states superseded at `revision`; the revisions dropped, and whether any is left."""
        keep = bisect_right(self.revisions, revision) - 1
        if keep >= 0 and self.records[keep] is None:
            keep += 1
        dropped = self.revisions[: max(keep, 0)]
        if dropped:
            del self.revisions[:keep], self.records[:keep]
        return dropped, bool(self.revisions)


class Mvcc:
    """All keys with their history since the last compaction.

    `revision` is the newest assigned, `settled` the newest durable one, `compacted` the newest
    whose history is gone.
    """

    def __init__(self, compacted: int = 0) -> None:
        self.revision = compacted
        self.settled = compacted
        self.compacted = compacted
        self._keys: SortedDict[str, _Versions] = SortedDict()
        self._log: list[Event] = []  # one event a revision, from compacted + 1 on

    def restore(self, rows: Iterable[tuple[int, str, bytes | None, int]]) -> list[int]:
        """Fill an empty core from (revision, key, value, created), oldest first.

        Returns the revisions that a compaction had given up and that were still there.
        """
        superseded: list[int] = []
        for revision, key, value, created in rows:
            record = None if value is None else Record(key, value, revision, created)
            if revision > self.compacted:
                self._log.append(self._push(revision, key, record))
                continue
            versions = self._keys.pop(key, None)
            if versions is not None:
                superseded.append(versions.revisions[-1])
            if record is None:
                superseded.append(revision)
            else:
                self._push(revision, key, record)
        self.revision = self.settled = max(self.revision, self.compacted)
        return superseded

    def apply(self, change: Change) -> tuple[Record | Deleted | Mismatch, Event | None]:
        """Make one change, or tell why not (then there is no event, and no revision is used)."""
        if change.guard is not None or change.guards:
            for key, wanted in change.conditions:
                guarded = self._newest(key)
                if wanted != (guarded.revision if guarded else 0):
                    return Mismatch(guarded, guard=True), None
        current = self._newest(change.key)
        if change.expected is not None and change.expected != (current.revision if current else 0):
            return Mismatch(current), None
        if change.value is None:
            if current is None:
                return Mismatch(None), None
            event = self._push(self.revision + 1, change.key, None)
            self._log.append(event)
            return Deleted(event.revision, current), event
        revision = self.revision + 1
        created = current.created if current is not None else revision
        record = Record(change.key, change.value, revision, created)
        event = self._push(revision, change.key, record)
        self._log.append(event)
        return record, event

    def settle(self, revision: int) -> Sequence[Event]:
        """Everything up to `revision` is durable; the events that this lets readers see."""
        events = self._events(self.settled, revision)
        self.settled = revision
        return events

    def undo(self) -> None:
        """Take back every change that is not settled: its revisions will be assigned again."""
        while self.revision > self.settled:
            event = self._log.pop()
            versions = self._keys[event.key]
            versions.pop()
            if not versions.revisions:
                del self._keys[event.key]
            self.revision -= 1

    def get(self, key: str, revision: int = 0) -> Record | None:
        """The record of `key` as of `revision` (0: the settled one)."""
        as_of = self._readable(revision)
        versions = self._keys.get(key)
        return versions.at(as_of) if versions is not None else None

    def range(self, prefix: str, revision: int = 0, after: str = "", limit: int = 0) -> Range:
        """Records under `prefix` past the key `after`, as of `revision` (0: the settled one).

        What it says is left beyond the limit counts keys, some of which may be deleted since.
        """
        as_of = self._readable(revision)
        records: list[Record] = []
        start = max(prefix, after)
        keys = self._keys.irange(start, prefix + _LAST, (start != after, False))
        for key in keys:
            record = self._keys[key].at(as_of)
            if record is None:
                continue
            records.append(record)
            if len(records) == limit:
                end = self._keys.bisect_left(prefix + _LAST)
                return Range(records, as_of, end - self._keys.bisect_right(key))
        return Range(records, as_of)

    def history(self, after: int) -> Sequence[Event]:
        """Settled events with a revision greater than `after`, oldest first."""
        if after < self.compacted:
            raise Compacted(after, self.compacted)
        return self._events(after, self.settled)

    def kept(self, times: Times) -> Kept:
        """What of the past can be read, by revision and by time."""
        oldest = max(self.compacted, min(self.settled, 1))
        return Kept(oldest, self.settled, times.first)

    def revision_at(self, times: Times, when: float) -> int:
        """The newest revision that was there at `when`, in Unix seconds. TooEarly."""
        found = times.at(when)
        if found is None:
            raise TooEarly(self.kept(times))
        return found

    def compact(self, revision: int) -> list[int]:
        """Forget what was superseded at `revision`; the revisions that no longer hold anything."""
        if revision > self.settled:
            raise FutureRevision(revision, self.settled)
        if revision <= self.compacted:
            return []
        touched = dict.fromkeys(event.key for event in self._events(self.compacted, revision))
        dropped: list[int] = []
        for key in touched:
            gone, left = self._keys[key].compact(revision)
            dropped += gone
            if not left:
                del self._keys[key]
        del self._log[: revision - self.compacted]
        self.compacted = revision
        return dropped

    def _newest(self, key: str) -> Record | None:
        versions = self._keys.get(key)
        return versions.newest() if versions is not None else None

    def _push(self, revision: int, key: str, record: Record | None) -> Event:
        versions = self._keys.get(key)
        if versions is None:
            versions = self._keys[key] = _Versions()
        event = Event(revision, key, record, versions.newest())
        versions.push(revision, record)
        self.revision = revision
        return event

    def _events(self, after: int, upto: int) -> Sequence[Event]:
        return self._log[max(after - self.compacted, 0) : upto - self.compacted]

    def _readable(self, revision: int) -> int:
        if revision > self.settled:
            raise FutureRevision(revision, self.settled)
        if 0 < revision < self.compacted:
            raise Compacted(revision, self.compacted)
        return revision or self.settled
