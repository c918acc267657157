"""The schema of a custom resource (`openAPIV3Schema`), read into nodes.

One node type serves the structure and the value validations nested in it (allOf, anyOf, oneOf,
not): what may stand where is `structural`'s to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cluster.api import walker

DEPTH_LIMIT: Final = 100
"""Levels of nesting. Kubernetes has no limit of its own; real schemas stay below 40."""
NODE_LIMIT: Final = 50_000
"""Nodes of one schema: more than fit into the largest object that etcd takes."""


class Malformed(ValueError):
    """A document that is no JSONSchemaProps; the message is the decoder's."""


@dataclass(slots=True, eq=False)
class Rule:
    """An entry of x-kubernetes-validations."""

    rule: str = ""
    message: str = ""
    message_expression: str = ""
    reason: str | None = None
    field_path: str = ""
    optional_old_self: bool | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Schema:
    """One node. Numbers that are absent are None; `raw` is the document that it was read from.

    `additional` is additionalProperties: a node, a boolean, or None. `preserve` is None where
    x-kubernetes-preserve-unknown-fields is not set. `unsupported` are keywords that a
    CustomResourceDefinition may not use.
    """

    raw: Mapping[str, Any]
    type: str = ""
    format: str = ""
    title: str = ""
    description: str = ""
    pattern: str = ""
    nullable: bool = False
    unique_items: bool = False
    maximum: float | None = None
    minimum: float | None = None
    exclusive_maximum: bool = False
    exclusive_minimum: bool = False
    multiple_of: float | None = None
    max_length: int | None = None
    min_length: int | None = None
    max_items: int | None = None
    min_items: int | None = None
    max_properties: int | None = None
    min_properties: int | None = None
    required: tuple[str, ...] = ()
    enum: tuple[Any, ...] | None = None
    default: Any = None
    items: "Schema | None" = None
    items_is_list: bool = False
    properties: "dict[str, Schema]" = field(default_factory=dict)
    additional: "Schema | bool | None" = None
    all_of: "tuple[Schema, ...]" = ()
    any_of: "tuple[Schema, ...]" = ()
    one_of: "tuple[Schema, ...]" = ()
    negated: "Schema | None" = None
    preserve: bool | None = None
    embedded: bool = False
    int_or_string: bool = False
    list_type: str | None = None
    list_map_keys: tuple[str, ...] = ()
    map_type: str | None = None
    rules: tuple[Rule, ...] = ()
    unsupported: tuple[str, ...] = ()

    @property
    def element(self) -> "Schema | None":
        """The node of additionalProperties, where it is one."""
        return self.additional if isinstance(self.additional, Schema) else None


_TEXTS: Final = {
    "type": "type", "format": "format", "title": "title", "description": "description",
    "pattern": "pattern", "x-kubernetes-list-type": "list_type",
    "x-kubernetes-map-type": "map_type",
}  # fmt: skip
_FLAGS: Final = {
    "nullable": "nullable", "uniqueItems": "unique_items", "exclusiveMaximum": "exclusive_maximum",
    "exclusiveMinimum": "exclusive_minimum", "x-kubernetes-preserve-unknown-fields": "preserve",
    "x-kubernetes-embedded-resource": "embedded", "x-kubernetes-int-or-string": "int_or_string",
}  # fmt: skip
_COUNTS: Final = {
    "maxLength": "max_length", "minLength": "min_length", "maxItems": "max_items",
    "minItems": "min_items", "maxProperties": "max_properties", "minProperties": "min_properties",
}  # fmt: skip
_NUMBERS: Final = {"maximum": "maximum", "minimum": "minimum", "multipleOf": "multiple_of"}
_BRANCHES: Final = {"allOf": "all_of", "anyOf": "any_of", "oneOf": "one_of"}
_STRINGS: Final = {"required": "required", "x-kubernetes-list-map-keys": "list_map_keys"}
_UNSUPPORTED: Final = (
    "id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref",
)  # fmt: skip


