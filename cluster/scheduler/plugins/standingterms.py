"""The affinity terms of the pods on nodes, seen from the pods that they mean.

Terms that say the same are one rule, with the amounts (pods, or weights) by row of those that have
it. Which rules mean a pod is found by the pod's labels; their amounts by topology domain are kept
up to date pod by pod.
"""

from itertools import count

from cluster.api import objects
from cluster.scheduler.nodes.podindex import PodIndex
from cluster.scheduler.nodes.podselectors import PodSelector, QueryIndex
from cluster.scheduler.nodes.tallies import DomainSums, Source, Tally
from cluster.scheduler.plugins import podaffinityterms
from cluster.scheduler.plugins.podaffinityterms import Term, Terms
from cluster.scheduler.pods import PodInfo

_RuleKey = tuple[PodSelector, str]


class Rule(Source):
    """The pods that have one term: a selector and a topology key."""

    __slots__ = ("number", "topology_key")

    def __init__(self, number: int, topology_key: str) -> None:
        super().__init__()
        self.number = number
        self.topology_key = topology_key


class Rules:
    """Rules of one kind. `version` grows when one appears or goes."""

    def __init__(self, index: PodIndex) -> None:
        self.version = 0
        self.index = index
        self._rules: dict[_RuleKey, Rule] = {}
        self._found: QueryIndex[Rule] = QueryIndex(index.namespaces.labels)
        self._numbers = count()

    def add(self, term: Term, row: int, amount: int, pods: int) -> None:
        """Count `pods` (1 or -1) more that have a term, with `amount`, on a row."""
        key = (term.pods, term.topology_key)
        rule = self._rules.get(key)
        if rule is None:
            rule = self._rules[key] = Rule(next(self._numbers), term.topology_key)
            self._found.add(rule.number, (term.pods,), rule)
            self.version += 1
        rule.add(row, amount, pods)
        if not rule.pods:
            del self._rules[key]
            self._found.remove(rule.number, (term.pods,))
            self.version += 1

    def meaning(self, pod: objects.Object) -> list[Rule]:
        """The rules that mean a pod."""
        return self._found.matching(objects.namespace(pod), objects.labels(pod))


class View:
    """The amounts of all rules that mean a pod, by topology key."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._versions = (-1, -1)
        self._numbers: list[int] | None = None
        self._sums: list[DomainSums] = []

    def sums(self, pod: PodInfo) -> list[DomainSums]:
        """One for each topology key. Must be refreshed before use."""
        rules = self._rules
        versions = (rules.version, rules.index.namespaces.version)
        if versions != self._versions:
            self._versions = versions
            self._look(rules.meaning(pod.object))
        return self._sums

    def _look(self, found: list[Rule]) -> None:
        numbers = [rule.number for rule in found]
        if numbers == self._numbers:
            return
        self._numbers = numbers
        by_key: dict[str, list[Source]] = {}
        for rule in found:
            by_key.setdefault(rule.topology_key, []).append(rule)
        capacity = self._rules.index.table.capacity
        self._sums = [DomainSums(Tally(capacity, rules), key) for key, rules in by_key.items()]


class StandingTerms:
    """Listens to the cache. `against`: required anti-affinity, by pods; `wishes`: preferred terms
    and, weighted `hard_weight`, required affinity, by weight.
    """

    def __init__(self, index: PodIndex, hard_weight: int) -> None:
        self.against = Rules(index)
        self.wishes = Rules(index)
        self._index = index
        self._hard_weight = hard_weight

    def placed(self, pod: PodInfo, node: str) -> None:
        """Count its terms."""
        self._count(podaffinityterms.of(pod.object), node, 1)

    def removed(self, pod: PodInfo, node: str) -> None:
        """Count them no more."""
        self._count(podaffinityterms.of(pod.object), node, -1)

    def node_set(self, old: objects.Object | None, node: objects.Object, row: int) -> None:
        """Nothing: the sums follow the node table."""

    def node_removed(self, node: objects.Object, row: int) -> None:
        """Nothing: its pods were removed before."""

    def _count(self, terms: Terms, node: str, pods: int) -> None:
        if terms is podaffinityterms.NONE:
            return
        row = self._index.table.row(node)
        if row is None:
            raise LookupError(f"node {node} is not in the table")
        for term in terms.anti_affinity:
            self.against.add(term, row, pods, pods)
        for term in terms.preferred:
            self.wishes.add(term, row, pods * term.weight, pods)
        if self._hard_weight:
            for term in terms.affinity:
                self.wishes.add(term, row, pods * self._hard_weight, pods)
