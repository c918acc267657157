"""What a controller has asked for and not yet seen: it acts again only when it has seen it all.

Without it a controller that reads a cache would create the same pods twice, the watch being later
than its own writes. Deletions are remembered by uid, because one may be seen more than once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

TIMEOUT = 300.0
"""Seconds after which an unmet expectation is given up: a watch may have been missed."""


@dataclass(slots=True)
class _Expectation:
    until: float
    creations: int = 0
    deletions: dict[str, None] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        return self.creations <= 0 and not self.deletions


class Expectations:
    """Expectations by controller key. Times are the event loop's, in seconds."""

    def __init__(self) -> None:
        self._by_key: dict[str, _Expectation] = {}

    def expect_creations(self, key: str, count: int, now: float) -> None:
        """`count` creations are about to be asked for."""
        self._by_key[key] = _Expectation(now + TIMEOUT, creations=count)

    def expect_deletions(self, key: str, uids: Iterable[str], now: float) -> None:
        """Deletions of these objects are about to be asked for."""
        self._by_key[key] = _Expectation(now + TIMEOUT, deletions=dict.fromkeys(uids))

    def creation_seen(self, key: str, count: int = 1) -> bool:
        """Note creations that were seen, or that failed. True when that met the last of them."""
        found = self._by_key.get(key)
        if found is None or found.creations <= 0:
            return False
        found.creations -= count
        return found.met

    def deletion_seen(self, key: str, uid: str) -> bool:
        """Note a deletion that was seen, or that failed. True when that met the last of them."""
        found = self._by_key.get(key)
        if found is None or uid not in found.deletions:
            return False
        del found.deletions[uid]
        return found.met

    def leaving(self, key: str) -> Iterable[str]:
        """The uids whose deletion was asked for and not seen yet."""
        found = self._by_key.get(key)
        return () if found is None else found.deletions

    def satisfied(self, key: str, now: float) -> bool:
        """Whether nothing is awaited, or it was awaited too long."""
        found = self._by_key.get(key)
        return found is None or found.met or now >= found.until

    def seconds_left(self, key: str, now: float) -> float:
        """How long until what is awaited is given up; 0 where nothing is awaited."""
        found = self._by_key.get(key)
        return 0.0 if found is None else max(0.0, found.until - now)

    def forget(self, key: str) -> None:
        """The controller's object is gone."""
        self._by_key.pop(key, None)
