"""OpenAPI v2 (Swagger): everything in one document, for older clients."""

from typing import Any

from cluster.api import discovery, schema
from cluster.api.crd import openapi as custom
from cluster.api.openapi import components, model, operations
from cluster.api.openapi.model import Operation
from cluster.api.protobuf.messages import MEDIA_TYPE as PROTOBUF
from cluster.api.resources import Table

_PREFIX = "#/definitions/"
_STYLE = components.Style(_PREFIX, alone=False)
_CUSTOM_MEDIA = ["application/json", "application/yaml"]
_MEDIA = [*_CUSTOM_MEDIA, PROTOBUF]


def document(table: Table, release: str) -> dict[str, Any]:
    """`/openapi/v2` as JSON."""
    found = [
        operation
        for group, versions in discovery.groups(table).items()
        for version in versions
        for operation in operations.of_group_version(table, group, version, release)
    ]
    definitions = schema.definitions(release) | custom.definitions(table, v2=True)
    names = components.needed(found, definitions)
    paths: dict[str, Any] = {}
    for operation in found:
        item = paths.setdefault(operation.path, {"parameters": _path_parameters(operation.path)})
        item[operation.method] = _operation(operation)
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": f"v{release}.0"},
        "paths": paths,
        "definitions": components.rendered(names, definitions, _STYLE),
    }


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "type": "string", "uniqueItems": True}
        for name in ("name", "namespace", "path")
        if f"{{{name}}}" in path
    ]


def _operation(operation: Operation) -> dict[str, Any]:
    group, version, kind = operation.gvk
    parameters: list[dict[str, Any]] = [
        {
            "name": parameter.name,
            "in": "query",
            "description": parameter.description,
            "type": parameter.type,
            "uniqueItems": True,
        }
        for parameter in operation.parameters
    ]
    if operation.body:
        parameters.append(
            {
                "name": "body",
                "in": "body",
                "required": operation.method != "delete",
                "schema": {"$ref": _PREFIX + operation.body},
            }
        )
    answer: dict[str, Any] = {}
    if operation.text:
        answer = {"schema": {"type": "string"}}
    elif operation.answer:
        answer = {"schema": {"$ref": _PREFIX + operation.answer}}
    return {
        "operationId": operation.id,
        "consumes": ["*/*"],
        "produces": list(operation.text) or (_MEDIA if operation.strategic else _CUSTOM_MEDIA),
        "parameters": parameters,
        "responses": {
            code: {"description": words} | answer
            for code, words in model.successes(operation).items()
        }
        | model.UNAUTHORIZED,
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
    }
