"""From a CustomResourceDefinition to the rows that it adds to the table of resources."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cluster.api import objects, versions
from cluster.api.crd import jsonpath, names
from cluster.api.crd.version import Version
from cluster.api.objects import Object
from cluster.api.resources import ALL_VERBS, Resource

_WHILE_TERMINATING: Final = ("delete", "deletecollection", "get", "list", "watch")


def resource_id(definition: Object) -> str:
    """The id of the resource that a definition describes: its own name."""
    return objects.name(definition)


def served(definition: Object) -> bool:
    """Whether clients may use the resource: its names were accepted, now or once."""
    return names.is_true(definition, names.NAMES_ACCEPTED) or names.is_true(
        definition, names.ESTABLISHED
    )


def of(definition: Object, before: Sequence[Resource]) -> tuple[Resource, ...]:
    """The rows of a definition, preferred version first; none where it is not served.

    `before` are the rows that it had: versions that stay as they were keep what they have compiled.
    """
    if not served(definition):
        return ()
    spec = objects.spec(definition)
    known = {row.version: row for row in before}
    said = spec.get("versions") or ()
    ordered = sorted(said, key=lambda one: versions.preference(one["name"]))
    return tuple(_row(definition, one, known.get(one["name"])) for one in ordered)


def _row(definition: Object, said: Mapping[str, Any], before: Resource | None) -> Resource:
    spec = objects.spec(definition)
    given = objects.status(definition).get("acceptedNames") or {}
    group, kind = str(spec["group"]), str(given.get("kind") or spec["names"]["kind"])
    terminating = names.is_true(definition, names.TERMINATING)
    namespaced = spec.get("scope") == "Namespaced"
    storage = bool(said.get("storage"))
    selectable = spec["versions"] if storage else [said]
    return Resource(
        group,
        said["name"],
        kind,
        str(spec["names"]["plural"]),
        namespaced=namespaced,
        short_names=tuple(given.get("shortNames") or ()),
        categories=tuple(given.get("categories") or ()),
        subresources=_subresources(said),
        verbs=_WHILE_TERMINATING if terminating else ALL_VERBS,
        fields=_fields(selectable, namespaced=namespaced),
        singular=str(given.get("singular") or ""),
        list_kind=str(given.get("listKind") or ""),
        storage=storage,
        served=bool(said.get("served")),
        custom=_version(definition, said, before, kind),
        ending=terminating,
        deprecated=_warning(said, group, kind),
    )


def _version(
    definition: Object, said: Mapping[str, Any], before: Resource | None, kind: str
) -> Version:
    spec = objects.spec(definition)
    webhook = (spec.get("conversion") or {}).get("strategy") == "Webhook"
    old = before.custom if before is not None else None
    if isinstance(old, Version) and old.said == said and (old.kind, old.webhook) == (kind, webhook):
        return old
    api_version = f"{spec['group']}/{said['name']}"
    since = objects.revision(definition)
    return Version(api_version, kind, said, webhook=webhook, since=since)


def _subresources(said: Mapping[str, Any]) -> tuple[str, ...]:
    found = said.get("subresources") or {}
    return tuple(name for name in ("scale", "status") if found.get(name) is not None)


def _fields(
    selectable: Sequence[Mapping[str, Any]], *, namespaced: bool
) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {"metadata.name": ("metadata", "name")}
    if namespaced:
        found["metadata.namespace"] = ("metadata", "namespace")
    for said in selectable:
        for field in said.get("selectableFields") or ():
            try:
                path = jsonpath.parse(field["jsonPath"]).fields
            except jsonpath.Malformed:
                continue
            if path:
                found[".".join(path)] = path
    return found


def _warning(said: Mapping[str, Any], group: str, kind: str) -> str:
    if not said.get("deprecated"):
        return ""
    return said.get("deprecationWarning") or f"{group}/{said['name']} {kind} is deprecated"
