"""Read-only virtual resources: rows with the verbs get and list alone, worked out when asked for.

A `Source` says what there is now. Selectors, Tables and forms are as with any resource; there is
no revision, so there are no pages and no watches. Their objects have no resourceVersion.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.apiserver import codec
from cluster.apiserver.pages import Page
from cluster.apiserver.watchcache.entry import Entry, Shape
from cluster.apiserver.watchcache.selection import Selection


class Source(Protocol):
    """Where the objects of a resource come from. Methods raise errors.StatusError."""

    async def get(self, namespace: str, name: str) -> Object:
        """One object. errors.NotFound."""
        ...

    async def list(self, namespace: str) -> Sequence[Object]:
        """The objects of a namespace ("": all), in the order of their names."""
        ...


Sources = Mapping[str, Source]
"""Sources by resource id."""


async def got(source: Source, row: Resource, namespace: str, name: str) -> Entry:
    """One object of a source."""
    return _entry(Shape(row.id, row), row, await source.get(namespace, name))


async def listed(source: Source, row: Resource, selection: Selection) -> Page:
    """The selected objects of a source, all in one page."""
    shape = Shape(row.id, row)
    entries = [_entry(shape, row, obj) for obj in await source.list(selection.namespace)]
    return Page([entry for entry in entries if selection.matches(entry)], 0)


def _entry(shape: Shape, row: Resource, obj: Object) -> Entry:
    """apiVersion and kind come first, as in every object."""
    whole = {"apiVersion": row.api_version, "kind": row.kind, **obj}
    meta = whole["metadata"]
    key = codec.key(row.id, meta.get("namespace", ""), meta["name"])
    return Entry(shape, key, codec.document(whole), 0, 0)
