"""Namespace: Active and held by the finalizer of the namespace controller."""

from collections.abc import Mapping
from typing import Final

from cluster.api import metadata
from cluster.api.objects import Object
from cluster.api.strategies.strategy import Strategy

FINALIZER: Final = "kubernetes"


def on_create(obj: Object) -> None:
    """Phase Active, and the spec's finalizer."""
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"].get(
        "name", ""
    )
    spec = obj.setdefault("spec", {})
    finalizers = spec.setdefault("finalizers", [])
    if FINALIZER not in finalizers:
        finalizers.append(FINALIZER)
    obj["status"] = {"phase": "Active"}


def on_update(old: Object, new: Object) -> None:
    """spec.finalizers belong to the finalize subresource."""
    spec = new.setdefault("spec", {})
    spec.pop("finalizers", None)
    if kept := (old.get("spec") or {}).get("finalizers"):
        spec["finalizers"] = kept


BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    "namespaces": Strategy(
        name_rule=metadata.dns1123_label,
        generations=False,
        on_create=on_create,
        on_update=on_update,
    ),
}
