"""NodeVolumeLimits: a node takes no more volumes of a CSI driver than its CSINode says.

Rules: pkg/scheduler/framework/plugins/nodevolumelimits. Volumes of drivers that were built into
Kubernetes once are not translated to CSI.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts
from cluster.scheduler.framework import events
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.framework.points import Codes, CycleState, Reads
from cluster.scheduler.framework.status import SKIP, SUCCESS, Status, unschedulable
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins.volumebinding import claim_hint
from cluster.scheduler.pods import PodInfo
from cluster.scheduler.volumes import podclaims, usage
from cluster.scheduler.volumes.store import VOLUMES, limits_of

_TOO_MANY: Final = "node(s) exceed max volume count"

Attached = dict[str, set[str]]
"""Handles of volumes by driver."""


class NodeVolumeLimits:
    """Filters by the number of CSI volumes."""

    name = "NodeVolumeLimits"
    reads = Reads.USAGE

    def __init__(self, cache: Cache, used: usage.VolumeUsage) -> None:
        self._store = cache.volumes
        self._used = used
        self.hints: dict[Event, events.Hint] = {
            Event.CSI_NODE_ADD: events.always,
            Event.CSI_NODE_UPDATE: _node_hint,
            Event.ASSIGNED_POD_DELETE: _pod_hint,
            Event.CLAIM_ADD: claim_hint,
            Event.CLAIM_UPDATE: claim_hint,
        }

    def sign(self, pod: PodInfo) -> Any:
        """Its claims."""
        return podclaims.sign(pod, self._store)

    def pre_filter(
        self, state: CycleState, pod: PodInfo, _nodes: NodeTable
    ) -> tuple[Status, frozenset[str] | None]:
        """Skip for a pod without volumes of a driver that has limits anywhere."""
        found = self._volumes(podclaims.keys(pod))
        wanted = {driver: own for driver, own in found.items() if driver in self._store.limits}
        if not wanted:
            return SKIP, None
        state[self.name] = wanted
        return SUCCESS, None

    def filter(self, state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """1 for a node with too many."""
        wanted: Attached = state[self.name]
        full = np.zeros(nodes.capacity, np.int64)
        for driver, handles in wanted.items():
            for name, limit in self._store.limits.get(driver, {}).items():
                row = nodes.row(name)
                if row is not None and not full[row]:
                    full[row] = self._exceeds(driver, handles, name, limit)
        return full[rows]

    def verdict(self, _state: CycleState, _pod: PodInfo, _nodes: NodeTable, _code: int) -> Status:
        """The one reason."""
        return unschedulable(_TOO_MANY)

    def _exceeds(self, driver: str, handles: set[str], node: str, limit: int) -> bool:
        there = self._volumes(self._used.claims_on.get(node, {})).get(driver, set())
        return bool(handles - there) and len(handles | there) > limit

    def _volumes(self, claims: Iterable[str]) -> Attached:
        """The CSI volumes of claims; one that is to be made counts for its claim."""
        found: Attached = {}
        for key in claims:
            claim = self._store.claim(key)
            driver, handle = ("", "") if claim is None else self._volume(claim, key)
            if driver:
                found.setdefault(driver, set()).add(handle)
        return found

    def _volume(self, claim: Object, key: str) -> tuple[str, str]:
        name = objects.spec(claim).get("volumeName")
        if not name:
            kind = self._store.storage_class(facts.class_of(claim)) or {}
            return kind.get("provisioner") or "", f"claim/{key}"
        volume = self._store.stored(VOLUMES, name)
        source = objects.spec(volume).get("csi") if volume is not None else None
        return (source["driver"], source["volumeHandle"]) if source else ("", "")


def _node_hint(_pod: PodInfo, occurrence: Occurrence) -> bool:
    """A driver can have more volumes than before."""
    before, after = limits_of(occurrence.old), limits_of(occurrence.new)
    return any(driver not in after or after[driver] > before[driver] for driver in before)


def _pod_hint(_pod: PodInfo, occurrence: Occurrence) -> bool:
    """The pod that went had claims."""
    return next(facts.uses(occurrence.old), None) is not None
