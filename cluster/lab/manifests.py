"""Manifests as a scenario gives them: YAML text, one object, or several."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cluster.api import objects, resources, yaml_text

Given = str | Mapping[str, Any] | Iterable[Mapping[str, Any]]


def read(
    given: Given, table: resources.Table
) -> Iterator[tuple[resources.Resource, objects.Object]]:
    """Each object with its resource, in its namespace (`default`, where it names none).

    ValueError for what is no YAML, a document that is no object, or a kind that is not served.
    """
    for document in _documents(given):
        if not isinstance(document, Mapping):
            raise ValueError(f"{document!r} is no Kubernetes object")  # noqa: TRY004
        obj = dict(document)
        row = table.of_kind(obj.get("apiVersion", ""), obj.get("kind", ""))
        if row is None:
            raise ValueError(f"no kind {obj.get('kind')} in version {obj.get('apiVersion')}")
        if row.namespaced and not objects.namespace(obj):
            obj["metadata"] = objects.meta(obj) | {"namespace": "default"}
        yield row, obj


def _documents(given: Given) -> Iterable[Any]:
    if isinstance(given, str):
        return [found for found in yaml_text.documents(given) if found is not None]
    return [given] if isinstance(given, Mapping) else given
