"""Types of expressions from a structural schema: the JSON schema of a CRD.

Rules: pkg/cel/common/schemas.go of the apiserver. The greatest sizes (`Type.largest`) are from
maxLength, maxItems and maxProperties, or what fits into a request; they bound estimated costs.
"""

from collections.abc import Mapping
from typing import Any, Final

from cluster.api.cel import types
from cluster.api.cel.types import MAX_REQUEST, Field, Type

Schema = Mapping[str, Any]

_FORMATS: Final[Mapping[str, Type]] = {
    "byte": types.BYTES, "duration": types.DURATION, "date": types.TIMESTAMP,
    "date-time": types.TIMESTAMP,
}  # fmt: skip
_PLAIN: Final[Mapping[str, Type]] = {
    "boolean": types.BOOL, "integer": types.INT, "number": types.DOUBLE,
}  # fmt: skip
_META: Final[Schema] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
}
_TEXT: Final[Schema] = {"type": "string"}


def from_schema(schema: Schema, *, root: bool = False, name: str = "selfType") -> Type | None:
    """The type of `self` for a schema; None for one that expressions cannot see.

    `root` is for the schema of the whole resource (as embedded resources are of themselves):
    apiVersion, kind, metadata.name and metadata.generateName are always there. `name` is what
    errors call it. Objects with x-kubernetes-preserve-unknown-fields show only declared fields.
    """
    if schema.get("x-kubernetes-int-or-string"):
        return _int_or_string(schema)
    if root:
        schema = _with_meta(schema)
    kind = schema.get("type")
    if kind == "array":
        return _list(schema, name)
    if kind == "object":
        return _object_or_map(schema, name)
    if kind == "string":
        return _string(schema)
    return _PLAIN.get(str(kind))


def _int_or_string(schema: Schema) -> Type:
    longest = schema.get("maxLength")
    largest = MAX_REQUEST - 2 if longest is None else max(0, int(longest)) * 4
    return Type("dyn", largest=largest, smallest=1)


def _with_meta(schema: Schema) -> Schema:
    properties = {**(schema.get("properties") or {})}
    properties.setdefault("kind", _TEXT)
    properties.setdefault("apiVersion", _TEXT)
    meta = (properties.get("metadata") or {}).get("properties") or {}
    if "name" not in meta or "generateName" not in meta:
        # Of metadata only the two names may be seen, whatever else the schema says of it.
        properties["metadata"] = _META
    return {**schema, "type": "object", "properties": properties}


def _inner(schema: Any, name: str) -> Type | None:
    if not isinstance(schema, Mapping):
        return None
    return from_schema(schema, root=bool(schema.get("x-kubernetes-embedded-resource")), name=name)


def _list(schema: Schema, name: str) -> Type | None:
    element = _inner(schema.get("items"), f"{name}.@idx")
    if element is None:
        return None
    most = schema.get("maxItems")
    if most is None:
        most = (MAX_REQUEST - 2) // (element.smallest + 1)
    listing = schema.get("x-kubernetes-list-type")
    return types.list_of(
        element,
        listing=listing if listing in ("set", "map") else "atomic",
        keys=tuple(schema.get("x-kubernetes-list-map-keys") or ()),
        largest=max(0, int(most)),
    )


def _object_or_map(schema: Schema, name: str) -> Type | None:
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping) and values:
        inner = _inner(values, f"{name}.@elem")
        if inner is None:
            return None
        most = schema.get("maxProperties")
        if most is None:
            most = (MAX_REQUEST - 2) // (inner.smallest + 6)
        return types.map_of(types.STRING, inner, largest=max(0, int(most)))
    return _object(schema, name)


def _object(schema: Schema, name: str) -> Type:
    fields: dict[str, Field] = {}
    required = set(schema.get("required") or ())
    smallest = 2
    for key, inner in (schema.get("properties") or {}).items():
        found = _inner(inner, f"{name}.{key}")
        if found is None:
            continue
        escaped = types.escape(key)
        if escaped is not None:
            fields[escaped] = Field(found, key)
        if key in required and "default" not in inner:
            smallest += len(key) + found.smallest + 4
    return types.object_of(name, fields, smallest=smallest)


def _string(schema: Schema) -> Type:
    longest, known = schema.get("maxLength"), _FORMATS.get(str(schema.get("format") or ""))
    if known is types.BYTES:
        largest = MAX_REQUEST - 2 if longest is None else max(0, int(longest))
        return Type("bytes", largest=largest, smallest=2)
    if known is not None:
        return known
    if longest is not None:
        # A character may take four bytes.
        return Type("string", largest=max(0, int(longest)) * 4, smallest=2)
    values = schema.get("enum")
    if values:
        sizes = [len(value.encode()) for value in values if isinstance(value, str)]
        return Type("string", largest=max(sizes, default=0), smallest=2)
    return types.STRING
