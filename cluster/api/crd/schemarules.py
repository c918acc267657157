"""What a CustomResourceDefinition may not say in its schema beside what `structural` asks.

Rules and words: apiextensions-apiserver pkg/apis/apiextensions/validation (ValidateCustomResource-
DefinitionOpenAPISchema, specStandardValidatorV3, validateMapListKeysMapSet).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from cluster.api import causes, errors
from cluster.api.crd import fieldpaths
from cluster.api.crd.structure import Rule, Schema

Causes = Iterator[errors.Cause]

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_META_FIELDS: Final = ("metadata", "kind", "apiVersion")
_REASONS: Final = (
    "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired",
)  # fmt: skip
_LIST_TYPE: Final = "x-kubernetes-list-type"
_MAP_TYPE: Final = "x-kubernetes-map-type"
_KEYS: Final = "x-kubernetes-list-map-keys"
_RULES: Final = "x-kubernetes-validations"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node is: inside metadata, and where defaults are not allowed, with the reason."""

    no_defaults: str | None = None
    in_meta: bool = False


def check(root: Schema, path: str) -> list[errors.Cause]:
    """What is wrong with the schema at `path`."""
    return [*_node(root, path, _Place(), root=True)]


def _node(node: Schema, path: str, place: _Place, *, root: bool = False) -> Causes:
    yield from _allowed(node, path, place)
    if node.unique_items:
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield causes.forbidden(f"{path}.uniqueItems", why)
    if node.additional is not None:
        yield from _additional(node, path, place)
    for name, inner in node.properties.items():
        here = place
        if (root or node.embedded) and name in _META_FIELDS:
            here = replace(place, in_meta=True)
            if root:
                here = replace(here, no_defaults=f"in top-level {name}")
        yield from _node(inner, f"{path}.properties[{name}]", here)
    if node.negated is not None:
        yield from _node(node.negated, f"{path}.not", place)
    for keyword, branches in (
        ("allOf", node.all_of), ("oneOf", node.one_of), ("anyOf", node.any_of),
    ):  # fmt: skip
        for index, branch in enumerate(branches):
            yield from _node(branch, f"{path}.{keyword}[{index}]", place)
    if node.items is not None:
        yield from _node(node.items, f"{path}.items", place)
    yield from _extensions(node, path)
    for index, rule in enumerate(node.rules):
        yield from _rule(node, rule, f"{path}.{_RULES}[{index}]")


def _allowed(node: Schema, path: str, place: _Place) -> Causes:
    if node.type and node.type not in _TYPES:
        yield causes.not_supported(f"{path}.type", node.type, _TYPES)
    if node.default is not None and place.no_defaults is not None:
        yield causes.forbidden(f"{path}.default", f"must not be set {place.no_defaults}".strip())
    for keyword in node.unsupported:
        yield causes.forbidden(f"{path}.{keyword}", f"{keyword} is not supported")
    if node.type == "null":
        why = "type cannot be set to null, use nullable as an alternative"
        yield causes.forbidden(f"{path}.type", why)
    if node.items_is_list:
        why = "items must be a schema object and not an array"
        yield causes.forbidden(f"{path}.items", why)
    if place.in_meta and node.embedded:
        where = f"{path}.x-kubernetes-embedded-resource"
        yield causes.forbidden(where, "must not be used inside of resource meta")


def _additional(node: Schema, path: str, place: _Place) -> Causes:
    if node.properties and node.additional is not True:
        why = "additionalProperties and properties are mutual exclusive"
        yield causes.forbidden(f"{path}.additionalProperties", why)
    if node.element is not None:
        if place.in_meta:
            why = "inside additionalProperties applying to object metadata"
            place = replace(place, no_defaults=why)
        yield from _node(node.element, f"{path}.additionalProperties", place)


def _extensions(node: Schema, path: str) -> Causes:
    if node.preserve is False:
        where = f"{path}.x-kubernetes-preserve-unknown-fields"
        yield causes.invalid(where, False, "must be true or undefined")
    if node.map_type is not None:
        yield from _typed(node, path, "object", _MAP_TYPE)
        if node.map_type not in ("atomic", "granular"):
            where = f"{path}.{_MAP_TYPE}"
            yield causes.not_supported(where, node.map_type, ("atomic", "granular"))
    if node.list_type is not None:
        yield from _typed(node, path, "array", _LIST_TYPE)
        if node.list_type == "set" and node.type == "array" and node.items is not None:
            yield from _atomic_items(node.items, f"{path}.items")
        if node.list_type not in ("atomic", "set", "map"):
            where = f"{path}.{_LIST_TYPE}"
            yield causes.not_supported(where, node.list_type, ("atomic", "set", "map"))
    if node.list_map_keys and node.list_type != "map":
        why = f"must be map if {_KEYS} is non-empty"
        where = f"{path}.{_LIST_TYPE}"
        if node.list_type is None:
            yield causes.required(where, why)
        else:
            yield causes.invalid(where, node.list_type, why)
    if node.list_type == "map":
        yield from _map_list(node, path)
    if node.list_type in ("set", "map") and node.items is not None:
        yield from _not_nullable(node, node.items, f"{path}.items")


