"""The schemas that operations name, and all that those refer to, in the words of a document."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cluster.api import schema
from cluster.api.openapi.model import Operation
from cluster.api.openapi.operations import PATCH

_REFERENCE = "#/$defs/"
_PATCH: dict[str, Any] = {
    "description": "A patch, in the form that the request's content type names.",
    "type": "object",
}

Schemas = Mapping[str, Mapping[str, Any]]


def needed(operations: Iterable[Operation], definitions: Schemas) -> list[str]:
    """Names of the definitions that operations need, references followed, sorted."""
    found: dict[str, None] = {}
    waiting = [name for op in operations for name in (op.body, op.answer) if name]
    while waiting:
        name = waiting.pop()
        if name not in found and name in definitions:
            found[name] = None
            waiting += _references(definitions[name])
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Style:
    """How a document writes references: what they begin with (`#/definitions/`), and whether they
    stand alone inside `allOf`, as v3 wants, or beside a description, as v2 clients expect. v3 also
    tells of the two types that an IntOrString or a Quantity may have.
    """

    prefix: str
    alone: bool


def rendered(names: Iterable[str], definitions: Schemas, style: Style) -> dict[str, Any]:
    """Definitions by name, in the style of a document."""
    shown = {name: _rendered(definitions[name], style) for name in names}
    if style.alone:
        for name, types in schema.ONE_OF.items():
            if name in shown:
                shown[name] = _one_of(shown[name], types)
    return {PATCH: _PATCH} | shown


def _one_of(body: Mapping[str, Any], types: Iterable[str]) -> dict[str, Any]:
    plain = {keyword: value for keyword, value in body.items() if keyword != "type"}
    return plain | {"oneOf": [{"type": one} for one in types]}


def _references(body: Mapping[str, Any]) -> Iterator[str]:
    reference = body.get("$ref")
    if isinstance(reference, str):
        yield reference.removeprefix(_REFERENCE)
    for inner in (body.get("properties") or {}).values():
        yield from _references(inner)
    for keyword in ("items", "additionalProperties"):
        if isinstance(body.get(keyword), Mapping):
            yield from _references(body[keyword])


def _rendered(body: Mapping[str, Any], style: Style) -> dict[str, Any]:
    result = dict(body)
    reference = result.pop("$ref", None)
    if isinstance(reference, str):
        target = {"$ref": style.prefix + reference.removeprefix(_REFERENCE)}
        if style.alone and result:
            return result | {"allOf": [target]}
        return target | result
    if "properties" in result:
        result["properties"] = {
            name: _rendered(inner, style) for name, inner in result["properties"].items()
        }
    for keyword in ("items", "additionalProperties"):
        if isinstance(result.get(keyword), Mapping):
            result[keyword] = _rendered(result[keyword], style)
    return result
