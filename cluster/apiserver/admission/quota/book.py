"""What the quotas of a server hold, and what is used of them: kept up with every event.

Usage is that of the watch cache, which knows every write before its answer goes out, and of the
writes under way, which are reserved until they are settled or seen. Both are memory, so a check is
a few comparisons and no two concurrent writes can take the same room.

Several API servers on one store do not see each other's reservations. There the server that lets a
write pass holds the tenure of the namespace's quotas (`apiserver.tenure`): what others let pass was
written before it took that, or is refused by the store.
"""

import math
from collections.abc import Callable, Iterable, Iterator

import structlog

from cluster.api.quota import measuring, names
from cluster.api.quota.account import Account
from cluster.api.quota.measuring import Usage
from cluster.apiserver import codec
from cluster.apiserver.watchcache import events
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.entry import Entry
from cluster.apiserver.watchcache.events import Event

QUOTAS = "resourcequotas"
_log = structlog.get_logger().bind(component="apiserver")


FOLLOWED = 4096
"""Different resources that quotas may count."""


class Reservation:
    """Room that a write under way will take; `uid` is that of a new object, as its JSON has it."""

    __slots__ = ("resource", "uid", "usage")

    def __init__(self, resource: str, usage: Usage, uid: str) -> None:
        self.resource = resource
        self.usage = usage
        self.uid = f'"uid":"{uid}"'.encode() if uid else b""


