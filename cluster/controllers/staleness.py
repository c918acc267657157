"""Whether the cache already shows a controller's own writes.

Deciding on a cache that is older than one's last write repeats or contradicts that write. A
reconciliation that finds it so does nothing: the watch event on its way will call it again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from cluster.api import objects
from cluster.client import indexer

GIVE_UP = 30.0
"""Seconds after which a write that never showed is forgotten (deleted meanwhile, say)."""


def shown_by(store: indexer.Indexer) -> Callable[[str], int]:
    """The revision at which a store has an object, by key; 0 where it has none."""

    def revision(item: str) -> int:
        found = store.get(item)
        return objects.revision(found) if found is not None else 0

    return revision


@dataclass(slots=True)
class _Write:
    revision: int
    since: float


@dataclass(slots=True)
class OwnWrites:
    """The newest revisions written on behalf of a key, by the written object's own key."""

    _by_key: dict[str, dict[str, _Write]] = field(default_factory=dict)

    def note(self, key: str, item: str, written: objects.Object, now: float) -> None:
        """`written` is what the API answered when `item` was written on behalf of `key`."""
        revision = objects.revision(written)
        if revision:
            self._by_key.setdefault(key, {})[item] = _Write(revision, now)

    def stale(self, key: str, current: Callable[[str], int], now: float) -> bool:
        """Whether some write is not in the cache yet; `current` tells an item's cached revision."""
        writes = self._by_key.get(key)
        if not writes:
            return False
        shown = [
            item
            for item, write in writes.items()
            if current(item) >= write.revision or now - write.since > GIVE_UP
        ]
        for item in shown:
            del writes[item]
        if not writes:
            del self._by_key[key]
        return bool(writes)

    def forget(self, key: str) -> None:
        """The controller's object is gone."""
        self._by_key.pop(key, None)
