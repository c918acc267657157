"""What an admission plugin is."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

import msgspec

from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.apiserver.plan import Call
from cluster.apiserver.watchcache.cache import WatchCache


class Act(Enum):
    """What a request wants of the object; a patch is an update, exec and its like connect."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CONNECT = "CONNECT"


@dataclass(slots=True, eq=False)
class Rounds:
    """What plugins that change objects know of each other's changes.

    `wanted`: something was changed that earlier plugins may want to see, so all of them run once
    more; `again`: this is that round. `kept` is what plugins keep between the two, by their names.
    """

    wanted: bool = False
    again: bool = False
    kept: dict[str, Any] = field(default_factory=dict)


class Request(msgspec.Struct, eq=False):
    """A request, as admission sees it.

    `object` is the new object (for DELETE the present one; for CONNECT the options); `old` the one
    it replaces. Where it is no object of the row (a Scale, a Binding), `kind` says what it is.
    `rounds` is there once a plugin may want another round of changes.
    """

    act: Act
    call: Call
    object: Object
    old: Object | None = None
    kind: Resource | None = None
    rounds: Rounds | None = None

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

    @property
    def name(self) -> str:
        """What messages call the object: a new one may have a prefix of a name only."""
        metadata = objects.meta(self.object)
        said = metadata.get("name") or metadata.get("generateName")
        return self.call.operation.name or str(said or "Unknown")

    def forbidden(self, why: str) -> errors.Forbidden:
        """The refusal of this request."""
        return errors.forbidden(self.row.id, self.name, why)


class Plugin:
    """Looks at writes before they are made. Raises errors.StatusError to refuse one.

    `resources` are the ids that it wants to see; empty: all. Plugins are synchronous and read
    nothing but the cache; one that must ask somebody raises `outside.Ask`, and is called again when
    the answer is in `request.call.answers`. One that hands out something unique reserves it until
    `request.call.settled` says that the attempt is over.
    """

    name: ClassVar[str] = ""
    resources: ClassVar[tuple[str, ...]] = ()

    def open(self, cache: WatchCache) -> None:
        """The cache is filled: build from it what is needed."""

    def heeds_renewals(self) -> bool:
        """Whether it may have to say of a lease's next renewal what it did not say of the last.

        False lets renewals pass that differ from one that it has seen in their time alone.
        """
        return True

    def mutate(self, request: Request) -> None:
        """The object is decoded and defaulted, not yet validated. It may be changed in place.

        A new object has no uid yet, and no name where the server will generate one. For DELETE it
        is the present object, and not to be changed.
        """

    def complete(self, request: Request) -> None:
        """The object is valid, and about to be stored: fill in what the server allocates."""

    def validate(self, request: Request) -> None:
        """The object is as it will be stored, but for its managed fields: refuse it or not."""
