"""PodTopologySpread: spreads pods over the values of node labels (zones, hosts).

Filters by the constraints that say DoNotSchedule; scores by those that say ScheduleAnyway. Pods
without constraints of their own get the default ones, which know a pod's like by its Services and
its controller.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from cluster.api import objects
from cluster.scheduler.framework.points import MAX_NODE_SCORE, Codes, CycleState, Reads, Scores
from cluster.scheduler.framework.status import SKIP, SUCCESS, Status, unresolvable, unschedulable
from cluster.scheduler.nodes.columns import ABSENT, Mask, Rows
from cluster.scheduler.nodes.podindex import PodIndex
from cluster.scheduler.nodes.podselectors import PodSelector
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.nodes.tallies import DomainSums
from cluster.scheduler.nodes.workloads import Workloads
from cluster.scheduler.plugins import nodeaffinity, podtopologyspreadhints, spreadconstraints
from cluster.scheduler.plugins.spreadconstraints import (
    HOSTNAME,
    SYSTEM_DEFAULTING,
    SYSTEM_DEFAULTS,
    Constraint,
    Constraints,
    PodTopologySpreadArgs,
)
from cluster.scheduler.plugins.tainttoleration import refused
from cluster.scheduler.pods import PodInfo

_DEFAULT: Final = PodTopologySpreadArgs()
_SKEWED, _UNLABELLED = 1, 2
_REASON: Final = "node(s) didn't match pod topology spread constraints"
_VERDICTS: Final = {
    _SKEWED: unschedulable(_REASON),
    _UNLABELLED: unresolvable(f"{_REASON} (missing required label)"),
}
_IGNORED: Final = -1
"""The score of a node that lacks a topology label, until it is normalized."""


@dataclass(slots=True)
class _Spread:
    """Constraints of one kind with the sums of the pods that they count. `itself`: 1 for each
    constraint whose selector matches the pod, else 0; `all_keys`: nodes need all topology labels.
    """

    constraints: Sequence[Constraint]
    sums: Sequence[DomainSums]
    itself: Sequence[int]
    all_keys: bool


class PodTopologySpread:
    """Filters and scores by topology."""

    name = "PodTopologySpread"
    reads = Reads.CLUSTER

    def __init__(
        self, index: PodIndex, workloads: Workloads, args: PodTopologySpreadArgs = _DEFAULT
    ) -> None:
        self.hints = podtopologyspreadhints.hints(self._constraints)
        self._index = index
        self._workloads = workloads
        self._system = args.defaulting_type == SYSTEM_DEFAULTING
        defaults = SYSTEM_DEFAULTS if self._system else args.default_constraints
        self._defaults = msgspec.json.encode(list(defaults)) if defaults else b""
        self._scoring = f"{self.name}/score"

    def sign(self, pod: PodInfo) -> Any:
        """Its constraints, and all that decides what they count."""
        found = self._constraints(pod.object)
        if found is spreadconstraints.NONE:
            return None
        labels, spec = objects.labels(pod.object), pod.spec
        constraints = (*found.hard, *found.soft)
        return [
            found.source,
            objects.namespace(pod.object),
            [one.selector.matches(labels) for one in constraints],
            spec.get("nodeSelector"),
            (spec.get("affinity") or {}).get("nodeAffinity"),
            spec.get("tolerations") if any(one.honor_taints for one in constraints) else None,
        ]

    def pre_filter(
        self, state: CycleState, pod: PodInfo, _nodes: NodeTable
    ) -> tuple[Status, frozenset[str] | None]:
        """Skip for a pod without constraints that must be met."""
        constraints = self._constraints(pod.object).hard
        if not constraints:
            return SKIP, None
        state[self.name] = self._spread(pod, constraints, all_keys=True)
        return SUCCESS, None

    def filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """Whether the first constraint that turned the row down lacks the label, or is skewed."""
        spread: _Spread = state[self.name]
        self._refresh(spread, pod, nodes)
        codes: Codes = np.zeros(len(rows), np.int64)
        for constraint, sums, itself in zip(
            reversed(spread.constraints),
            reversed(spread.sums),
            reversed(spread.itself),
            strict=True,
        ):
            verdicts = np.zeros(len(sums.by_code), np.int64)
            most = _fewest(sums, constraint) + constraint.max_skew - itself
            verdicts[sums.by_code > most] = _SKEWED
            verdicts[ABSENT] = _UNLABELLED
            found = verdicts[sums.codes[rows]]
            codes = np.where(found != 0, found, codes)
        return codes

    def verdict(self, _state: CycleState, _pod: PodInfo, _nodes: NodeTable, code: int) -> Status:
        """The reason."""
        return _VERDICTS[code]

    def pre_score(self, state: CycleState, pod: PodInfo, _nodes: NodeTable) -> Status:
        """Skip for a pod without constraints that are only wished for."""
        constraints = self._constraints(pod.object).soft
        if not constraints:
            return SKIP
        own = bool(pod.spec.get("topologySpreadConstraints"))
        all_keys = own or not self._system
        state[self._scoring] = self._spread(pod, constraints, all_keys=all_keys)
        return SUCCESS

    def score(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores:
        """How many pods there are in the domains of the row, small topologies counting less."""
        spread: _Spread = state[self._scoring]
        self._refresh(spread, pod, nodes)
        codes = [sums.codes[rows] for sums in spread.sums]
        ignored: Mask | None = None
        if spread.all_keys and any(not found.all() for found in codes):
            ignored = np.any([found == ABSENT for found in codes], axis=0)
        total = np.zeros(len(rows), np.float64)
        for constraint, sums, found in zip(spread.constraints, spread.sums, codes, strict=True):
            scored = found if ignored is None else found[~ignored]
            total += _credits(constraint, sums, found, scored, rows)
        scores = np.floor(total + 0.5).astype(np.int64)
        if ignored is not None:
            scores[ignored] = _IGNORED
        return scores

    def normalize(self, scores: Scores) -> Scores:
        """The fewest pods get the most; nodes that were ignored get 0."""
        counted = scores != _IGNORED
        if not counted.any():
            return np.zeros_like(scores)
        known = scores if counted.all() else scores[counted]
        lowest, highest = int(known.min()), int(known.max())
        if highest == 0:
            return np.where(counted, MAX_NODE_SCORE, 0)
        scaled = MAX_NODE_SCORE * (highest + lowest - scores) // highest
        return np.where(counted, scaled, 0)

    def _constraints(self, pod: objects.Object) -> Constraints:
        """The pod's own constraints, or else the default ones."""
        if objects.spec(pod).get("topologySpreadConstraints"):
            return spreadconstraints.of(pod)
        if not self._defaults:
            return spreadconstraints.NONE
        return spreadconstraints.default(self._defaults, self._workloads.selector(pod))

    def _spread(
        self, pod: PodInfo, constraints: Sequence[Constraint], *, all_keys: bool
    ) -> _Spread:
        namespace, labels = objects.namespace(pod.object), objects.labels(pod.object)
        sums = [
            DomainSums(
                self._index.tally((PodSelector((namespace,), one.selector),), deleting=False),
                one.topology_key,
            )
            for one in constraints
        ]
        itself = [int(one.selector.matches(labels)) for one in constraints]
        return _Spread(constraints, sums, itself, all_keys)

    def _refresh(self, spread: _Spread, pod: PodInfo, nodes: NodeTable) -> None:
        version = self._index.node_version
        stale = [sums.stale(nodes, version) for sums in spread.sums]
        if not any(stale):
            return
        labelled = nodes.present.copy()
        if spread.all_keys:
            for sums in spread.sums:
                labelled &= nodes.label(sums.key).codes != ABSENT
        for constraint, sums in zip(spread.constraints, spread.sums, strict=True):
            sums.rebuild(nodes, version, _counted(constraint, pod, nodes, labelled))


