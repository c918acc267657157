"""Defaults of a pod's volumes (pkg/apis/core/v1/defaults.go and the marks of core/v1 types)."""

from typing import Any, Final

from cluster.api.defaults import images
from cluster.api.objects import Object

FILE_MODE: Final = 0o644
TOKEN_SECONDS: Final = 3600

_SOURCES: Final[dict[str, dict[str, Any]]] = {
    "configMap": {"defaultMode": FILE_MODE},
    "secret": {"defaultMode": FILE_MODE},
    "downwardAPI": {"defaultMode": FILE_MODE},
    "projected": {"defaultMode": FILE_MODE},
    "hostPath": {"type": ""},
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
    "azureDisk": {
        "cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared",
    },
}  # fmt: skip


def volume(volume: Object) -> None:
    """An emptyDir where no source is named; modes and the like of the source."""
    name = next((name for name in volume if name != "name"), None)
    if name is None:
        volume["emptyDir"] = {}
    else:
        source(name, volume[name])


def source(name: str, given: Object) -> None:
    """Fill in one source, of a pod's volume or of a PersistentVolume."""
    for field, value in _SOURCES.get(name, {}).items():
        given.setdefault(field, value)
    if name == "downwardAPI":
        _downward(given)
    elif name == "projected":
        _projected(given)
    elif name == "image":
        _image(given)
    elif name == "ephemeral":
        claim = (given.get("volumeClaimTemplate") or {}).get("spec")
        if claim is not None:
            claim.setdefault("volumeMode", "Filesystem")


def _downward(source: Object) -> None:
    for item in source.get("items") or ():
        field = item.get("fieldRef")
        if field is not None:
            field["apiVersion"] = field.get("apiVersion") or "v1"


def _projected(source: Object) -> None:
    for projection in source.get("sources") or ():
        if "serviceAccountToken" in projection:
            projection["serviceAccountToken"].setdefault("expirationSeconds", TOKEN_SECONDS)
        if "downwardAPI" in projection:
            _downward(projection["downwardAPI"])


def _image(source: Object) -> None:
    if not source.get("pullPolicy"):
        source["pullPolicy"] = images.pull_policy(source.get("reference") or "")
