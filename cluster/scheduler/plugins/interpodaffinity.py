"""InterPodAffinity: near or far from other pods, as the pod or those that are there ask.

Filters by required terms: those of the pod, and the anti-affinity of the pods on nodes. Scores by
preferred terms of both sides, and by the required affinity of the pods on nodes.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from cluster.api import objects
from cluster.scheduler.framework.points import MAX_NODE_SCORE, Codes, CycleState, Reads, Scores
from cluster.scheduler.framework.status import SKIP, SUCCESS, Status, unresolvable, unschedulable
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.podindex import PodIndex
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.nodes.tallies import DomainSums, Tally
from cluster.scheduler.plugins import interpodaffinityhints, podaffinityterms
from cluster.scheduler.plugins.podaffinityterms import Term, Terms
from cluster.scheduler.plugins.standingterms import StandingTerms, View
from cluster.scheduler.pods import PodInfo

_MAX_HARD_POD_AFFINITY_WEIGHT: Final = 100

_AFFINITY, _ANTI_AFFINITY, _EXISTING = 1, 2, 3
_VERDICTS: Final = {
    _AFFINITY: unresolvable("node(s) didn't match pod affinity rules"),
    _ANTI_AFFINITY: unschedulable("node(s) didn't match pod anti-affinity rules"),
    _EXISTING: unschedulable("node(s) didn't satisfy existing pods anti-affinity rules"),
}


@dataclass(frozen=True, slots=True)
class InterPodAffinityArgs:
    """`hard_pod_affinity_weight` (0 to 100): the weight of the required affinity of pods on nodes
    as a wish to have others near. The wishes of pods on nodes are passed over for pods without any
    of their own where `ignore_preferred_terms_of_existing_pods` says so. ValueError.
    """

    hard_pod_affinity_weight: int = 1
    ignore_preferred_terms_of_existing_pods: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.hard_pod_affinity_weight <= _MAX_HARD_POD_AFFINITY_WEIGHT:
            raise ValueError(
                f"hardPodAffinityWeight: Invalid value: {self.hard_pod_affinity_weight}: "
                f"not in valid range [0-{_MAX_HARD_POD_AFFINITY_WEIGHT}]"
            )


_DEFAULT: Final = InterPodAffinityArgs()


@dataclass(slots=True)
class _Required:
    """What the filter goes by. `near` counts the pods that match all affinity terms, by each
    term's topology key; `may_be_first`: the pod itself matches them all.
    """

    near: list[DomainSums]
    may_be_first: bool
    far: list[DomainSums]
    existing: View


@dataclass(slots=True)
class _Preferred:
    own: list[tuple[int, DomainSums]]
    existing: View | None


class InterPodAffinity:
    """Filters and scores by the pods on nodes."""

    name = "InterPodAffinity"
    reads = Reads.CLUSTER

    def __init__(
        self, cache: Cache, index: PodIndex, args: InterPodAffinityArgs = _DEFAULT
    ) -> None:
        self.hints = interpodaffinityhints.hints(index.namespaces)
        self._index = index
        self._ignore_existing = args.ignore_preferred_terms_of_existing_pods
        self._standing = StandingTerms(index, args.hard_pod_affinity_weight)
        self._preferring = f"{self.name}/preferred"
        cache.listen(self._standing)

    def sign(self, pod: PodInfo) -> Any:
        """Its terms, and the rules of others that mean it: not its labels, which may be its own."""
        terms = podaffinityterms.of(pod.object)
        against = [rule.number for rule in self._standing.against.meaning(pod.object)]
        wishes = [rule.number for rule in self._standing.wishes.meaning(pod.object)]
        if terms is podaffinityterms.NONE and not against and not wishes:
            return None
        first = self._may_be_first(pod, terms)
        version = self._index.namespaces.version if terms.namespaces_by_label else 0
        return [terms.source, first, sorted(against), sorted(wishes), version]

    def pre_filter(
        self, state: CycleState, pod: PodInfo, _nodes: NodeTable
    ) -> tuple[Status, frozenset[str] | None]:
        """Skip for a pod that requires nothing, and is turned away by nobody."""
        terms = podaffinityterms.of(pod.object)
        existing = View(self._standing.against)
        if not (terms.affinity or terms.anti_affinity or existing.sums(pod)):
            return SKIP, None
        near: list[DomainSums] = []
        if terms.affinity:
            tally = self._index.tally(tuple(term.pods for term in terms.affinity))
            near = [DomainSums(tally, term.topology_key) for term in terms.affinity]
        far = [DomainSums(self._tally(term), term.topology_key) for term in terms.anti_affinity]
        state[self.name] = _Required(near, self._may_be_first(pod, terms), far, existing)
        return SUCCESS, None

    def filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """Which rule turned the row down first."""
        required: _Required = state[self.name]
        codes: Codes = np.zeros(len(rows), np.int64)
        self._keep_away(required.existing.sums(pod), nodes, rows, codes, _EXISTING)
        self._keep_away(required.far, nodes, rows, codes, _ANTI_AFFINITY)
        if required.near:
            codes[~self._near(required, nodes, rows)] = _AFFINITY
        return codes

    def verdict(self, _state: CycleState, _pod: PodInfo, _nodes: NodeTable, code: int) -> Status:
        """The reason of the rule."""
        return _VERDICTS[code]

    def pre_score(self, state: CycleState, pod: PodInfo, _nodes: NodeTable) -> Status:
        """Skip where neither side prefers anything."""
        preferred = podaffinityterms.of(pod.object).preferred
        if self._ignore_existing and not preferred:
            return SKIP
        existing = View(self._standing.wishes)
        if not preferred and not existing.sums(pod):
            return SKIP
        own = [
            (term.weight, DomainSums(self._tally(term), term.topology_key)) for term in preferred
        ]
        state[self._preferring] = _Preferred(own, existing)
        return SUCCESS

    def score(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores:
        """The sum of the weights of the terms, times the pods that they mean in the domain."""
        preferring: _Preferred = state[self._preferring]
        total: Scores = np.zeros(len(rows), np.int64)
        by_key: dict[str, Scores] = {}
        last: dict[str, DomainSums] = {}
        wished = (
            [(1, sums) for sums in preferring.existing.sums(pod)] if preferring.existing else []
        )
        for weight, sums in (*preferring.own, *wished):
            self._refresh(sums, nodes)
            known = by_key.get(sums.key, 0)
            by_key[sums.key] = known + weight * sums.by_code
            last[sums.key] = sums
        for key, by_code in by_key.items():
            if by_code.any():
                total += by_code[last[key].codes[rows]]
        return total

    def normalize(self, scores: Scores) -> Scores:
        """The lowest becomes 0, the highest the maximum; all 0 where they are the same."""
        if not len(scores):
            return scores
        lowest, highest = int(scores.min()), int(scores.max())
        if lowest == highest:
            return np.zeros_like(scores)
        scaled = MAX_NODE_SCORE * ((scores - lowest) / float(highest - lowest))
        return scaled.astype(np.int64)

    def _near(self, required: _Required, nodes: NodeTable, rows: Rows) -> Any:
        """Which rows have all topology labels, and pods of all terms in these domains.

        Where no such pod is anywhere and the pod matches its own terms, the labels are enough: it
        may be the first of its group.
        """
        for sums in required.near:
            self._refresh(sums, nodes)
        first = required.may_be_first and not any(sums.by_code.any() for sums in required.near)
        good = np.ones(len(rows), np.bool_)
        for sums in required.near:
            codes = sums.codes[rows]
            good &= codes != 0 if first else (sums.by_code > 0)[codes]
        return good

    def _keep_away(
        self, far: list[DomainSums], nodes: NodeTable, rows: Rows, codes: Codes, code: int
    ) -> None:
        for sums in far:
            self._refresh(sums, nodes)
            taken = sums.by_code > 0
            if taken.any():
                codes[taken[sums.codes[rows]]] = code

    def _refresh(self, sums: DomainSums, nodes: NodeTable) -> None:
        version = self._index.node_version
        if sums.stale(nodes, version):
            sums.rebuild(nodes, version)

    def _tally(self, term: Term) -> Tally:
        return self._index.tally((term.pods,))

    def _may_be_first(self, pod: PodInfo, terms: Terms) -> bool:
        labels_of = self._index.namespaces.labels
        namespace, labels = objects.namespace(pod.object), objects.labels(pod.object)
        return terms.means_itself(namespace, labels, labels_of)
