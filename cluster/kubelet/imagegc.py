"""Which images of a node go when its disk fills up, and how the Node lists those it has. Pure.

Source: pkg/kubelet/images/image_gc_manager.go, and Images of pkg/kubelet/nodestatus.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

MAX_NAMES: Final = 5
"""MaxNamesPerImageInNodeStatus."""
_GRAIN: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Policy:
    """Percents of the disk, and seconds; `max_age` 0: unused images may get as old as they like."""

    high: int = 85
    low: int = 80
    min_age: float = 120.0
    max_age: float = 0.0


@dataclass(frozen=True, slots=True)
class Image:
    """An image on a node; size in bytes."""

    id: str
    size: int
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    pinned: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, digests first."""
        return (*self.digests, *self.tags)


@dataclass(slots=True)
class _Record:
    detected: float
    used: float = 0.0
    size: int = 0
    pinned: bool = False


@dataclass(slots=True)
class Ledger:
    """Since when each image is here, and when it was used last. Seconds since the epoch."""

    _records: dict[str, _Record] = field(default_factory=dict)

    def note(self, images: Iterable[Image], in_use: Collection[str], now: float) -> None:
        """Take in what is here, and which of it (by id) a container has now."""
        before, self._records = self._records, {}
        for one in images:
            record = before.get(one.id) or _Record(now)
            record.size, record.pinned = one.size, one.pinned
            if one.id in in_use:
                record.used = now
            self._records[one.id] = record

    def idle(self, now: float, policy: Policy) -> list[str]:
        """The ids of images that may go, those first that were not used for longest."""
        found = [
            (record.used, record.detected, name)
            for name, record in self._records.items()
            if record.used < now
            and not record.pinned
            and now - record.detected + _GRAIN >= policy.min_age
        ]
        return [name for _, _, name in sorted(found)]

    def outdated(self, now: float, policy: Policy) -> list[str]:
        """Those of them that nobody has used for longer than imageMaximumGCAge."""
        if not policy.max_age:
            return []
        records = self._records
        return [
            name
            for name in self.idle(now, policy)
            if now - (records[name].used or records[name].detected) > policy.max_age
        ]

    def size(self, name: str) -> int:
        """Bytes of an image."""
        record = self._records.get(name)
        return record.size if record is not None else 0


def to_free(capacity: int, available: int, policy: Policy) -> int:
    """How many bytes are to be freed: 0 below the high threshold, else down to the low one."""
    if capacity <= 0 or 100 - min(available, capacity) * 100 // capacity < policy.high:
        return 0
    return max(capacity * (100 - policy.low) // 100 - available, 0)


def listed(images: Iterable[Image], most: int) -> list[dict[str, Any]]:
    """status.images of the Node: the largest first, `most` of them (-1: all)."""
    ordered = sorted(images, key=lambda one: (-one.size, one.id))
    chosen = ordered if most < 0 else ordered[:most]
    return [
        {"names": list(one.names[:MAX_NAMES]), "sizeBytes": one.size} for one in chosen if one.names
    ]
