"""The schemas of custom resources as OpenAPI documents publish them.

v3 has the whole schema. v2 knows neither nullable, oneOf, anyOf, not nor values of two types: what
says so is left out (apiextensions-apiserver pkg/controller/openapi/builder and v2).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from cluster.api.resources import Resource

Definition = dict[str, Any]

_META: Final = "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1"
_CONVENTIONS: Final = "https://git.k8s.io/community/contributors/devel/sig-architecture/"
_API_VERSION: Final = {
    "description": "The version of the schema of this representation of an object. More info: "
    f"{_CONVENTIONS}api-conventions.md#resources",
    "type": "string",
}
_KIND: Final = {
    "description": "The REST resource that this object represents, in CamelCase; it cannot be "
    f"changed. More info: {_CONVENTIONS}api-conventions.md#types-kinds",
    "type": "string",
}
_METADATA: Final = {
    "$ref": f"{_META}.ObjectMeta",
    "description": "Standard object's metadata. More info: "
    f"{_CONVENTIONS}api-conventions.md#metadata",
}
_LIST_METADATA: Final = {
    "$ref": f"{_META}.ListMeta",
    "description": f"Standard list metadata. More info: {_CONVENTIONS}api-conventions.md"
    "#types-kinds",
}
_SCHEMAS: Final = ("items", "additionalProperties", "not")
_NOT_IN_V2: Final = ("oneOf", "anyOf", "allOf", "not", "nullable", "example", "externalDocs")


def name(group: str, version: str, kind: str) -> str:
    """The name of a custom kind's definition: `com.example.v1.Widget`."""
    return ".".join((*reversed(group.split(".")), version, kind))


def definitions(rows: Iterable[Resource], *, v2: bool = False) -> dict[str, Definition]:
    """The definitions of the custom kinds among `rows`, and of their lists, by name.

    References read `#/$defs/NAME`, as those of built-in kinds do.
    """
    found: dict[str, Definition] = {}
    for row in rows:
        if row.custom is None:
            continue
        document = row.custom.document
        own = name(row.group, row.version, row.kind)
        found[own] = _object(row, _in_v2(document) if v2 else document)
        found[name(row.group, row.version, row.list_kind)] = _list(row, own)
    return found


def _object(row: Resource, document: Mapping[str, Any]) -> Definition:
    properties = {"apiVersion": _API_VERSION, "kind": _KIND, "metadata": _METADATA}
    return {
        "type": "object",
        **document,
        "properties": {**(document.get("properties") or {}), **properties},
        "x-kubernetes-group-version-kind": _gvk(row, row.kind),
    }


def _list(row: Resource, own: str) -> Definition:
    items = {
        "description": f"List of {row.plural}. More info: {_CONVENTIONS}api-conventions.md",
        "type": "array",
        "items": {"$ref": f"#/$defs/{own}"},
    }
    return {
        "description": f"{row.list_kind} is a list of {row.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": _API_VERSION,
            "items": items,
            "kind": _KIND,
            "metadata": _LIST_METADATA,
        },
        "x-kubernetes-group-version-kind": _gvk(row, row.list_kind),
    }


def _gvk(row: Resource, kind: str) -> list[dict[str, str]]:
    return [{"group": row.group, "kind": kind, "version": row.version}]


def _in_v2(document: Mapping[str, Any]) -> Definition:
    return dict(_v2_entries(document))


def _v2_entries(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    free = bool(document.get("x-kubernetes-preserve-unknown-fields"))
    typeless = free or document.get("nullable") or document.get("x-kubernetes-int-or-string")
    for keyword, value in document.items():
        if keyword in _NOT_IN_V2 or (typeless and keyword in ("type", "enum")):
            continue
        if typeless and keyword in ("items", "properties", "additionalProperties", "required"):
            continue
        if keyword == "properties":
            yield keyword, {key: _in_v2(inner) for key, inner in value.items()}
        elif keyword in _SCHEMAS and isinstance(value, Mapping):
            yield keyword, _in_v2(value)
        else:
            yield keyword, value
