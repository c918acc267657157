"""Databases: values by key, their expiry, what they take. Pure; times are milliseconds (epoch)."""

import heapq
import random
import zlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from cluster.runtime.emulated.redis import values
from cluster.runtime.emulated.redis.resp import Fault
from cluster.runtime.emulated.redis.values import Hash, List, Set, SortedSet, Value

DATABASES: Final = 16
_KEY: Final = 80
"""What a key takes beside its bytes, about."""
_SLACK: Final = 64
_TRIES: Final = 16
"""How many expired keys are gone before the next turn."""

WRONG_TYPE: Final = "WRONGTYPE Operation against a key holding the wrong kind of value"
T = TypeVar("T", List, Hash, Set, SortedSet)


class Database:
    """Keys with values. `now` is set by who calls, before each command.

    `on_change` hears of each key that was changed, made or removed.
    """

    def __init__(self, on_change: Callable[["Database", bytes], None], number: int = 0) -> None:
        self.number = number
        self.now = 0
        self.entries: dict[bytes, Value] = {}
        self.expires: dict[bytes, int] = {}
        self.used = 0
        """Bytes that it takes, about; too much rather than too little (see `count`)."""
        self.hits = self.misses = self.expired = 0
        self.by_use = False
        """Whether `entries` are kept in the order of their last use (to evict the oldest)."""
        self._due: list[tuple[int, bytes]] = []
        self._on_change = on_change
        self._scanned: tuple[list[int], list[bytes]] | None = None

    # ---- keys --------------------------------------------------------------------------------

    def get(self, key: bytes) -> Value | None:
        """What a key holds."""
        if key in self.expires:
            self._lapse(key)
        found = self.entries.get(key)
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        if self.by_use:
            del self.entries[key]
            self.entries[key] = found
        return found

    def has(self, key: bytes) -> bool:
        """Whether a key is there; it is not used by that."""
        self._lapse(key)
        return key in self.entries

    def put(self, key: bytes, value: Value, *, keep: bool = False) -> None:
        """Have a key hold a value; it does not expire any more, unless it is to `keep` that."""
        old = self.entries.pop(key, None)
        if old is None:
            self._scanned = None
            self.used += len(key) + _KEY
        else:
            self.used -= min(values.size(old), self.used)
        self.entries[key] = value
        self.used += values.size(value)
        if not keep:
            self.expires.pop(key, None)
        self._on_change(self, key)

    def remove(self, key: bytes) -> bool:
        """Remove a key; whether it was there."""
        self._lapse(key)
        return self._drop(key)

    def changed(self, key: bytes, value: Value, grown: int = 0) -> None:
        """A collection was changed in place, and takes `grown` bytes more; an empty one goes."""
        if not value and not isinstance(value, bytes):
            self._drop(key)
            return
        self.used += grown
        self._on_change(self, key)

    def clear(self) -> None:
        """Remove all."""
        for key in list(self.entries):
            self._on_change(self, key)
        self.entries.clear()
        self.expires.clear()
        self._due.clear()
        self._scanned = None
        self.used = 0

    def expire(self, key: bytes, at: int) -> None:
        """Have a key expire; one whose time has come goes at once."""
        if at <= self.now:
            self._drop(key)
            return
        self.expires[key] = at
        heapq.heappush(self._due, (at, key))
        if len(self._due) > 2 * len(self.expires) + _SLACK:
            self._due = sorted((when, one) for one, when in self.expires.items())
        self._on_change(self, key)

    def lapse(self) -> None:
        """Remove some of what has expired, the oldest first."""
        for _ in range(_TRIES):
            if not self._due or self._due[0][0] > self.now:
                return
            self._lapse(heapq.heappop(self._due)[1])

    def lapse_all(self) -> None:
        """Remove everything that has expired."""
        while self._due and self._due[0][0] <= self.now:
            self._lapse(heapq.heappop(self._due)[1])

    def scanned(self) -> tuple[list[int], list[bytes]]:
        """All keys in the order in which SCAN walks, and their places."""
        if self._scanned is None:
            self._scanned = walk(self.entries)
        return self._scanned

    def _lapse(self, key: bytes) -> None:
        at = self.expires.get(key)
        if at is not None and at <= self.now:
            self.expired += 1
            self._drop(key)

    def _drop(self, key: bytes) -> bool:
        value = self.entries.pop(key, None)
        self.expires.pop(key, None)
        if value is None:
            return False
        self._scanned = None
        self.used = max(self.used - len(key) - _KEY - values.size(value), 0)
        self._on_change(self, key)
        return True

    # ---- values of a kind --------------------------------------------------------------------

    def string(self, key: bytes) -> bytes | None:
        """A string. Fault."""
        found = self.get(key)
        if found is None or isinstance(found, bytes):
            return found
        raise Fault(WRONG_TYPE)

    def list(self, key: bytes) -> List | None:
        """A list. Fault."""
        return self._of(key, deque)

    def hash(self, key: bytes) -> Hash | None:
        """A hash. Fault."""
        return self._of(key, Hash)

    def set(self, key: bytes) -> Set | None:
        """A set. Fault."""
        return self._of(key, Set)

    def sorted_set(self, key: bytes) -> SortedSet | None:
        """A sorted set. Fault."""
        return self._of(key, SortedSet)

    def made(self, key: bytes, kind: type[T]) -> T:
        """A value of a kind, made where the key holds nothing. Fault."""
        found: T | None = self._of(key, kind)
        if found is None:
            found = kind()
            self.put(key, found)
        return found

    def _of(self, key: bytes, kind: type[T]) -> T | None:
        found = self.get(key)
        if found is None or isinstance(found, kind):
            return found
        raise Fault(WRONG_TYPE)

    # ---- what it takes -----------------------------------------------------------------------

    def count(self) -> None:
        """Count anew what it takes."""
        self.used = sum(len(key) + _KEY + values.size(one) for key, one in self.entries.items())

    def evict(self, policy: str, chance: random.Random) -> bool:
        """Remove the key that the policy (`maxmemory-policy`) gives up first; whether it could."""
        candidates: dict[bytes, int] | dict[bytes, Value] = self.entries
        if policy.startswith("volatile"):
            candidates = self.expires
        if not candidates:
            return False
        if policy == "volatile-ttl":
            key = min(self.expires, key=lambda one: self.expires[one])
        elif policy.endswith("random"):
            key = list(candidates)[chance.randrange(len(candidates))]
        else:
            key = next(one for one in self.entries if one in candidates)
        return self._drop(key)


def walk(keys: Iterable[bytes]) -> tuple[list[int], list[bytes]]:
    """Keys in the order in which a scan walks, and their places: who was there from the beginning
    of a scan to its end is met, whatever comes and goes meanwhile.
    """
    rows = sorted((zlib.crc32(key), key) for key in keys)
    return [row[0] for row in rows], [row[1] for row in rows]
