"""Reads of the past, for who is to be told what is no longer true."""

from typing import TYPE_CHECKING

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
        resource, namespace, fields=f"metadata.name={name}", revision=str(past), match=EXACT,
        version=version,
    )  # fmt: skip
    if not page.items:
        raise errors.not_found(resource, name)
    return page.items[0]
