"""The schemas that operations name, and all that those refer to, in the words of a document."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cluster.api.openapi.operations import PATCH, Operation

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


def rendered(names: Iterable[str], definitions: Schemas, prefix: str) -> dict[str, Any]:
    """Definitions by name, their references beginning with `prefix` (`#/definitions/`)."""
    shown = {name: _rendered(definitions[name], prefix) for name in names}
    return {PATCH: _PATCH} | shown


def _references(body: Mapping[str, Any]) -> Iterator[str]:
    reference = body.get("$ref")
    if isinstance(reference, str):
        yield reference.removeprefix(_REFERENCE)
    for inner in (body.get("properties") or {}).values():
        yield from _references(inner)
    for keyword in ("items", "additionalProperties"):
        if isinstance(body.get(keyword), Mapping):
            yield from _references(body[keyword])


def _rendered(body: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """A schema whose references have no siblings, which OpenAPI does not allow."""
    result = dict(body)
    reference = result.pop("$ref", None)
    if isinstance(reference, str):
        target = {"$ref": prefix + reference.removeprefix(_REFERENCE)}
        if not result:
            return target
        return result | {"allOf": [target]}
    if "properties" in result:
        result["properties"] = {
            name: _rendered(inner, prefix) for name, inner in result["properties"].items()
        }
    for keyword in ("items", "additionalProperties"):
        if isinstance(result.get(keyword), Mapping):
            result[keyword] = _rendered(result[keyword], prefix)
    return result
