"""Defaults of the group `storage.k8s.io` (pkg/apis/storage/v1/defaults.go)."""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api.objects import Object

_DRIVER: Final[Mapping[str, object]] = {
    "attachRequired": True,
    "fsGroupPolicy": "ReadWriteOnceWithFSType",
    "podInfoOnMount": False,
    "requiresRepublish": False,
    "storageCapacity": False,
}
_LABELS_SINCE: Final = 27
"""The minor version from which on drivers say whether they mount with SELinux labels."""


def storage_class(obj: Object) -> None:
    """Volumes go with their claims, and are bound at once."""
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


def csi_driver(obj: Object, minor: int) -> None:
    """What a driver can do, where it does not say."""
    spec = obj.setdefault("spec", {})
    for field, value in _DRIVER.items():
        spec.setdefault(field, value)
    if minor >= _LABELS_SINCE:
        spec.setdefault("seLinuxMount", False)
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    "storageclasses.storage.k8s.io": storage_class,
}
BY_VERSION: Final[Mapping[str, Callable[[Object, int], None]]] = {
    "csidrivers.storage.k8s.io": csi_driver,
}
