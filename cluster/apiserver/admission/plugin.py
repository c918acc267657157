"""What an admission plugin is."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.apiserver.plan import Call
from cluster.apiserver.watchcache.cache import WatchCache


class Act(Enum):
    """What a request wants of the object; a patch is an update."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Request:
    """A request, as admission sees it.

    `object` is the new object (for DELETE the present one), which `admit` may change in place;
    `old` the one it replaces.
    """

    act: Act
    call: Call
    object: Object
    old: Object | None = None

    @property
    def row(self) -> Resource:
        """The resource."""
        return self.call.row

    @property
    def subresource(self) -> str:
        """The subresource written to, or ""."""
        return self.call.operation.subresource

    @property
    def cache(self) -> WatchCache:
        """The state, to read."""
        return self.call.cache


class Plugin:
    """Looks at writes before they are made. Raises errors.StatusError to refuse one.

    `resources` are the ids that it wants to see; empty: all. Plugins are synchronous and read
    nothing but the cache; one that hands out something unique reserves it until
    `request.call.settled` says that the attempt is over.
    """

    name: ClassVar[str] = ""
    resources: ClassVar[tuple[str, ...]] = ()

    def open(self, cache: WatchCache) -> None:
        """The cache is filled: build from it what is needed."""

    def review(self, request: Request) -> None:
        """Before the rules: the object is as the user sent it, and may hold anything."""

    def admit(self, request: Request) -> None:
        """After the rules: the object is complete and valid."""
