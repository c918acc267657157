"""What makes a schema structural: https://kubernetes.io/docs/tasks/extend-kubernetes/
custom-resources/custom-resource-definitions/#specifying-a-structural-schema.

Every field is specified outside allOf, anyOf, oneOf and not; those hold value validations alone.
Rules and words: apiextensions-apiserver pkg/apiserver/schema (validation.go, complete.go).
"""

from collections.abc import Iterator
from typing import Any, Final

from cluster.api import causes, errors, regexes
from cluster.api.crd.structure import Schema

Causes = Iterator[errors.Cause]

_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
_EMBEDDED: Final = "x-kubernetes-embedded-resource"
_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
_TYPE_NEEDED: Final = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
_METADATA: Final = (
    "must not specify anything other than name and generateName, but metadata is implicitly "
    "specified"
)


def check(root: Schema, path: str) -> list[errors.Cause]:
    """What keeps the schema from being structural, in order of field."""
    found = [*_invariants(root, "root", path), *_complete(root, path)]
    return sorted(found, key=lambda cause: (cause.field, cause.message))


def _invariants(node: Schema, level: str, path: str) -> Causes:
    if node.type == "array" and node.items is None:
        yield causes.required(f"{path}.items", "must be specified")
    if node.items is not None:
        yield from _invariants(node.items, "item", f"{path}.items")
    for name, inner in node.properties.items():
        yield from _invariants(inner, "field", f"{path}.properties[{name}]")
    if node.additional is not None and level == "root":
        yield causes.forbidden(f"{path}.additionalProperties", "must not be used at the root")
    if node.element is not None:
        yield from _invariants(node.element, "field", f"{path}.additionalProperties")
    yield from _extensions(node, path)
    yield from _values(
        node,
        path,
        skip_any=_is_int_or_string(node.any_of),
        skip_first=bool(node.all_of) and _is_int_or_string(node.all_of[0].any_of),
    )
    yield from _types(node, level, path)
    yield from _metadata(node, level, path)


def _extensions(node: Schema, path: str) -> Causes:
    detail = "must be false if x-kubernetes-int-or-string is true"
    if node.int_or_string and node.preserve:
        yield causes.invalid(f"{path}.{_PRESERVE}", True, detail)
    if node.int_or_string and node.embedded:
        yield causes.invalid(f"{path}.{_EMBEDDED}", True, detail)


def _types(node: Schema, level: str, path: str) -> Causes:
    if node.embedded and node.type != "object":
        detail = f"must be object if {_EMBEDDED} is true"
        if node.type:
            yield causes.invalid(f"{path}.type", node.type, detail)
        else:
            yield causes.required(f"{path}.type", detail)
    elif not node.type and not node.int_or_string and not node.preserve:
        yield causes.required(f"{path}.type", _TYPE_NEEDED[level])
    if node.embedded and node.additional is not None:
        detail = f"must not be used if {_EMBEDDED} is set"
        yield causes.forbidden(f"{path}.additionalProperties", detail)
    if level == "root" and node.type not in ("", "object"):
        yield causes.invalid(f"{path}.type", node.type, "must be object at the root")


def _metadata(node: Schema, level: str, path: str) -> Causes:
    properties = node.properties
    if level == "root" or node.embedded:
        for name in ("kind", "apiVersion"):
            if name in properties and properties[name].type != "string":
                where = f"{path}.properties[{name}].type"
                yield causes.invalid(where, properties[name].type, "must be string")
        if "metadata" in properties and properties["metadata"].type != "object":
            where = f"{path}.properties[metadata].type"
            yield causes.invalid(where, properties["metadata"].type, "must be object")
    if level == "root" and "metadata" in properties and not _plain_metadata(properties["metadata"]):
        yield causes.forbidden(f"{path}.properties[metadata]", _METADATA)
    if node.embedded and not node.preserve and not properties:
        detail = f"must not be empty if {_EMBEDDED} is true without {_PRESERVE}"
        yield causes.required(f"{path}.properties", detail)


# What may be said of metadata at the root beside its properties: nothing but value validations.
_STRUCTURAL: Final = (
    "title", "description", "nullable", "items", "additionalProperties", "externalDocs", _PRESERVE,
    _EMBEDDED, "x-kubernetes-int-or-string", "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys", "x-kubernetes-map-type", "x-kubernetes-validations",
)  # fmt: skip
_VALUES: Final = (
    "format", "maximum", "minimum", "maxLength", "minLength", "pattern", "maxItems", "minItems",
    "multipleOf", "maxProperties", "minProperties", "required", "enum", "allOf", "anyOf", "oneOf",
    "not",
)  # fmt: skip