class Book:
    """The quotas of one namespace."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.objects: dict[str, dict[str, Usage]] = {}
        """The usage of each object, by resource and key, of the resources that quotas count."""
        self._under_way: dict[str, list[Reservation]] = {}
        self._leaving: dict[str, float] = {}
        self._earliest = math.inf

    def put(self, found: Account) -> None:
        """A quota is new, or another than before."""
        for resource, held in self.objects.items():
            for usage in held.values():
                found.add(resource, usage)
        for reservations in self._under_way.values():
            for each in reservations:
                found.hold(each.resource, each.usage)
        self.accounts[found.name] = found

    def reserve(self, key: str, resource: str, usage: Usage, uid: str = "") -> Callable[[], None]:
        """Hold room for what the write of `key` adds; what is returned lets go of it. With the
        `uid` of a new object, `usage` is all that it uses.
        """
        reservation = Reservation(resource, usage, uid)
        self._under_way.setdefault(key, []).append(reservation)
        for found in self.accounts.values():
            found.hold(resource, usage)
        return lambda: self._release(key, reservation)

    def foreseen(self, entry: Entry) -> Usage | None:
        """The usage of a new object, where it was measured for its reservation."""
        for each in self._under_way.get(entry.key, ()):
            if each.uid and each.uid in entry.json:
                return each.usage
        return None

    def see(self, resource: str, key: str, usage: Usage | None) -> bool:
        """An object is as it is now (None: gone); whether that changed what is used."""
        held = self.objects[resource]
        before = held.pop(key, None)
        for reservation in self._under_way.pop(key, ()):
            self._let_go(reservation)
        self._leaving.pop(key, None)
        if usage is not None:
            held[key] = usage
            if usage.until:
                self._leaving[key] = usage.until
                self._earliest = min(self._earliest, usage.until)
        if before == usage:
            return False
        for found in self.accounts.values():
            if before is not None:
                found.remove(resource, before)
            if usage is not None:
                found.add(resource, usage)
        return True

    def sweep(self, now: float) -> bool:
        """Pods that should be gone by now no longer count; whether there were any."""
        if now <= self._earliest:
            return False
        over = [key for key, until in self._leaving.items() if now > until]
        changed = False
        for key in over:
            usage = self.objects[names.PODS][key].at(now)
            changed = self.see(names.PODS, key, usage) or changed
        self._earliest = min(self._leaving.values(), default=math.inf)
        return changed

    def _release(self, key: str, reservation: Reservation) -> None:
        waiting = self._under_way.get(key)
        if waiting is None or reservation not in waiting:
            return  # seen already
        waiting.remove(reservation)
        if not waiting:
            del self._under_way[key]
        self._let_go(reservation)

    def _let_go(self, reservation: Reservation) -> None:
        for found in self.accounts.values():
            found.hold(reservation.resource, reservation.usage, -1)


class Books:
    """The books of all namespaces that have quotas. `hear` is told when what is used changes."""

    def __init__(self) -> None:
        self.by_namespace: dict[str, Book] = {}
        self.changed: dict[tuple[str, str], None] = {}
        """Quotas (namespace, name) whose status.used may be out of date."""
        self.hear: Callable[[], None] = lambda: None
        self._cache: WatchCache | None = None
        self._followed: dict[str, None] = {}

    def open(self, cache: WatchCache) -> None:
        """Follow the quotas, and what they count."""
        self._cache = cache
        cache.of(QUOTAS).observe(self._quota)

    def _quota(self, event: Event) -> None:
        entry = event.entry
        if event.type == events.DELETED or entry is None:
            if event.previous is not None:
                self._forget(event.previous.namespace, event.previous.name)
            return
        found = Account(entry.document())
        book = self.by_namespace.setdefault(entry.namespace, Book())
        known = book.accounts.get(found.name)
        if known is not None and known.spec == found.spec:
            self._tell(entry.namespace, (found.name,))  # its status may say something else
            return
        for resource in found.counts:
            if resource:
                self._follow(entry.namespace, book, resource)
        book.put(found)
        self._tell(entry.namespace, (found.name,))

    def _forget(self, namespace: str, name: str) -> None:
        book = self.by_namespace.get(namespace)
        if book is None:
            return
        book.accounts.pop(name, None)
        self.changed.pop((namespace, name), None)
        if not book.accounts:
            del self.by_namespace[namespace]

    def _follow(self, namespace: str, book: Book, resource: str) -> None:
        assert self._cache is not None
        cache = self._cache.of(resource)
        if resource not in self._followed:
            if len(self._followed) >= FOLLOWED:
                _log.warning("too many resources in quotas: not counted", resource=resource)
                return
            self._followed[resource] = None
            cache.observe(self._follower(resource))
        if resource not in book.objects:
            book.objects[resource] = {}
            for entry in cache.scan(codec.prefix(resource, namespace)):
                book.see(resource, entry.key, _measured(resource, entry))

    def _follower(self, resource: str) -> Callable[[Event], None]:
        def follow(event: Event) -> None:
            entry = event.entry or event.previous
            if entry is None:
                return
            book = self.by_namespace.get(entry.namespace)
            if book is None or resource not in book.objects:
                return
            gone = event.entry is None
            usage = None
            if not gone:
                new = event.previous is None
                usage = (book.foreseen(entry) if new else None) or _measured(resource, entry)
            if book.see(resource, entry.key, usage):
                self._tell(entry.namespace, book.accounts)

        return follow

    def _tell(self, namespace: str, quotas: Iterable[str]) -> None:
        for name in quotas:
            self.changed[namespace, name] = None
        self.hear()

    def take_changed(self, now: float) -> Iterator[tuple[str, Account]]:
        """The quotas that have changed since they were taken the last time."""
        for namespace, book in self.by_namespace.items():
            if book.sweep(now):
                self.changed |= dict.fromkeys((namespace, name) for name in book.accounts)
        changed, self.changed = self.changed, {}
        for namespace, name in changed:
            found = self.by_namespace.get(namespace)
            if found is not None and name in found.accounts:
                yield namespace, found.accounts[name]


def _measured(resource: str, entry: Entry) -> Usage:
    """The usage of what is stored. Whatever is there, the watch cache goes on."""
    try:
        return measuring.of_json(resource, entry.json)
    except Exception as error:  # noqa: BLE001  (an observer must not end the cache)
        _log.error("cannot measure an object for quotas", key=entry.key, exc_info=error)
        return measuring.of_count(resource)
