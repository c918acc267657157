"""OpenAPI v3: an index, and a document for each group version."""

from collections.abc import Mapping
from typing import Any

from cluster.api import discovery, schema
from cluster.api.crd import openapi as custom
from cluster.api.openapi import components, model, operations
from cluster.api.openapi.model import Operation, Parameter
from cluster.api.protobuf.messages import MEDIA_TYPE as PROTOBUF
from cluster.api.resources import Table

_PREFIX = "#/components/schemas/"
_STYLE = components.Style(_PREFIX, alone=True)
_JSON = "application/json"
_BODIES = (_JSON, "application/yaml")
_ANSWERS = (_JSON, PROTOBUF, "application/yaml")
_PATCHES = (
    "application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)  # fmt: skip


def paths(table: Table) -> dict[str, tuple[str, str]]:
    """The group version of each document, by its path below /openapi/v3/."""
    found = {}
    for group, versions in discovery.groups(table).items():
        for version in versions:
            path = f"apis/{group}/{version}" if group else f"api/{version}"
            found[path] = (group, version)
    return found


def index(hashes: Mapping[str, str]) -> dict[str, Any]:
    """`/openapi/v3`: where each document is. The hash in its URL lets clients keep it for ever."""
    return {
        "paths": {
            path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
            for path, digest in hashes.items()
        }
    }


def document(table: Table, group: str, version: str, release: str) -> dict[str, Any]:
    """The document of a group version, with every schema that it refers to."""
    found = operations.of_group_version(table, group, version, release)
    rows = discovery.rows(table, group, version)
    definitions = schema.definitions(release) | custom.definitions(rows)
    names = components.needed(found, definitions)
    shown: dict[str, Any] = {}
    for operation in found:
        item = shown.setdefault(operation.path, {"parameters": _path_parameters(operation.path)})
        item[operation.method] = _operation(operation)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": f"v{release}.0"},
        "paths": shown,
        "components": {"schemas": components.rendered(names, definitions, _STYLE)},
    }


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "uniqueItems": True},
        }
        for name in ("name", "namespace", "path")
        if f"{{{name}}}" in path
    ]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.description,
        "schema": {"type": parameter.type, "uniqueItems": True},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    group, version, kind = operation.gvk
    found: dict[str, Any] = {
        "operationId": operation.id,
        "parameters": [_parameter(parameter) for parameter in operation.parameters],
        "responses": {
            code: {"description": words} | _answer(operation)
            for code, words in model.successes(operation).items()
        }
        | model.UNAUTHORIZED,
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
    }
    if operation.body:
        media = _media(operation)
        required = operation.method != "delete"
        found["requestBody"] = {"required": required} | _content(operation.body, media)
    return found


def _answer(operation: Operation) -> dict[str, Any]:
    if operation.text:
        return {"content": {each: {"schema": {"type": "string"}} for each in operation.text}}
    return _content(operation.answer, _ANSWERS if operation.strategic else _BODIES)


def _media(operation: Operation) -> tuple[str, ...]:
    if operation.method != "patch":
        return _BODIES
    return _PATCHES if operation.strategic else _PATCHES[:-1]


def _content(name: str, media: tuple[str, ...]) -> dict[str, Any]:
    if not name:
        return {}
    return {"content": {each: {"schema": {"$ref": _PREFIX + name}} for each in media}}