def parse(raw: Any) -> Schema:
    """The node of a JSONSchemaProps document. Malformed."""
    return _Reader().read(raw, 0)


class _Reader:
    """Reads one schema, and counts its nodes."""

    def __init__(self) -> None:
        self._nodes = 0

    def read(self, raw: Any, depth: int) -> Schema:
        if not isinstance(raw, Mapping):
            raise _mismatch(raw, "", "JSONSchemaProps")
        self._nodes += 1
        if depth > DEPTH_LIMIT:
            raise Malformed(f"the schema is nested deeper than {DEPTH_LIMIT} levels")
        if self._nodes > NODE_LIMIT:
            raise Malformed(f"the schema has more than {NODE_LIMIT} nodes")
        node = Schema(raw)
        unsupported: list[str] = []
        for key, value in raw.items():
            if value is None:
                continue
            if key in _TEXTS:
                setattr(node, _TEXTS[key], _checked(key, value, str, "string"))
            elif key in _FLAGS:
                setattr(node, _FLAGS[key], _checked(key, value, bool, "bool"))
            elif key in _UNSUPPORTED:
                if value not in ("", {}):
                    unsupported.append(key)
            else:
                self._rest(node, key, value, depth)
        node.unsupported = tuple(unsupported)
        return node

    def _rest(self, node: Schema, key: str, value: Any, depth: int) -> None:
        if key in _COUNTS:
            setattr(node, _COUNTS[key], _checked(key, value, int, "int64"))
        elif key in _NUMBERS:
            if type(value) not in (int, float):
                raise _mismatch(value, key, "float64")
            setattr(node, _NUMBERS[key], value)
        elif key in _STRINGS:
            entries = _checked(key, value, list, "[]string")
            texts = tuple(_checked(key, item, str, "string") for item in entries)
            setattr(node, _STRINGS[key], texts)
        elif key == "enum":
            node.enum = tuple(_checked(key, value, list, "[]JSON"))
        elif key == "default":
            node.default = value
        elif key == "x-kubernetes-validations":
            entries = _checked(key, value, list, "[]ValidationRule")
            node.rules = tuple(_rule(item) for item in entries)
        else:
            self._inner(node, key, value, depth + 1)

    def _inner(self, node: Schema, key: str, value: Any, depth: int) -> None:
        if key in _BRANCHES:
            entries = _checked(key, value, list, "[]JSONSchemaProps")
            setattr(node, _BRANCHES[key], tuple(self.read(item, depth) for item in entries))
        elif key == "properties":
            entries = _checked(key, value, dict, "map[string]JSONSchemaProps")
            node.properties = {name: self.read(item, depth) for name, item in entries.items()}
        elif key == "items":
            node.items_is_list = isinstance(value, list) and bool(value)
            if not isinstance(value, list):
                node.items = self.read(value, depth)
        elif key == "additionalProperties":
            node.additional = value if type(value) is bool else self.read(value, depth)
        elif key == "not":
            node.negated = self.read(value, depth)


def _rule(raw: Any) -> Rule:
    if not isinstance(raw, Mapping):
        raise _mismatch(raw, "x-kubernetes-validations", "ValidationRule")

    def text(key: str) -> str:
        value = raw.get(key)
        return "" if value is None else str(_checked(key, value, str, "string"))

    reason = text("reason") if raw.get("reason") is not None else None
    optional = raw.get("optionalOldSelf")
    if optional is not None:
        _checked("optionalOldSelf", optional, bool, "bool")
    return Rule(
        text("rule"), text("message"), text("messageExpression"), reason, text("fieldPath"),
        optional, raw,
    )  # fmt: skip


def _checked(key: str, value: Any, accepted: type, go: str) -> Any:
    if type(value) is not accepted:
        raise _mismatch(value, key, go)
    return value


def _mismatch(value: Any, key: str, go: str) -> Malformed:
    found = "null" if value is None else walker.json_type(value)
    where = f"struct field JSONSchemaProps.{key}" if key else "value"
    return Malformed(f"json: cannot unmarshal {found} into Go {where} of type {go}")
