"""NodeAffinity: nodeSelector, required node affinity (filter) and preferred (score)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cluster.scheduler.framework import events, points
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.framework.points import Codes, CycleState, Reads, Scores
from cluster.scheduler.framework.status import SKIP, SUCCESS, Status, unresolvable
from cluster.scheduler.nodes.columns import Mask, Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.plugins import nodeselector
from cluster.scheduler.plugins.nodeselector import Term
from cluster.scheduler.pods import PodInfo

_CONFLICT = "pod affinity terms conflict"
_NO_MATCH = "node(s) didn't match Pod's node affinity/selector"


@dataclass(frozen=True, slots=True)
class _Required:
    """What a node must be: all of `selector`, and any of `terms` (None: anything)."""

    selector: Term | None
    terms: tuple[Term, ...] | None

    def matches(self, node: Any) -> bool:
        if self.selector is not None and not self.selector.matches(node):
            return False
        return self.terms is None or any(one.matches(node) for one in self.terms)

    def mask(self, nodes: NodeTable, rows: Rows) -> Mask:
        """Which of the rows match."""
        good: Mask = np.ones(len(rows), np.bool_)
        if self.selector is not None:
            good &= self.selector.mask(nodes, rows)
        if self.terms is not None:
            any_term = np.zeros(len(rows), np.bool_)
            for one in self.terms:
                any_term |= one.mask(nodes, rows)
            good &= any_term
        return good

    def names(self) -> frozenset[str] | None:
        """The only nodes that can match, where every term names nodes."""
        if not self.terms:
            return None
        found: frozenset[str] = frozenset()
        for one in self.terms:
            names = one.names()
            if names is None:
                return None
            found |= names
        return found


class NodeAffinity:
    """Filters and scores by node labels."""

    name = "NodeAffinity"
    reads = Reads.NODE

    def __init__(self) -> None:
        self.hints: dict[Event, events.Hint] = {
            Event.NODE_ADD: _hint_node,
            Event.NODE_LABELS: _hint_node,
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
        if required.selector is None and required.terms is None:
            return SKIP, None
        names = required.names()
        if names is not None and not names:
            return unresolvable(_CONFLICT), None
        state[self.name] = required
        return SUCCESS, names

    def filter(self, state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """1 for a node that does not match."""
        required: _Required = state[self.name]
        good = required.mask(nodes, rows)
        return np.asarray(~good, np.int64)

    def verdict(self, _state: CycleState, _pod: PodInfo, _nodes: NodeTable, _code: int) -> Status:
        """The one reason."""
        return unresolvable(_NO_MATCH)

    def pre_score(self, state: CycleState, pod: PodInfo, _nodes: NodeTable) -> Status:
        """Skip for a pod that prefers nothing."""
        terms = [
            (one.get("weight") or 0, nodeselector.term(one.get("preference") or {}))
            for one in _node_affinity(pod).get("preferredDuringSchedulingIgnoredDuringExecution")
            or ()
        ]
        if not terms:
            return SKIP
        state[self._preferred] = terms
        return SUCCESS

    def score(self, state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores:
        """The sum of the weights of the preferred terms that match."""
        total = np.zeros(len(rows), np.int64)
        for weight, one in state[self._preferred]:
            total += weight * one.mask(nodes, rows)
        return total

    def normalize(self, scores: Scores) -> Scores:
        """More is better."""
        return points.normalized(scores)


def required_mask(pod: PodInfo, nodes: NodeTable, rows: Rows) -> Mask:
    """Which rows the pod's nodeSelector and required node affinity allow."""
    return _required(pod).mask(nodes, rows)


def _node_affinity(pod: PodInfo) -> dict[str, Any]:
    return (pod.spec.get("affinity") or {}).get("nodeAffinity") or {}


def _required(pod: PodInfo) -> _Required:
    selector = pod.spec.get("nodeSelector")
    required = _node_affinity(pod).get("requiredDuringSchedulingIgnoredDuringExecution")
    terms = None
    if required is not None:
        found = required.get("nodeSelectorTerms") or ()
        terms = tuple(nodeselector.term(one) for one in found)
    return _Required(nodeselector.labels_term(selector) if selector else None, terms)


def _hint_node(pod: PodInfo, occurrence: Occurrence) -> bool:
    """The node matches now, and did not before."""
    required = _required(pod)
    if not required.matches(occurrence.new):
        return False
    return occurrence.old is None or not required.matches(occurrence.old)


def _hint_pod(pod: PodInfo, occurrence: Occurrence) -> bool:
    old = occurrence.old.get("spec") or {}
    return bool(
        old.get("nodeSelector") != pod.spec.get("nodeSelector")
        or old.get("affinity") != pod.spec.get("affinity")
    )
