"""Webhooks or policies as they are in the cache now, by the requests that they may be about."""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.apiserver.admission.matching import rules
from cluster.apiserver.admission.matching.rules import Criteria, Static
from cluster.apiserver.admission.plugin import Request
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.apiserver.watchcache.events import Event

EXEMPT_GROUP = "admissionregistration.k8s.io"
"""Admission's own configuration is shown to no webhook and no policy, or nobody could mend it."""


class Matched(Protocol):
    """Something that is about certain requests."""

    @property
    def criteria(self) -> Criteria:
        """Which."""
        ...


Item = TypeVar("Item", bound=Matched)
Found = tuple[tuple[int, Item, Static], ...]


class Index(Generic[Item]):
    """Follows the objects of a resource, in the order of their names.

    `build` makes items of an object, in order. Where none may be about a request, asking costs a
    look into a dict; where there is none at all, nothing.
    """

    def __init__(self, resource: str, build: Callable[[Object], Sequence[Item]]) -> None:
        self._resource = resource
        self._build = build
        self._by_name: dict[str, Sequence[Item]] = {}
        self._known: dict[tuple[str, str, str, str], Found[Item]] = {}
        self._cache: WatchCache | None = None
        self.items: tuple[Item, ...] = ()

    def open(self, cache: WatchCache) -> None:
        """Follow the resource from now on."""
        self._cache = cache
        cache.table.on_change(self._forget)
        cache.of(self._resource).observe(self._heard)

    def of(self, request: Request) -> Found[Item]:
        """What may be about a request: each item with its place among all."""
        if not self.items:
            return ()
        row = request.row
        key = (row.id, row.version, request.subresource, request.act.value)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._found(row, request.subresource, request.act.value)
        return found

    def _found(self, row: Resource, subresource: str, operation: str) -> Found[Item]:
        if row.group == EXEMPT_GROUP or self._cache is None:
            return ()
        others = rules.others(self._cache.table, row)
        found = []
        for place, item in enumerate(self.items):
            static = item.criteria.static(row, others, subresource, operation)
            if static is not None:
                found.append((place, item, static))
        return tuple(found)

    def _forget(self, _resource: str) -> None:
        self._known.clear()

    def _heard(self, event: Event) -> None:
        if event.entry is not None:
            self._by_name[event.entry.name] = self._build(event.entry.document())
        elif event.previous is not None:
            self._by_name.pop(event.previous.name, None)
        self.items = tuple(item for name in sorted(self._by_name) for item in self._by_name[name])
        self._known.clear()
