"""A slow, plain reading of the documents on pod affinity and topology spread, one node at a time.

It knows objects only, and nothing of the code under test. Sources: the Kubernetes pages "Assigning
Pods to Nodes" and "Pod Topology Spread Constraints", and the API reference of the fields.
"""

import math
from typing import Any

Json = dict[str, Any]
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
SYSTEM = [
    {"topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 3},
    {
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "maxSkew": 5,
    },
]


def _expression(one: Json, labels: Json) -> bool:
    value = labels.get(one["key"])
    return {
        "In": value in (one.get("values") or []),
        "NotIn": value not in (one.get("values") or []),
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[one["operator"]]


def selects(selector: Json | None, labels: Json) -> bool:
    if selector is None:
        return False
    pairs = (selector.get("matchLabels") or {}).items()
    if any(labels.get(key) != value for key, value in pairs):
        return False
    return all(_expression(one, labels) for one in selector.get("matchExpressions") or [])


def _labels(obj: Json) -> Json:
    found: Json = obj["metadata"].get("labels") or {}
    return found


def _affinity(pod: Json, kind: str, strength: str) -> list[Json]:
    found: list[Json] = ((pod["spec"].get("affinity") or {}).get(kind) or {}).get(strength) or []
    return found


class Reference:
    """`nodes` by name; `placed`: pairs of pod and node name, by pod key."""

    def __init__(self) -> None:
        self.nodes: dict[str, Json] = {}
        self.placed: dict[str, tuple[Json, str]] = {}
        self.namespaces: dict[str, Json] = {}
        self.services: dict[str, Json] = {}
        self.replica_sets: dict[str, Json] = {}
        self.hard_weight = 1
        self.ignore_existing = False
        self.defaults: list[Json] = SYSTEM
        self.system = True

    # Who is meant by a term.

    def means(self, owner: Json, term: Json, other: Json) -> bool:
        """Whether a term of the pod `owner` means the pod `other`."""
        namespace = other["metadata"]["namespace"]
        named, chosen = term.get("namespaces") or [], term.get("namespaceSelector")
        if not named and chosen is None:
            named = [owner["metadata"]["namespace"]]
        if namespace not in named and not selects(chosen, self.namespaces.get(namespace, {})):
            return False
        if not selects(term.get("labelSelector"), _labels(other)):
            return False
        own = _labels(owner)
        for key in term.get("matchLabelKeys") or []:
            if key in own and _labels(other).get(key) != own[key]:
                return False
        for key in term.get("mismatchLabelKeys") or []:
            if key in own and _labels(other).get(key) == own[key]:
                return False
        return True

    def _same_domain(self, node: str, other: str, key: str) -> bool:
        mine, its = _labels(self.nodes[node]), _labels(self.nodes[other])
        return key in mine and mine[key] == its.get(key)

    def _there(self) -> list[tuple[Json, str]]:
        return [(pod, node) for pod, node in self.placed.values() if node in self.nodes]

    # InterPodAffinity.

    def affinity_refuses(self, pod: Json, node: str) -> str:
        """The reason, or ""."""
        if not self._near_enough(pod, node):
            return "node(s) didn't match pod affinity rules"
        for term in _affinity(pod, "podAntiAffinity", REQUIRED):
            for other, where in self._there():
                same = self._same_domain(node, where, term["topologyKey"])
                if same and self.means(pod, term, other):
                    return "node(s) didn't match pod anti-affinity rules"
        for other, where in self._there():
            for term in _affinity(other, "podAntiAffinity", REQUIRED):
                same = self._same_domain(node, where, term["topologyKey"])
                if same and self.means(other, term, pod):
                    return "node(s) didn't satisfy existing pods anti-affinity rules"
        return ""

    def _near_enough(self, pod: Json, node: str) -> bool:
        terms = _affinity(pod, "podAffinity", REQUIRED)
        if any(term["topologyKey"] not in _labels(self.nodes[node]) for term in terms):
            return False
        wanted = [
            (other, where)
            for other, where in self._there()
            if terms and all(self.means(pod, term, other) for term in terms)
        ]
        counted = [
            where
            for _, where in wanted
            if any(term["topologyKey"] in _labels(self.nodes[where]) for term in terms)
        ]
        if not counted and all(self.means(pod, term, pod) for term in terms):
            return True
        return all(
            any(self._same_domain(node, where, term["topologyKey"]) for _, where in wanted)
            for term in terms
        )

    def affinity_scores(self, pod: Json, nodes: list[str]) -> dict[str, int]:
        raw = {node: self._affinity_score(pod, node) for node in nodes}
        lowest, highest = min(raw.values()), max(raw.values())
        if lowest == highest:
            return dict.fromkeys(nodes, 0)
        return {node: int(100 * ((one - lowest) / (highest - lowest))) for node, one in raw.items()}

    def _affinity_score(self, pod: Json, node: str) -> int:
        own = [
            (sign * one["weight"], one["podAffinityTerm"])
            for kind, sign in (("podAffinity", 1), ("podAntiAffinity", -1))
            for one in _affinity(pod, kind, PREFERRED)
        ]
        total = 0
        for other, where in self._there():
            for weight, term in own:
                same = self._same_domain(node, where, term["topologyKey"])
                if same and self.means(pod, term, other):
                    total += weight
            if self.ignore_existing and not own:
                continue
            for weight, term in self._wishes(other):
                same = self._same_domain(node, where, term["topologyKey"])
                if same and self.means(other, term, pod):
                    total += weight
        return total

    def _wishes(self, pod: Json) -> list[tuple[int, Json]]:
        found = [(self.hard_weight, term) for term in _affinity(pod, "podAffinity", REQUIRED)]
        for kind, sign in (("podAffinity", 1), ("podAntiAffinity", -1)):
            wished = _affinity(pod, kind, PREFERRED)
            found += [(sign * one["weight"], one["podAffinityTerm"]) for one in wished]
        return found

    # PodTopologySpread.

    def constraints(self, pod: Json, action: str) -> list[Json]:
        own = pod["spec"].get("topologySpreadConstraints") or []
        if own:
            found = own
        else:
            selector = self._default_selector(pod)
            found = [one | {"labelSelector": selector} for one in self.defaults] if selector else []
        return [one for one in found if one["whenUnsatisfiable"] == action]

    def _default_selector(self, pod: Json) -> Json:
        pairs: Json = {}
        for service in self.services.values():
            wanted = service["spec"].get("selector") or {}
            same = service["metadata"]["namespace"] == pod["metadata"]["namespace"]
            if wanted and same and selects({"matchLabels": wanted}, _labels(pod)):
                pairs |= wanted
        expressions: list[Json] = []
        for owner in pod["metadata"].get("ownerReferences") or []:
            found = self.replica_sets.get(f"{pod['metadata']['namespace']}/{owner['name']}")
            if found:
                more = found["spec"]["selector"]
                expressions += more.get("matchExpressions") or []
                for key, value in (more.get("matchLabels") or {}).items():
                    expressions.append({"key": key, "operator": "In", "values": [value]})
        selector: Json = {"matchLabels": pairs} if pairs else {}
        return selector | ({"matchExpressions": expressions} if expressions else {})

    def _counts(self, pod: Json, constraint: Json, other: Json) -> bool:
        if other["metadata"].get("deletionTimestamp"):
            return False
        return self._selected(pod, constraint, other)

    def _selected(self, pod: Json, constraint: Json, other: Json) -> bool:
        if other["metadata"]["namespace"] != pod["metadata"]["namespace"]:
            return False
        if not selects(constraint.get("labelSelector"), _labels(other)):
            return False
        own = _labels(pod)
        return all(
            _labels(other).get(key) == own[key]
            for key in constraint.get("matchLabelKeys") or []
            if key in own
        )

    def allowed(self, pod: Json, node: str) -> bool:
        """By nodeSelector."""
        wanted = pod["spec"].get("nodeSelector") or {}
        return all(_labels(self.nodes[node]).get(key) == value for key, value in wanted.items())

    def tolerated(self, pod: Json, node: str) -> bool:
        """All hard taints; the tolerations of these tests name a key."""
        keys = {one["key"] for one in pod["spec"].get("tolerations") or []}
        taints = self.nodes[node]["spec"].get("taints") or []
        return all(taint["key"] in keys for taint in taints if taint["effect"] == "NoSchedule")

    def _eligible(self, pod: Json, constraint: Json, keys: list[str]) -> list[str]:
        return [
            node
            for node in self.nodes
            if all(key in _labels(self.nodes[node]) for key in keys)
            and (constraint.get("nodeAffinityPolicy") == "Ignore" or self.allowed(pod, node))
            and (constraint.get("nodeTaintsPolicy") != "Honor" or self.tolerated(pod, node))
        ]

    def _domains(self, pod: Json, constraint: Json, keys: list[str]) -> dict[str, int]:
        """Pods by value of the constraint's label, over nodes that count."""
        counts: dict[str, int] = {}
        for node in self._eligible(pod, constraint, keys):
            value = _labels(self.nodes[node]).get(constraint["topologyKey"])
            if value is None:
                continue
            here = [other for other, where in self._there() if where == node]
            matching = sum(self._counts(pod, constraint, other) for other in here)
            counts[value] = counts.get(value, 0) + matching
        return counts

    def spread_refuses(self, pod: Json, node: str) -> str:
        """The reason, or ""."""
        found = self.constraints(pod, "DoNotSchedule")
        keys = [one["topologyKey"] for one in found]
        for constraint in found:
            value = _labels(self.nodes[node]).get(constraint["topologyKey"])
            reason = "node(s) didn't match pod topology spread constraints"
            if value is None:
                return f"{reason} (missing required label)"
            domains = self._domains(pod, constraint, keys)
            fewest = min(domains.values(), default=0)
            if len(domains) < (constraint.get("minDomains") or 1):
                fewest = 0
            itself = self._selected(pod, constraint, pod)
            if domains.get(value, 0) + itself - fewest > constraint["maxSkew"]:
                return reason
        return ""

    def spread_scores(self, pod: Json, nodes: list[str]) -> dict[str, int] | None:
        """None where nothing is wished for."""
        found = self.constraints(pod, "ScheduleAnyway")
        if not found:
            return None
        own = bool(pod["spec"].get("topologySpreadConstraints"))
        keys = [one["topologyKey"] for one in found] if own or not self.system else []
        scored = [node for node in nodes if all(key in _labels(self.nodes[node]) for key in keys)]
        raw = {node: self._spread_score(pod, found, keys, scored, node) for node in scored}
        scores = dict.fromkeys(nodes, 0)
        if not raw:
            return scores
        lowest, highest = min(raw.values()), max(raw.values())
        for node, one in raw.items():
            scores[node] = 100 * (highest + lowest - one) // highest if highest else 100
        return scores

    def _spread_score(
        self, pod: Json, found: list[Json], keys: list[str], scored: list[str], node: str
    ) -> int:
        total = 0.0
        for constraint in found:
            key = constraint["topologyKey"]
            value = _labels(self.nodes[node]).get(key)
            if value is None:
                continue
            if key == "kubernetes.io/hostname":
                size = len(scored)
                here = [other for other, where in self._there() if where == node]
                pods = sum(self._counts(pod, constraint, other) for other in here)
            else:
                size = len({_labels(self.nodes[other]).get(key) for other in scored})
                pods = self._domains(pod, constraint, keys).get(value, 0)
            total += pods * math.log(size + 2) + (constraint["maxSkew"] - 1)
        return math.floor(total + 0.5)
