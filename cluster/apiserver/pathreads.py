"""Reads by path, for components: what a GET of the REST face would answer, as JSON.

Three kinds of things are read so: what another server serves for this one (aggregation), what is
no object of a resource (subresources such as `scale`), and metrics that have an API of their own.
Whoever asks is asked about first, as at every face.
"""

from typing import TYPE_CHECKING, Final, Protocol

from cluster.api import errors, identity
from cluster.apiserver.authz import gate
from cluster.apiserver.authz.attributes import Attributes
from cluster.apiserver.rest import paths, query
from cluster.apiserver.usage import custom

if TYPE_CHECKING:
    from cluster.apiserver.aggregation.services import Remote
    from cluster.apiserver.registry import Registry

MAX_PATH: Final = 65_536


class Aggregated(Protocol):
    """Knows what other servers serve."""

    def route(self, path: str) -> "Remote | None":
        """Who serves a path, where that is another server."""
        ...

    async def read(self, found: "Remote", user: identity.User, path: str) -> bytes:
        """What its server answers to a GET. errors.StatusError."""
        ...

    def claims(self, group: str) -> bool:
        """Whether another server serves some version of a group."""
        ...


class PathReads:
    """Reads of a registry. `aggregated` is set by whoever has a way to other servers."""

    def __init__(self, registry: "Registry") -> None:
        self._registry = registry
        self.aggregated: Aggregated | None = None
        self.metrics = custom.Metrics(registry.table, registry.cache, registry.clock)

    async def read(self, whole: str, user: identity.User) -> bytes:
        """The JSON text at a path with its query. errors.StatusError."""
        if len(whole) > MAX_PATH or not whole.startswith("/"):
            raise errors.BadRequest("this is no path")
        path, _, text = whole.partition("?")
        remote = self.aggregated.route(path) if self.aggregated is not None else None
        if remote is not None:
            assert self.aggregated is not None
            self._check(gate.of_path(user, "GET", path))
            return await self.aggregated.read(remote, user, whole)
        if self.measures(path):
            self._check(gate.of_path(user, "GET", path))
            return self.metrics.read(path, query.parse(text))
        return await self._of_resource(path, text, user)

    def measures(self, path: str) -> bool:
        """Whether a path is of metrics that annotations give, since no other server gives any."""
        group = custom.group_of(path)
        if not group:
            return False
        return self.aggregated is None or not self.aggregated.claims(group)

    async def _of_resource(self, path: str, text: str, user: identity.User) -> bytes:
        registry = self._registry
        target = paths.parse(path, registry.table)
        if target is None or target.watch or target.tail:
            raise errors.NotFound(paths.NOT_FOUND)
        row, space, name = target.resource, target.namespace, target.name
        options = query.for_list(query.parse(text))
        self._check(
            gate.of_read(user, "get" if name else "list", row, (space, name), options.fields)
            ._replace(subresource=target.subresource)
        )  # fmt: skip
        if name:
            entry = await registry.get(
                row.id, space, name, subresource=target.subresource, version=row.version
            )
            return entry.json
        from cluster.apiserver.rest import tables

        page = await registry.list(
            row.id, space, labels=options.labels, fields=options.fields, limit=options.limit,
            token=options.token, version=row.version,
        )  # fmt: skip
        return b"".join(tables.object_list(row, page))

    def _check(self, asked: Attributes) -> None:
        gate.check(self._registry.authz.authorizer, asked)
