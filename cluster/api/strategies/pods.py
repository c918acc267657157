"""Pod: a fresh one is Pending; its quality of service follows from its resources."""

from collections.abc import Mapping
from typing import Final

from cluster.api import qos
from cluster.api.objects import Object
from cluster.api.strategies.strategy import Strategy


def on_create(obj: Object) -> None:
    """status.phase Pending and qosClass; nothing else of status."""
    obj["status"] = {"phase": "Pending", "qosClass": qos.of(obj.get("spec") or {})}


def on_status(old: Object, new: Object) -> None:
    """The quality of service does not change."""
    quality = (old.get("status") or {}).get("qosClass")
    if quality:
        new.setdefault("status", {})["qosClass"] = quality


BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    "pods": Strategy(status_keeps=("ownerReferences",), on_create=on_create, on_status=on_status),
}