def _typed(node: Schema, path: str, wanted: str, keyword: str) -> Causes:
    if node.type == wanted:
        return
    why = f"must be {wanted} if {keyword} is specified"
    if node.type:
        yield causes.invalid(f"{path}.type", node.type, why)
    else:
        yield causes.required(f"{path}.type", why)


def _atomic_items(items: Schema, path: str) -> Causes:
    why = "must be atomic as item of a list with x-kubernetes-list-type=set"
    if items.type == "array" and items.list_type not in (None, "atomic"):
        yield causes.invalid(f"{path}.{_LIST_TYPE}", items.list_type, why)
    if items.type == "object" and items.map_type != "atomic":
        yield causes.invalid(f"{path}.{_MAP_TYPE}", items.list_type, why)


def _map_list(node: Schema, path: str) -> Causes:
    if not node.list_map_keys:
        yield causes.required(f"{path}.{_KEYS}", f"must not be empty if {_LIST_TYPE} is map")
    if node.items is None:
        yield causes.required(f"{path}.items", f"must have a schema if {_LIST_TYPE} is map")
        return
    if node.items.type != "object":
        why = f"must be object if parent array's {_LIST_TYPE} is map"
        yield causes.invalid(f"{path}.items.type", node.items.type, why)
        return
    keys = [*node.list_map_keys]
    for index, key in enumerate(keys):
        inner = node.items.properties.get(key)
        if inner is None:
            why = "entries must all be names of item properties"
            yield causes.invalid(f"{path}.{_KEYS}", keys, why)
        elif inner.type in ("array", "object"):
            why = f"must be a scalar type if parent array's {_LIST_TYPE} is map"
            where = f"{path}.items.properties[{key}].type"
            yield causes.invalid(where, node.items.type, why)
        if key in keys[:index]:
            yield causes.invalid(f"{path}.{_KEYS}", keys, "must not contain duplicate entries")


def _not_nullable(node: Schema, items: Schema, path: str) -> Causes:
    if items.nullable:
        why = f"cannot be nullable when {_LIST_TYPE} is {node.list_type}"
        yield causes.forbidden(f"{path}.nullable", why)
    if node.list_type != "map":
        return
    for key in node.list_map_keys:
        inner = items.properties.get(key)
        if inner is None:
            continue
        where = f"{path}.properties[{key}]"
        if key not in items.required and inner.default is None:
            why = (
                f"this property is in {_KEYS}, so it must have a default or be a required property"
            )
            yield causes.required(f"{where}.default", why)
        if inner.nullable:
            why = f"this property is in {_KEYS}, so it cannot be nullable"
            yield causes.forbidden(f"{where}.nullable", why)


def _rule(node: Schema, rule: Rule, path: str) -> Causes:
    text, message = rule.rule.strip(), rule.message.strip()
    if not text:
        yield causes.required(f"{path}.rule", "rule is not specified")
    elif rule.message and not message:
        where = f"{path}.message"
        yield causes.invalid(where, rule.message, "message must be non-empty if specified")
    elif _lines(message):
        where = f"{path}.message"
        yield causes.invalid(where, rule.message, "message must not contain line breaks")
    elif _lines(text) and not message:
        why = "message must be specified if rule contains line breaks"
        yield causes.required(f"{path}.message", why)
    if rule.message_expression and not rule.message_expression.strip():
        why = "messageExpression must be non-empty if specified"
        yield causes.required(f"{path}.messageExpression", why)
    if rule.reason is not None and rule.reason not in _REASONS:
        yield causes.not_supported(f"{path}.reason", rule.reason, _REASONS)
    yield from _field_path(node, rule.field_path, f"{path}.fieldPath")


def _field_path(node: Schema, text: str, where: str) -> Causes:
    if not text:
        return
    if not text.strip():
        yield causes.invalid(where, text, "fieldPath must be non-empty if specified")
    if _lines(text):
        yield causes.invalid(where, text, "fieldPath must not contain line breaks")
    try:
        fieldpaths.resolve(text, node)
    except fieldpaths.Malformed:
        yield causes.invalid(where, text, "fieldPath must be a valid path")


def _lines(text: Any) -> bool:
    return "\n" in text or "\r" in text
