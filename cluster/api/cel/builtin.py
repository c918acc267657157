"""Types of expressions for the built-in kinds, from their schemas.

Fields are looked at when they are asked for: the schema of a Pod has thousands. Types may contain
themselves (JSONSchemaProps).
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from cluster.api import schema
from cluster.api.cel import types
from cluster.api.cel.types import DYN, Field, Listing, Type

_SIMPLE: Final[Mapping[schema.Kind, Type]] = {
    "string": types.STRING, "integer": types.INT, "number": types.DOUBLE, "boolean": types.BOOL,
    "bytes": types.BYTES, "quantity": DYN, "int-or-string": DYN, "time": types.TIMESTAMP,
    "micro-time": types.TIMESTAMP, "any": DYN, "json-object": DYN,
}  # fmt: skip
_LISTINGS: Final[Mapping[str, Listing]] = {"set": "set", "map": "map"}


class _Fields(Mapping[str, Field]):
    """The fields of a struct by their escaped names."""

    def __init__(self, node: schema.Node) -> None:
        self._names = {
            escaped: name for name in node.fields if (escaped := types.escape(name)) is not None
        }
        self._node = node
        self._made: dict[str, Field] = {}

    def __getitem__(self, name: str) -> Field:
        found = self._made.get(name)
        if found is None:
            key = self._names[name]
            found = self._made[name] = Field(_field(self._node.fields[key]), key)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@lru_cache(2048)
def from_node(node: schema.Node) -> Type:
    """The type of a built-in kind or of a part of one. Quantities and IntOrString are `dyn`."""
    if node.kind == "struct":
        return Type("object", name=node.name or node.go, fields=_Fields(node), smallest=2)
    if node.kind == "list":
        return types.list_of(_element(node))
    if node.kind == "map":
        return types.map_of(types.STRING, _element(node))
    return _SIMPLE[node.kind]


def _element(node: schema.Node) -> Type:
    return DYN if node.element is None else from_node(node.element)


def _field(field: schema.Field) -> Type:
    found = from_node(field.node)
    listing = _LISTINGS.get(field.list_type)
    if listing is None or found.kind != "list":
        return found
    return types.list_of(found.params[0], listing=listing, keys=tuple(field.list_map_keys))


def for_kind(api_version: str, kind: str, version: str = schema.NEWEST) -> Type | None:
    """The type of a kind, or None where the version does not have it."""
    node = schema.for_kind(api_version, kind, version)
    return None if node is None else from_node(node)
