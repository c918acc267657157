"""Which pods on nodes use which claims and disks: a listener of the cache."""

from collections.abc import Mapping
from typing import Any, Final

from cluster.api import objects
from cluster.scheduler.pods import PodInfo
from cluster.scheduler.volumes import podclaims

DISKS: Final = ("gcePersistentDisk", "awsElasticBlockStore", "rbd", "iscsi")
"""The volumes whose disk two pods of a node cannot both write to."""
_DISKS: Final = frozenset(DISKS)
_COUNTED: Final = _DISKS | {"persistentVolumeClaim", "ephemeral"}


class VolumeUsage:
    """Claims by use, everywhere and by node; pods with disks of their own by node."""

    def __init__(self) -> None:
        self.users: dict[str, int] = {}
        """How many pods use a claim, by its key."""
        self.claims_on: dict[str, dict[str, int]] = {}
        """The same by node."""
        self.disks_on: dict[str, dict[str, PodInfo]] = {}
        """By node, the pods that bring disks with them."""

    def placed(self, pod: PodInfo, node: str) -> None:
        """A pod counts on a node now."""
        if not podclaims.any_of(pod, _COUNTED):
            return
        for key in podclaims.keys(pod):
            _count(self.users, key, 1)
            _count(self.claims_on.setdefault(node, {}), key, 1)
        if podclaims.any_of(pod, _DISKS):
            self.disks_on.setdefault(node, {})[pod.key] = pod

    def removed(self, pod: PodInfo, node: str) -> None:
        """It does not any more."""
        if not podclaims.any_of(pod, _COUNTED):
            return
        for key in podclaims.keys(pod):
            _count(self.users, key, -1)
            _count(self.claims_on[node], key, -1)
        if not self.claims_on.get(node, True):
            del self.claims_on[node]
        if podclaims.any_of(pod, _DISKS):
            del self.disks_on[node][pod.key]
            if not self.disks_on[node]:
                del self.disks_on[node]

    def node_set(self, old: objects.Object | None, node: objects.Object, row: int) -> None:
        """Nothing to count."""

    def node_removed(self, node: objects.Object, row: int) -> None:
        """Its pods went before it."""


def disks(pod: PodInfo) -> list[Mapping[str, Any]]:
    """The volumes of a pod that are disks of DISKS."""
    volumes = pod.spec.get("volumes") or ()
    return [one for one in volumes if not _DISKS.isdisjoint(one)]


def _count(counts: dict[str, int], key: str, more: int) -> None:
    count = counts.get(key, 0) + more
    if count:
        counts[key] = count
    else:
        counts.pop(key, None)
