"""TaintToleration: turns down nodes with taints that the pod does not tolerate.

Of the others it prefers those with fewer untolerated PreferNoSchedule taints.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from cluster.api.tolerations import NO_EXECUTE, NO_SCHEDULE, PREFER_NO_SCHEDULE
from cluster.scheduler.framework import events, points
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.framework.points import Codes, CycleState, Reads, Scores
from cluster.scheduler.framework.status import Status, unresolvable
from cluster.scheduler.nodes.columns import Mask, Rows, Taint, taints_of
from cluster.scheduler.nodes.distinct import distinct
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins import tolerations
from cluster.scheduler.plugins.tolerations import Tolerations
from cluster.scheduler.pods import PodInfo

_HARD = (NO_SCHEDULE, NO_EXECUTE)


class TaintToleration:
    """Filters and scores by taints."""

    name = "TaintToleration"
    reads = Reads.NODE

    def __init__(self, *, names_taints: bool = False) -> None:
        self._names_taints = names_taints
        self.hints: dict[Event, events.Hint] = {
            Event.NODE_ADD: _hint_node,
            Event.NODE_TAINTS: _hint_node,
            Event.POD_UPDATE: _hint_pod,
        }

    def sign(self, pod: PodInfo) -> Any:
        """The tolerations."""
        return pod.spec.get("tolerations")

    def filter(self, _state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """0, or the number of the list of taints, one of which is not tolerated."""
        return np.where(refused(pod, nodes, rows), nodes.taints.codes[rows], 0)

    def verdict(self, _state: CycleState, pod: PodInfo, nodes: NodeTable, code: int) -> Status:
        """Names no taint since Kubernetes 1.34; before, the first that is not tolerated."""
        if not self._names_taints:
            return unresolvable("node(s) had untolerated taint(s)")
        taints = nodes.taints.taints(code)
        key, value, _ = tolerations.untolerated(_tolerations(pod), taints, _HARD)[0]
        return unresolvable(f"node(s) had untolerated taint {{{key}: {value}}}")

    def score(self, _state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores:
        """How many PreferNoSchedule taints are not tolerated."""
        soft = [
            one for one in _tolerations(pod) if one.get("effect") in (None, "", PREFER_NO_SCHEDULE)
        ]

        def count(taints: tuple[Taint, ...]) -> int:
            return len(tolerations.untolerated(soft, taints, (PREFER_NO_SCHEDULE,)))

        return _by_list(nodes, nodes.taints.codes[rows], count)

    def normalize(self, scores: Scores) -> Scores:
        """Fewer is better."""
        return points.normalized(scores, reverse=True)


def refused(pod: PodInfo, nodes: NodeTable, rows: Rows) -> Mask:
    """Which rows have a taint that the pod does not tolerate and that keeps it off the node."""
    wanted = _tolerations(pod)

    def judge(taints: tuple[Taint, ...]) -> bool:
        return bool(tolerations.untolerated(wanted, taints, _HARD))

    return np.asarray(_by_list(nodes, nodes.taints.codes[rows], judge) != 0)


def _by_list(nodes: NodeTable, codes: Codes, value: Callable[[tuple[Taint, ...]], int]) -> Codes:
    """`value` of each row's taints, computed once for each distinct list of taints."""
    if not codes.any():
        return np.full(len(codes), value(()), np.int64)
    present = distinct(codes)
    values = np.fromiter((value(nodes.taints.taints(int(code))) for code in present), np.int64)
    return values[np.searchsorted(present, codes)]


def _tolerations(pod: PodInfo) -> Tolerations:
    return pod.spec.get("tolerations") or ()


def _hint_node(pod: PodInfo, occurrence: Occurrence) -> bool:
    """The node is tolerated now, and was not before."""

    def unfit(node: Any) -> bool:
        return bool(tolerations.untolerated(_tolerations(pod), taints_of(node), _HARD))

    before = occurrence.old is None or unfit(occurrence.old)
    return before and not unfit(occurrence.new)


def _hint_pod(pod: PodInfo, occurrence: Occurrence) -> bool:
    old = (occurrence.old.get("spec") or {}).get("tolerations")
    return bool(old != pod.spec.get("tolerations"))
