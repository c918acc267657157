"""NodeAffinity: nodeSelector, required node affinity (filter) and preferred (score)."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from cluster.api import nodeselectors
from cluster.api.nodeselectors import ANY_NODE, REQUIRED, Required, Term
from cluster.scheduler.framework import events, points
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.framework.points import Codes, CycleState, Reads, Scores
from cluster.scheduler.framework.status import SKIP, SUCCESS, Status, unresolvable
from cluster.scheduler.nodes.columns import Mask, Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins import nodeselector
from cluster.scheduler.plugins.args import NodeAffinityArgs
from cluster.scheduler.pods import PodInfo

_CONFLICT = "pod affinity terms conflict"
_NO_MATCH = "node(s) didn't match Pod's node affinity/selector"
_ENFORCED = "node(s) didn't match scheduler-enforced node affinity"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


class NodeAffinity:
    """Filters and scores by node labels; the profile may add an affinity of its own to all pods."""

    name = "NodeAffinity"
    reads = Reads.NODE

    def __init__(self, args: NodeAffinityArgs | None = None) -> None:
        added = (args or NodeAffinityArgs()).added_affinity or {}
        self._added = Required(None, nodeselectors.terms(added.get(REQUIRED)))
        self._added_preferred = _weighted(added.get(_PREFERRED))
        self.hints: dict[Event, events.Hint] = {
            Event.NODE_ADD: self._hint_node,
            Event.NODE_LABELS: self._hint_node,
            Event.POD_UPDATE: _hint_pod,
        }
        self._preferred = f"{self.name}/preferred"

    def sign(self, pod: PodInfo) -> Any:
        """nodeSelector and node affinity."""
        return [pod.spec.get("nodeSelector"), _node_affinity(pod)]

    def pre_filter(
        self, state: CycleState, pod: PodInfo, _nodes: NodeTable
    ) -> tuple[Status, frozenset[str] | None]:
        """Skip for a pod that requires nothing; the names where it requires certain nodes."""
        required = _required(pod)
        if required == ANY_NODE and self._added == ANY_NODE:
            return SKIP, None
        names = required.names()
        if names is not None and not names:
            return unresolvable(_CONFLICT), None
        state[self.name] = required
        return SUCCESS, names

    def filter(self, state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """1 for a node that does not match, 2 where it is the profile that asks for another."""
        required: Required = state[self.name]
        codes = np.asarray(~nodeselector.required_mask(required, nodes, rows), np.int64)
        if self._added != ANY_NODE:
            codes[~nodeselector.required_mask(self._added, nodes, rows)] = 2
        return codes

    def verdict(self, _state: CycleState, _pod: PodInfo, _nodes: NodeTable, code: int) -> Status:
        """The reason."""
        return unresolvable(_NO_MATCH if code == 1 else _ENFORCED)

    def pre_score(self, state: CycleState, pod: PodInfo, _nodes: NodeTable) -> Status:
        """Skip for a pod that prefers nothing."""
        terms = [*self._added_preferred, *_weighted(_node_affinity(pod).get(_PREFERRED))]
        if not terms:
            return SKIP
        state[self._preferred] = terms
        return SUCCESS

    def score(self, state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores:
        """The sum of the weights of the preferred terms that match."""
        total = np.zeros(len(rows), np.int64)
        for weight, one in state[self._preferred]:
            total += weight * nodeselector.mask(one, nodes, rows)
        return total

    def normalize(self, scores: Scores) -> Scores:
        """More is better."""
        return points.normalized(scores)

    def _hint_node(self, pod: PodInfo, occurrence: Occurrence) -> bool:
        """The node matches now, and did not before."""
        required = _required(pod)

        def matches(node: Any) -> bool:
            return required.matches(node) and self._added.matches(node)

        if not matches(occurrence.new):
            return False
        return occurrence.old is None or not matches(occurrence.old)


def required_mask(pod: PodInfo, nodes: NodeTable, rows: Rows) -> Mask:
    """Which rows the pod's nodeSelector and required node affinity allow."""
    return nodeselector.required_mask(_required(pod), nodes, rows)


def _node_affinity(pod: PodInfo) -> Mapping[str, Any]:
    return nodeselectors.node_affinity(pod.spec)


def _weighted(preferred: Iterable[Mapping[str, Any]] | None) -> list[tuple[int, Term]]:
    return [
        (one.get("weight") or 0, nodeselectors.term(one.get("preference") or {}))
        for one in preferred or ()
    ]


def _required(pod: PodInfo) -> Required:
    return nodeselectors.required(pod.spec)


def _hint_pod(pod: PodInfo, occurrence: Occurrence) -> bool:
    old = occurrence.old.get("spec") or {}
    return bool(
        old.get("nodeSelector") != pod.spec.get("nodeSelector")
        or old.get("affinity") != pod.spec.get("affinity")
    )
