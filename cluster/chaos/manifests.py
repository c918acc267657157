"""The manifests of an experiment's workload: objects, in the order in which they are made."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

import yaml

from cluster.api import objects, resources, yaml_text


class Made(NamedTuple):
    """An object of a manifest, and the resource that it is of (`deployments.apps`)."""

    resource: str
    object: objects.Object


class Wrong(ValueError):
    """It is no YAML, no object, or of no built-in kind; `line` is where (from 1; 0: unknown)."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def read(text: str) -> list[Made]:
    """The objects of YAML documents, in the namespace `default` where they name none. Wrong."""
    try:
        documents = yaml_text.documents(text)
    except yaml_text.Unreadable as error:
        problem = str(error).removeprefix(f"line {error.line}: ")
        raise Wrong(f"is not YAML: {problem}", error.line) from error
    table, found = resources.built_in(), []
    for number, document in enumerate(documents):
        try:
            found += [] if document is None else [_made(document, table)]
        except ValueError as error:
            raise Wrong(str(error), _line(text, number)) from error
    return found


def _line(text: str, number: int) -> int:
    """Where a document begins."""
    nodes = yaml.compose_all(text, Loader=yaml.CSafeLoader)
    node = next(islice(nodes, number, None), None)
    return node.start_mark.line + 1 if node is not None else 0


def _made(document: Any, table: resources.Table) -> Made:
    if not isinstance(document, Mapping):
        raise ValueError(f"{document!r} is no Kubernetes object")  # noqa: TRY004
    obj = dict(document)
    version, kind = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
    row = table.of_kind(version, kind)
    if row is None:
        raise ValueError(f"there is no kind {kind!r} in version {version!r}")
    meta = obj.get("metadata")
    if not isinstance(meta, Mapping) or not isinstance(meta.get("name"), str):
        raise ValueError(f"a {kind} has no name")  # noqa: TRY004
    if row.namespaced and not meta.get("namespace"):
        obj["metadata"] = {**meta, "namespace": "default"}
    return Made(row.id, obj)
