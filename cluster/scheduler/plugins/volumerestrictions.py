"""VolumeRestrictions: claims for one pod alone, and disks that two pods cannot both write to.

Rules: pkg/scheduler/framework/plugins/volumerestrictions.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from cluster.api import objects
from cluster.api.persistentvolumes import facts
from cluster.scheduler.framework import events, points
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.framework.points import Codes, CycleState, Reads
from cluster.scheduler.framework.status import SKIP, SUCCESS, Status, unschedulable
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins.volumebinding import claim_hint
from cluster.scheduler.pods import PodInfo
from cluster.scheduler.volumes import podclaims, usage

_DISK, _ONE_POD = 1, 2
_REASONS: Final = {
    _DISK: "node(s) had no available disk",
    _ONE_POD: (
        "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access "
        "mode"
    ),
}


class VolumeRestrictions:
    """Filters by what other pods have mounted.

    A claim for one pod alone is in use wherever its pod is: so a pod of any node can be preempted
    for it only where the plugin sees it taken out, which is its own node (as in Kubernetes).
    """

    name = "VolumeRestrictions"
    reads = Reads.CLUSTER

    def __init__(self, cache: Cache, used: usage.VolumeUsage) -> None:
        self._store = cache.volumes
        self._used = used
        self.hints: dict[Event, events.Hint] = {
            Event.ASSIGNED_POD_DELETE: self._pod_hint,
            Event.NODE_ADD: events.always,
            Event.CLAIM_ADD: claim_hint,
        }

    def sign(self, pod: PodInfo) -> Any:
        """Its claims; a pod with disks is like no other."""
        return points.UNIQUE if usage.disks(pod) else podclaims.sign(pod, self._store)

    def pre_filter(
        self, state: CycleState, pod: PodInfo, _nodes: NodeTable
    ) -> tuple[Status, frozenset[str] | None]:
        """Skip for a pod that shares what it has with anybody."""
        alone = [key for key in podclaims.keys(pod) if self._for_one_pod(key)]
        own = usage.disks(pod)
        if not alone and not own:
            return SKIP, None
        state[self.name] = (alone, own)
        return SUCCESS, None

    def filter(self, state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """Which of the reasons holds, the disks' first."""
        alone, own = state[self.name]
        codes: Codes = np.zeros(len(rows), np.int64)
        if any(self._used.users.get(key) for key in alone):
            codes[:] = _ONE_POD
        if own and self._used.disks_on:
            for at, row in enumerate(rows.tolist()):
                pods = self._used.disks_on.get(nodes.name(row), {}).values()
                if any(_conflict(mine, other) for other in pods for mine in own):
                    codes[at] = _DISK
        return codes

    def verdict(self, _state: CycleState, _pod: PodInfo, _nodes: NodeTable, code: int) -> Status:
        """The reason of the code."""
        return unschedulable(_REASONS[code])

    def _for_one_pod(self, key: str) -> bool:
        claim = self._store.claim(key)
        return claim is not None and facts.ONE_POD in facts.access_modes(claim)

    def _pod_hint(self, pod: PodInfo, occurrence: Occurrence) -> bool:
        """The pod that went had one of its claims, or a disk."""
        gone = occurrence.old
        if usage.disks(pod):
            return True
        if objects.namespace(gone) != objects.namespace(pod.object):
            return False
        names = {use.claim for use in facts.uses(gone)}
        return any(use.claim in names for use in facts.uses(pod.object))


def _conflict(mine: Mapping[str, Any], other: PodInfo) -> bool:
    return any(_same_disk(mine, theirs) for theirs in usage.disks(other))


def _same_disk(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both are the same disk, and not both only read it."""
    for kind in usage.DISKS:
        mine, theirs = one.get(kind), other.get(kind)
        if mine is None or theirs is None:
            continue
        reads = kind != "awsElasticBlockStore"
        if reads and mine.get("readOnly") and theirs.get("readOnly"):
            return False
        return _matches(kind, mine, theirs)
    return False


_NAMED_BY: Final = {
    "gcePersistentDisk": ("pdName",),
    "awsElasticBlockStore": ("volumeID",),
    "iscsi": ("iqn",),
    "rbd": ("pool", "image"),
}


def _matches(kind: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    if kind == "rbd" and {*(mine.get("monitors") or ())}.isdisjoint(theirs.get("monitors") or ()):
        return False
    return all(mine.get(field) == theirs.get(field) for field in _NAMED_BY[kind])