def _plain_metadata(node: Schema) -> bool:
    if any(node.raw.get(keyword) for keyword in (*_STRUCTURAL, *_VALUES)):
        return False
    return not node.properties or {*node.properties} <= {"name", "generateName"}


def _is_int_or_string(branches: tuple[Schema, ...]) -> bool:
    return len(branches) == 2 and [branch.raw for branch in branches] == _INT_OR_STRING


def _values(node: Schema, path: str, *, skip_any: bool = False, skip_first: bool = False) -> Causes:
    """Value validations: the branches may not say anything of structure."""
    if not skip_any:
        for index, branch in enumerate(node.any_of):
            yield from _nested(branch, f"{path}.anyOf[{index}]")
    for index, branch in enumerate(node.all_of):
        yield from _nested(branch, f"{path}.allOf[{index}]", skip_any=skip_first and index == 0)
    for index, branch in enumerate(node.one_of):
        yield from _nested(branch, f"{path}.oneOf[{index}]")
    if node.negated is not None:
        yield from _nested(node.negated, f"{path}.not")
    if node.pattern:
        why = regexes.fault(node.pattern)
        if why:
            detail = f"must be a valid regular expression, but isn't: {why}"
            yield causes.invalid(f"{path}.pattern", node.pattern, detail)


_FORBIDDEN: Final = {
    "type": "must be empty to be structural",
    "additionalProperties": "must be undefined to be structural",
    "default": "must be undefined to be structural",
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "nullable": "must be false to be structural",
    "externalDocs": "must be undefined to be structural",
    _PRESERVE: "must be false to be structural",
    _EMBEDDED: "must be false to be structural",
    "x-kubernetes-int-or-string": "must be false to be structural",
    "x-kubernetes-list-map-keys": "must be empty to be structural",
    "x-kubernetes-list-type": "must be undefined to be structural",
    "x-kubernetes-map-type": "must be undefined to be structural",
    "x-kubernetes-validations": "must be empty to be structural",
}
_ABSENT: Final[tuple[Any, ...]] = ("", False, None, [])


def _nested(node: Schema, path: str, *, skip_any: bool = False) -> Causes:
    yield from _values(node, path, skip_any=skip_any)
    if node.items is not None:
        yield from _nested(node.items, f"{path}.items")
    for name, inner in node.properties.items():
        yield from _nested(inner, f"{path}.properties[{name}]")
    for keyword, detail in _FORBIDDEN.items():
        if keyword in node.raw and node.raw[keyword] not in _ABSENT:
            yield causes.forbidden(f"{path}.{keyword}", detail)
    if "metadata" in node.properties:
        detail = "must not be specified in a nested context"
        yield causes.forbidden(f"{path}.properties[metadata]", detail)


def _complete(node: Schema, path: str) -> Causes:
    """Every field that a value validation speaks of is specified outside of it."""
    yield from _specified(node, node, path, path)
    if node.items is not None:
        yield from _complete(node.items, f"{path}.items")
    for name, inner in node.properties.items():
        yield from _complete(inner, f"{path}.properties[{name}]")
    if node.element is not None:
        yield from _complete(node.element, f"{path}.additionalProperties")


def _specified(values: Schema, node: Schema, path: str, here: str) -> Causes:
    for keyword, branches in (
        ("allOf", values.all_of), ("anyOf", values.any_of), ("oneOf", values.one_of),
    ):  # fmt: skip
        for index, branch in enumerate(branches):
            yield from _specified_nested(branch, node, path, f"{here}.{keyword}[{index}]")
    if values.negated is not None:
        yield from _specified_nested(values.negated, node, path, f"{here}.not")


def _specified_nested(values: Schema, node: Schema, path: str, here: str) -> Causes:
    yield from _specified(values, node, path, here)
    if values.items is not None:
        if node.items is None:
            yield causes.required(f"{path}.items", f"because it is defined in {here}.items")
        else:
            yield from _specified_nested(values.items, node.items, f"{path}.items", f"{here}.items")
    for name, inner in values.properties.items():
        where, said = f"{path}.properties[{name}]", f"{here}.properties[{name}]"
        known = node.properties.get(name)
        if known is None:
            yield causes.required(where, f"because it is defined in {said}")
        else:
            yield from _specified_nested(inner, known, where, said)
