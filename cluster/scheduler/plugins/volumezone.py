"""VolumeZone: volumes that name their zone or region are used there alone.

Rules: pkg/scheduler/framework/plugins/volumezone. A node that names no zone at all passes.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from cluster.api import objects
from cluster.api.persistentvolumes import facts
from cluster.scheduler.framework import events
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.framework.points import Codes, CycleState, Reads
from cluster.scheduler.framework.status import SKIP, SUCCESS, Status, unresolvable
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.columns import ABSENT, Mask, Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins.volumebinding import claim_hint
from cluster.scheduler.pods import PodInfo
from cluster.scheduler.volumes import podclaims

ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
_NEWER: Final = {
    "failure-domain.beta.kubernetes.io/zone": ZONE,
    "failure-domain.beta.kubernetes.io/region": REGION,
}
_LABELS: Final = (*_NEWER, ZONE, REGION)
_BETWEEN: Final = "__"
_NO_ZONE: Final = "node(s) had no available volume zone"


@dataclass(frozen=True, slots=True)
class Topology:
    """A label of a volume, with the values that it allows."""

    label: str
    values: tuple[str, ...]


class VolumeZone:
    """Filters by the zones of volumes."""

    name = "VolumeZone"
    reads = Reads.USAGE

    def __init__(self, cache: Cache) -> None:
        self._store = cache.volumes
        self.hints: dict[Event, events.Hint] = {
            Event.CLAIM_ADD: claim_hint,
            Event.CLAIM_UPDATE: claim_hint,
            Event.VOLUME_ADD: events.always,
            Event.VOLUME_UPDATE: _volume_hint,
            Event.STORAGE_CLASS_ADD: _class_hint,
            Event.NODE_ADD: events.always,
            Event.NODE_LABELS: events.always,
        }

    def sign(self, pod: PodInfo) -> Any:
        """Its claims."""
        return podclaims.sign(pod, self._store)

    def pre_filter(
        self, state: CycleState, pod: PodInfo, _nodes: NodeTable
    ) -> tuple[Status, frozenset[str] | None]:
        """Skip where no volume names a zone."""
        found: list[Topology] = []
        for key in podclaims.keys(pod):
            claim = self._store.claim(key)
            if claim is None:
                continue  # VolumeBinding says it
            volume = self._store.volumes.get(objects.spec(claim).get("volumeName") or "")
            if volume is not None:
                found += topologies(volume)
        if not found:
            return SKIP, None
        state[self.name] = found
        return SUCCESS, None

    def filter(self, state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """1 for a node in another zone."""
        zoned: Mask = np.zeros(len(rows), np.bool_)
        for label in _LABELS:
            zoned |= nodes.label(label).codes[rows] != ABSENT
        good: Mask = np.ones(len(rows), np.bool_)
        for topology in state[self.name]:
            good &= _within(topology, nodes, rows)
        return np.asarray(zoned & ~good, np.int64)

    def verdict(self, _state: CycleState, _pod: PodInfo, _nodes: NodeTable, _code: int) -> Status:
        """The one reason."""
        return unresolvable(_NO_ZONE)


def topologies(volume: objects.Object) -> list[Topology]:
    """Where the labels of a volume say that it is; a value may name several zones."""
    labels = objects.labels(volume)
    return [
        Topology(label, tuple(labels[label].split(_BETWEEN)))
        for label in _LABELS
        if all(labels.get(label, "").split(_BETWEEN))
    ]


def _within(topology: Topology, nodes: NodeTable, rows: Rows) -> Mask:
    """The nodes with the label, or its newer name, and an allowed value."""
    column = nodes.label(topology.label)
    codes = column.codes[rows]
    found: Mask = np.isin(codes, [column.code(value) for value in topology.values])
    newer = _NEWER.get(topology.label)
    if newer is None:
        return found
    without = codes == ABSENT
    column = nodes.label(newer)
    same: Mask = np.isin(column.codes[rows], [column.code(value) for value in topology.values])
    both: Mask = found | (without & same)
    return both


def _volume_hint(_pod: PodInfo, occurrence: Occurrence) -> bool:
    return topologies(occurrence.old) != topologies(occurrence.new)


def _class_hint(_pod: PodInfo, occurrence: Occurrence) -> bool:
    return bool(occurrence.new.get("volumeBindingMode") == facts.WAIT)
