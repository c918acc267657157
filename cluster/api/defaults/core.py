"""Defaults of the small core kinds: Namespace, Node, PriorityClass, Secret."""

import base64
from collections.abc import Callable, Mapping
from typing import Final

from cluster.api.objects import Object

LABEL_METADATA_NAME = "kubernetes.io/metadata.name"


def namespace(obj: Object) -> None:
    """The label of its own name, and phase Active."""
    meta = obj["metadata"]
    if meta.get("name"):
        meta["labels"] = (meta.get("labels") or {}) | {LABEL_METADATA_NAME: meta["name"]}
    status = obj.setdefault("status", {})
    status["phase"] = status.get("phase") or "Active"


def node(obj: Object) -> None:
    """Allocatable is the capacity unless it is told."""
    status = obj.get("status") or {}
    if "capacity" in status and "allocatable" not in status:
        status["allocatable"] = dict(status["capacity"])


def priority_class(obj: Object) -> None:
    """Pods of the class preempt lower ones, unless told otherwise."""
    obj["preemptionPolicy"] = obj.get("preemptionPolicy") or "PreemptLowerPriority"


def secret(obj: Object) -> None:
    """Type Opaque; stringData becomes data, over what is there."""
    obj["type"] = obj.get("type") or "Opaque"
    plain = obj.pop("stringData", None)
    if plain:
        data = obj.setdefault("data", {})
        for key, value in plain.items():
            data[key] = base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    "namespaces": namespace,
    "nodes": node,
    "priorityclasses.scheduling.k8s.io": priority_class,
    "secrets": secret,
}
