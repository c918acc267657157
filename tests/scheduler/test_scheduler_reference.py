"""The columns against a plain reading of Kubernetes' rules, one node at a time."""

import random
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from scheduling import node, pod, scheduler

from cluster.api import podrequests
from cluster.scheduler import core, pods
from cluster.scheduler.nodes.cache import Cache

Json = dict[str, Any]

CPU = ["0", "100m", "500m", "1", "1500m", "2"]
MEMORY = ["64Mi", "100Mi", "512Mi", "1Gi", "3Gi"]
TAINTS = [
    {"key": "a", "value": "1", "effect": "NoSchedule"},
    {"key": "a", "value": "2", "effect": "NoExecute"},
    {"key": "b", "effect": "PreferNoSchedule"},
    {"key": "c", "value": "1", "effect": "PreferNoSchedule"},
]
TOLERATIONS = [
    {"key": "a", "operator": "Exists"},
    {"key": "a", "value": "1"},
    {"key": "b", "operator": "Exists", "effect": "PreferNoSchedule"},
    {"key": "c", "value": "1", "effect": "NoSchedule"},
    {"operator": "Exists"},
]
EXPRESSIONS = [
    {"key": "zone", "operator": "In", "values": ["x", "y"]},
    {"key": "zone", "operator": "NotIn", "values": ["x"]},
    {"key": "disk", "operator": "Exists"},
    {"key": "disk", "operator": "DoesNotExist"},
    {"key": "rank", "operator": "Gt", "values": ["3"]},
    {"key": "rank", "operator": "Lt", "values": ["3"]},
]

labels = st.fixed_dictionaries(
    {},
    optional={
        "zone": st.sampled_from(["x", "y", "z"]),
        "disk": st.just("ssd"),
        "rank": st.sampled_from(["1", "3", "5", "old"]),
    },
)
nodes = st.builds(
    lambda cpu, memory, count, taints, found, cordoned: {
        "cpu": cpu, "memory": memory, "pods": count, "taints": taints, "labels": found,
        "unschedulable": cordoned,
    },
    st.sampled_from(["0", "1", "2", "4"]), st.sampled_from(["0", "1Gi", "2Gi", "4Gi"]),
    st.sampled_from(["1", "3", "110"]), st.lists(st.sampled_from(TAINTS), max_size=2), labels,
    st.booleans(),
)  # fmt: skip
terms = st.builds(
    lambda found: {"matchExpressions": found}, st.lists(st.sampled_from(EXPRESSIONS), max_size=2)
)
affinities = st.fixed_dictionaries(
    {},
    optional={
        "requiredDuringSchedulingIgnoredDuringExecution": st.builds(
            lambda found: {"nodeSelectorTerms": found}, st.lists(terms, min_size=1, max_size=2)
        ),
        "preferredDuringSchedulingIgnoredDuringExecution": st.lists(
            st.builds(
                lambda weight, term: {"weight": weight, "preference": term},
                st.integers(1, 100),
                terms,
            ),
            max_size=2,
        ),
    },
)
wanted = st.fixed_dictionaries(
    {},
    optional={
        "cpu": st.sampled_from(CPU),
        "memory": st.sampled_from(MEMORY),
        "tolerations": st.lists(st.sampled_from(TOLERATIONS), max_size=2),
        "nodeSelector": st.sampled_from([{"disk": "ssd"}, {"zone": "x"}]),
        "affinity": st.builds(lambda one: {"nodeAffinity": one}, affinities),
    },
)


# The reference. It reads objects, not columns, and knows nothing of the code under test but the
# requests of a pod (which have tests of their own).


def _tolerates(tolerations: list[Json], taint: Json) -> bool:
    for one in tolerations:
        if one.get("effect", "") not in ("", taint["effect"]):
            continue
        if one.get("key", "") not in ("", taint["key"]):
            continue
        if one.get("operator") == "Exists" or one.get("value", "") == taint.get("value", ""):
            return True
    return False


