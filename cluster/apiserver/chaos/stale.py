"""Reads of the past, for who is to be told what is no longer true."""

from typing import TYPE_CHECKING, TypedDict

from cluster.api import errors
from cluster.apiserver.reader import EXACT
from cluster.apiserver.watchcache.entry import Entry

if TYPE_CHECKING:
    from cluster.apiserver.registry import Registry


async def get(
    registry: "Registry", resource: str, place: tuple[str, str], past: int, version: str = ""
) -> Entry:
    """An object at a place (namespace, name) as it was at a revision. errors.NotFound."""
    namespace, name = place
    page = await registry.list(
        resource, namespace, fields=f"metadata.name={name}", version=version, **as_of(past)
    )
    if not page.items:
        raise errors.not_found(resource, name)
    return page.items[0]


class AsOf(TypedDict):
    """What a list is told of when."""

    revision: str
    match: str


def as_of(past: int) -> AsOf:
    """How a list asks for things as they were at a revision; 0: as they are."""
    return {"revision": str(past), "match": EXACT} if past else {"revision": "", "match": ""}