def _counted(constraint: Constraint, pod: PodInfo, nodes: NodeTable, labelled: Mask) -> Mask:
    """Which rows' pods count (Kubernetes: node inclusion policies)."""
    counted: Mask = labelled.copy()
    rows = np.flatnonzero(counted)
    if constraint.honor_affinity:
        counted[rows] &= nodeaffinity.required_mask(pod, nodes, rows)
    if constraint.honor_taints:
        counted[rows] &= ~refused(pod, nodes, rows)
    return counted


def _fewest(sums: DomainSums, constraint: Constraint) -> int:
    """How many pods the domain with the fewest has; 0 where there are too few domains."""
    domains = sums.nodes > 0
    if np.count_nonzero(domains) < constraint.min_domains:
        return 0
    return int(sums.by_code[domains].min(initial=np.iinfo(np.int64).max))


def _credits(constraint: Constraint, sums: DomainSums, codes: Any, scored: Any, rows: Rows) -> Any:
    """Each row's pods in its domain, weighted. `scored`: the codes of the rows that count."""
    if constraint.topology_key == HOSTNAME:
        size, pods = len(scored), sums.tally.by_row[rows]
    else:
        size, pods = int(np.count_nonzero(np.bincount(scored))), sums.by_code[codes]
    found = pods * math.log(size + 2) + float(constraint.max_skew - 1)
    return found if codes.all() else np.where(codes != ABSENT, found, 0.0)