def _expression(one: Json, found: dict[str, str]) -> bool:
    value = found.get(one["key"])
    if one["operator"] == "In":
        return value in one["values"]
    if one["operator"] == "NotIn":
        return value not in one["values"]
    if one["operator"] == "Exists":
        return value is not None
    if one["operator"] == "DoesNotExist":
        return value is None
    if value is None or not value.isdigit():
        return False
    bound = int(one["values"][0])
    return int(value) > bound if one["operator"] == "Gt" else int(value) < bound


def _term(term: Json, found: dict[str, str]) -> bool:
    expressions = term.get("matchExpressions") or []
    return bool(expressions) and all(_expression(one, found) for one in expressions)


class Reference:
    def __init__(self) -> None:
        self.nodes: dict[str, Json] = {}
        self.pods: dict[str, list[pods.PodInfo]] = {}

    def _free(self, name: str, resource: str) -> int:
        text = self.nodes[name]["status"]["allocatable"].get(resource, "0")
        return int(podrequests.amount(resource, text)) - self._used(name, resource)

    def _used(self, name: str, resource: str) -> int:
        here = self.pods.get(name, [])
        if resource == "pods":
            return len(here)
        return sum(dict(one.requests.amounts).get(resource, 0) for one in here)

    def fits(self, one: pods.PodInfo, name: str) -> bool:
        there, spec = self.nodes[name], one.spec
        tolerations = spec.get("tolerations", [])
        cordon = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
        if there["spec"].get("unschedulable") and not _tolerates(tolerations, cordon):
            return False
        hard = [t for t in there["spec"].get("taints", []) if t["effect"] != "PreferNoSchedule"]
        if not all(_tolerates(tolerations, taint) for taint in hard):
            return False
        found = there["metadata"]["labels"]
        if any(found.get(key) != value for key, value in spec.get("nodeSelector", {}).items()):
            return False
        affinity = spec.get("affinity", {}).get("nodeAffinity", {})
        required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
        if required and not any(_term(term, found) for term in required["nodeSelectorTerms"]):
            return False
        if self._free(name, "pods") < 1:
            return False
        return all(amount <= self._free(name, what) for what, amount in one.requests.amounts)

    def totals(self, one: pods.PodInfo) -> dict[str, int]:
        fitting = [name for name in self.nodes if self.fits(one, name)]
        taints = self._scaled({name: self._soft_taints(one, name) for name in fitting}, True)
        affinity = self._scaled({name: self._preferred(one, name) for name in fitting}, False)
        return {
            name: self._least(one, name)
            + self._balanced(one, name)
            + 3 * taints[name]
            + 2 * affinity[name]
            for name in fitting
        }

    @staticmethod
    def _scaled(raw: dict[str, int], reverse: bool) -> dict[str, int]:
        largest = max(raw.values(), default=0)
        if not largest:
            return {name: 100 if reverse else value for name, value in raw.items()}
        scaled = {name: 100 * value // largest for name, value in raw.items()}
        return {name: 100 - value if reverse else value for name, value in scaled.items()}

    def _soft_taints(self, one: pods.PodInfo, name: str) -> int:
        tolerations = [
            t
            for t in one.spec.get("tolerations", [])
            if t.get("effect", "") in ("", "PreferNoSchedule")
        ]
        return sum(
            taint["effect"] == "PreferNoSchedule" and not _tolerates(tolerations, taint)
            for taint in self.nodes[name]["spec"].get("taints", [])
        )

    def _preferred(self, one: pods.PodInfo, name: str) -> int:
        affinity = one.spec.get("affinity", {}).get("nodeAffinity", {})
        found = self.nodes[name]["metadata"]["labels"]
        return sum(
            each["weight"]
            for each in affinity.get("preferredDuringSchedulingIgnoredDuringExecution", [])
            if _term(each["preference"], found)
        )

    def _least(self, one: pods.PodInfo, name: str) -> int:
        scores = []
        for at, resource in enumerate(("cpu", "memory")):
            capacity = self._free(name, resource) + self._used(name, resource)
            if not capacity:
                continue
            used = sum(each.requests.scoring[at] for each in [*self.pods.get(name, []), one])
            scores.append(0 if used > capacity else (capacity - used) * 100 // capacity)
        return sum(scores) // len(scores) if scores else 0

    def _balanced(self, one: pods.PodInfo, name: str) -> int:
        asked = dict(one.requests.amounts)
        if not asked.get("cpu") and not asked.get("memory"):
            return 0
        return 50 + (50 + self._evenness(name, asked) - self._evenness(name, {})) // 2

    def _evenness(self, name: str, asked: dict[str, int]) -> int:
        fractions = []
        for resource in ("cpu", "memory"):
            capacity = self._free(name, resource) + self._used(name, resource)
            if capacity:
                used = self._used(name, resource) + asked.get(resource, 0)
                fractions.append(min(1.0, used / capacity))
        if len(fractions) < 2:
            return 100
        return int((1 - abs(fractions[0] - fractions[1]) / 2) * 100)

    def over(self) -> Iterable[str]:
        for name in self.nodes:
            if any(self._free(name, what) < 0 for what in ("cpu", "memory", "pods")):
                yield name


@settings(deadline=None, max_examples=150)
@given(st.lists(nodes, max_size=6), st.lists(wanted, min_size=1, max_size=8), st.randoms())
def test_decisions_are_those_of_the_reference_while_the_cluster_changes(
    specs: list[Json], asked: list[Json], dice: random.Random
) -> None:
    subject = scheduler(cache=Cache())
    reference = Reference()
    waiting = [node(f"n{at}", **spec) for at, spec in enumerate(specs)]

    def set_node(there: Json) -> None:
        subject.cache.set_node(there)
        reference.nodes[there["metadata"]["name"]] = there

    for there in waiting[: len(waiting) // 2]:
        set_node(there)
    late = waiting[len(waiting) // 2 :]
    for at in range(3 * len(asked)):
        # Pods like earlier ones come again, so that kept results are used; nodes come, change, go.
        _disturb(dice, subject.cache, reference, late, set_node)
        one = pods.info(pod(f"p{at}", **dice.choice(asked)))
        totals = reference.totals(one)
        decision = subject.schedule(one, float(at))
        if not totals:
            assert isinstance(decision, core.Unfit)
            continue
        assert isinstance(decision, core.Placed)
        assert totals[decision.node] == max(totals.values())
        explained = subject._history.explain(one.key)
        assert explained is not None
        given = {each.node: each.total for each in explained.nodes if each.total is not None}
        assert given == totals
        reference.pods.setdefault(decision.node, []).append(one)
        assert not list(reference.over())


def _disturb(
    dice: random.Random, cache: Cache, reference: Reference, late: list[Json], set_node: Any
) -> None:
    choice = dice.randrange(6)
    present = list(reference.nodes)
    if choice == 0 and late:
        set_node(late.pop())
    elif choice == 1 and present:
        there = reference.nodes[dice.choice(present)]
        changed = there | {"spec": {"taints": dice.sample(TAINTS, dice.randrange(3))}}
        set_node(changed)
    elif choice == 2 and present:
        there = reference.nodes[dice.choice(present)]
        meta = there["metadata"] | {"labels": {"zone": dice.choice("xyz"), "rank": "7"}}
        set_node(there | {"metadata": meta})
    elif choice == 3 and len(present) > 1:
        name = dice.choice(present)
        cache.remove_node(name)
        late.append(reference.nodes.pop(name))
    elif choice == 4 and present:
        here = reference.pods.get(dice.choice(present))
        if here:
            gone = here.pop(dice.randrange(len(here)))
            cache.remove_pod(gone.key)
