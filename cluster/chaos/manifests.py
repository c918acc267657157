"""The manifests of an experiment's workload: objects, in the order in which they are made."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from cluster.api import objects, resources, yaml_text


class Made(NamedTuple):
    """An object of a manifest, and the resource that it is of (`deployments.apps`)."""

    resource: str
    object: objects.Object


def read(text: str) -> list[Made]:
    """The objects of YAML documents, in the namespace `default` where they name none.

    ValueError, with a sentence, for what is no YAML, no object, or of no built-in kind.
    """
    try:
        documents = [found for found in yaml_text.documents(text) if found is not None]
    except yaml_text.Unreadable as error:
        raise ValueError(f"is not YAML: {error}") from error
    table = resources.built_in()
    return [_made(document, table) for document in documents]


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
