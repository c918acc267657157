"""Defaults of volumes and claims for them (pkg/apis/core/v1/defaults.go)."""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api import quantity
from cluster.api.defaults import volumes
from cluster.api.objects import Object

_SOURCE_DEFAULTS: Final = ("azureDisk", "hostPath", "iscsi", "rbd", "scaleIO")


def claim(obj: Object) -> None:
    """Phase Pending; a file system."""
    status = obj.setdefault("status", {})
    status["phase"] = status.get("phase") or "Pending"
    spec = obj.setdefault("spec", {})
    claim_spec(spec)
    for amounts in (status.get("capacity") or {}, status.get("allocatedResources") or {}):
        _rounded(amounts)


def claim_spec(spec: Object) -> None:
    """What a claim and the template of one in a pod have in common."""
    spec.setdefault("volumeMode", "Filesystem")
    resources = spec.get("resources") or {}
    for amounts in (resources.get("limits") or {}, resources.get("requests") or {}):
        _rounded(amounts)


def volume(obj: Object) -> None:
    """Phase Pending; kept when its claim goes; a file system."""
    status = obj.setdefault("status", {})
    status["phase"] = status.get("phase") or "Pending"
    spec = obj.setdefault("spec", {})
    spec["persistentVolumeReclaimPolicy"] = spec.get("persistentVolumeReclaimPolicy") or "Retain"
    spec.setdefault("volumeMode", "Filesystem")
    _rounded(spec.get("capacity") or {})
    for source in _SOURCE_DEFAULTS:
        if source in spec:
            volumes.source(source, spec[source])


def _rounded(amounts: dict[str, str]) -> None:
    """Amounts are kept in thousandths, rounded up."""
    for name, amount in amounts.items():
        if amount[-1] in "nu":
            amounts[name] = quantity.format_milli(quantity.milli(amount))


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    "persistentvolumeclaims": claim,
    "persistentvolumes": volume,
}
