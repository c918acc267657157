"""Persistent volumes and claims for them, as kubectl shows them."""

from typing import Any

from cluster.api import objects
from cluster.api.printing.table import AGE, NAME, Printer, age, joined, wide
from cluster.api.resources import Column

_UNSET = "<unset>"
_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
_MODES = {
    "ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}  # fmt: skip


def _modes(listed: list[str] | None) -> str:
    return joined([short for mode, short in _MODES.items() if mode in (listed or ())])


def _phase(obj: objects.Object) -> str:
    return "Terminating" if objects.deleting(obj) else objects.status(obj).get("phase") or ""


def _class(obj: objects.Object) -> str:
    named = objects.annotations(obj).get(_BETA_CLASS)
    return named if named is not None else objects.spec(obj).get("storageClassName") or ""


def _volume(obj: objects.Object, now: float) -> list[Any]:
    spec = objects.spec(obj)
    claim = spec.get("claimRef")
    return [
        objects.name(obj),
        (spec.get("capacity") or {}).get("storage") or "0",
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy") or "",
        _phase(obj),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _class(obj),
        spec.get("volumeAttributesClassName") or _UNSET,
        objects.status(obj).get("reason") or "",
        age(obj, now),
        spec.get("volumeMode") or _UNSET,
    ]


def _claim(obj: objects.Object, now: float) -> list[Any]:
    spec, status = objects.spec(obj), objects.status(obj)
    volume, capacity, modes = spec.get("volumeName") or "", "", ""
    if volume:
        capacity = (status.get("capacity") or {}).get("storage") or "0"
        modes = _modes(status.get("accessModes"))
    return [
        objects.name(obj),
        _phase(obj),
        volume,
        capacity,
        modes,
        _class(obj),
        spec.get("volumeAttributesClassName") or _UNSET,
        age(obj, now),
        spec.get("volumeMode") or _UNSET,
    ]


VOLUMES = Printer(
    (
        NAME,
        Column("Capacity", description="How much it holds."),
        Column("Access Modes", description="How it may be mounted."),
        Column("Reclaim Policy", description="What becomes of it when its claim goes."),
        Column("Status", description="Where in its life it is."),
        Column("Claim", description="The claim that has it."),
        Column("StorageClass", description="The class it is of."),
        Column("VolumeAttributesClass", description="The class of its attributes."),
        Column("Reason", description="Why it is in its phase."),
        AGE,
        wide("VolumeMode"),
    ),
    _volume,
)
CLAIMS = Printer(
    (
        NAME,
        Column("Status", description="Where in its life it is."),
        Column("Volume", description="The volume that it has."),
        Column("Capacity", description="How much that holds."),
        Column("Access Modes", description="How it may be mounted."),
        Column("StorageClass", description="The class it asks for."),
        Column("VolumeAttributesClass", description="The class of attributes it asks for."),
        AGE,
        wide("VolumeMode"),
    ),
    _claim,
)

BY_RESOURCE = {"persistentvolumeclaims": CLAIMS, "persistentvolumes": VOLUMES}
