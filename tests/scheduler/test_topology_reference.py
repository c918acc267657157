"""Pod affinity and topology spread against a slow, plain reading of the documents.

Nodes, pods, namespaces, Services come, change and go; each attempt's verdicts and scores must be
those of the reference, and no pod is placed where a required rule forbids it.
"""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduling import NoBinder, node, placed
from topologyreference import PREFERRED, REQUIRED, Reference

from cluster.scheduler import core, explain, pods
from cluster.scheduler.framework.profile import Profile, Weighted
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.podindex import PodIndex
from cluster.scheduler.plugins.defaultbinder import DefaultBinder
from cluster.scheduler.plugins.interpodaffinity import InterPodAffinity, InterPodAffinityArgs
from cluster.scheduler.plugins.nodeaffinity import NodeAffinity
from cluster.scheduler.plugins.noderesources import NodeResourcesFit
from cluster.scheduler.plugins.podtopologyspread import PodTopologySpread
from cluster.scheduler.plugins.prioritysort import PrioritySort
from cluster.scheduler.plugins.spreadconstraints import PodTopologySpreadArgs
from cluster.scheduler.plugins.tainttoleration import TaintToleration

Json = dict[str, Any]

KEYS = ["kubernetes.io/hostname", "topology.kubernetes.io/zone", "rack"]
NAMESPACES = ["default", "other"]

selectors = st.one_of(
    st.sampled_from(
        [
            {"matchLabels": {"app": "a"}},
            {"matchLabels": {"app": "b"}},
            {"matchLabels": {"app": "a", "v": "1"}},
            {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]},
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]},
            {"matchExpressions": [{"key": "v", "operator": "Exists"}]},
            {"matchExpressions": [{"key": "v", "operator": "DoesNotExist"}]},
            {},
        ]
    ),
    st.none(),
)
terms = st.builds(
    lambda key, selector, more: {"topologyKey": key, "labelSelector": selector} | more,
    st.sampled_from(KEYS),
    selectors,
    st.fixed_dictionaries(
        {},
        optional={
            "namespaces": st.lists(st.sampled_from(NAMESPACES), min_size=1, max_size=2),
            "namespaceSelector": st.sampled_from([{}, {"matchLabels": {"team": "x"}}]),
            "matchLabelKeys": st.just(["v"]),
            "mismatchLabelKeys": st.just(["app"]),
        },
    ),
)
halves = st.fixed_dictionaries(
    {},
    optional={
        REQUIRED: st.lists(terms, min_size=1, max_size=2),
        PREFERRED: st.lists(
            st.builds(
                lambda weight, term: {"weight": weight, "podAffinityTerm": term},
                st.sampled_from([1, 7, 100]),
                terms,
            ),
            min_size=1,
            max_size=2,
        ),
    },
)


def _constraint(key: str, action: str, skew: int, selector: Any, more: Json) -> Json:
    if action == "ScheduleAnyway":
        more = {name: value for name, value in more.items() if name != "minDomains"}
    found = {"topologyKey": key, "whenUnsatisfiable": action, "maxSkew": skew}
    return found | {"labelSelector": selector} | more


constraints = st.builds(
    _constraint,
    st.sampled_from(KEYS),
    st.sampled_from(["DoNotSchedule", "ScheduleAnyway"]),
    st.integers(1, 3),
    selectors,
    st.fixed_dictionaries(
        {},
        optional={
            "minDomains": st.integers(1, 4),
            "nodeAffinityPolicy": st.sampled_from(["Honor", "Ignore"]),
            "nodeTaintsPolicy": st.sampled_from(["Honor", "Ignore"]),
            "matchLabelKeys": st.just(["v"]),
        },
    ),
)
specs = st.fixed_dictionaries(
    {},
    optional={
        "affinity": st.fixed_dictionaries(
            {}, optional={"podAffinity": halves, "podAntiAffinity": halves}
        ),
        "topologySpreadConstraints": st.lists(constraints, max_size=3),
        "nodeSelector": st.just({"disk": "ssd"}),
        "tolerations": st.just([{"key": "t", "operator": "Exists"}]),
    },
)
pod_labels = st.fixed_dictionaries(
    {}, optional={"app": st.sampled_from(["a", "b"]), "v": st.sampled_from(["1", "2"])}
)
kinds = st.builds(
    lambda namespace, labels, spec, owned: {
        "namespace": namespace, "labels": labels, "spec": spec, "owned": owned,
    },
    st.sampled_from(NAMESPACES), pod_labels, specs, st.booleans(),
)  # fmt: skip
node_labels = st.fixed_dictionaries(
    {},
    optional={
        "topology.kubernetes.io/zone": st.sampled_from(["z1", "z2", "z3"]),
        "rack": st.sampled_from(["r1", "r2"]),
        "disk": st.just("ssd"),
    },
)
node_kinds = st.tuples(node_labels, st.booleans())
steps = st.lists(
    st.one_of(
        st.tuples(st.just("schedule"), st.integers(0, 2)),
        st.tuples(st.just("schedule"), st.integers(0, 2)),
        st.tuples(st.just("remove"), st.integers(0, 20)),
        st.tuples(st.just("delete"), st.integers(0, 20)),
        st.tuples(st.just("relabel"), st.integers(0, 20), pod_labels),
        st.tuples(st.just("node"), st.integers(0, 5), node_kinds),
        st.tuples(st.just("drop"), st.integers(0, 5)),
        st.tuples(st.just("namespace"), st.sampled_from(NAMESPACES), st.booleans()),
        st.tuples(st.just("service"), st.sampled_from(NAMESPACES), st.sampled_from([None, "a"])),
    ),
    max_size=25,
)


_AFFINITY, _SPREAD = InterPodAffinityArgs(), PodTopologySpreadArgs()


class World:
    """The scheduler and the reference, told the same."""

    def __init__(
        self,
        affinity: InterPodAffinityArgs = _AFFINITY,
        spread: PodTopologySpreadArgs = _SPREAD,
    ) -> None:
        self.cache = Cache()
        index = PodIndex(self.cache)
        found = [
            Weighted(PrioritySort()),
            Weighted(TaintToleration(), 3),
            Weighted(NodeAffinity(), 2),
            Weighted(NodeResourcesFit(), 1),
            Weighted(PodTopologySpread(index, self.cache.workloads, spread), 2),
            Weighted(InterPodAffinity(self.cache, index, affinity), 2),
            Weighted(DefaultBinder(NoBinder())),
        ]
        self.history = explain.History(attempts=4, size=1 << 20)
        profile = Profile(found, scheduler_name="test")
        self.core = core.Core(profile, self.cache, random.Random(1), self.history)
        self.reference = Reference()
        self.reference.hard_weight = affinity.hard_pod_affinity_weight
        self.reference.ignore_existing = affinity.ignore_preferred_terms_of_existing_pods
        if spread.defaulting_type == "List":
            self.reference.system = False
            self.reference.defaults = [dict(one) for one in spread.default_constraints]
        self.count = 0

    def set_node(self, name: str, labels: dict[str, str], tainted: bool) -> None:
        taints = [{"key": "t", "effect": "NoSchedule"}] if tainted else []
        made = node(name, labels=labels, taints=taints)
        if name.endswith("5"):
            del made["metadata"]["labels"]["kubernetes.io/hostname"]
        self.cache.set_node(made)
        self.reference.nodes[name] = made

    def drop_node(self, name: str) -> None:
        self.cache.remove_node(name)
        self.reference.nodes.pop(name, None)

    def set_namespace(self, name: str, labels: dict[str, str]) -> None:
        self.cache.namespaces.set({"metadata": {"name": name, "labels": labels}})
        self.reference.namespaces[name] = labels

    def set_service(self, namespace: str, app: str | None) -> None:
        meta = {"name": "s", "namespace": namespace}
        service = {"metadata": meta, "spec": {"selector": {"app": app} if app else None}}
        self.cache.workloads.set("services", service)
        self.reference.services[namespace] = service

    def set_replica_set(self, namespace: str, selector: Json) -> None:
        made = {"metadata": {"name": "r", "namespace": namespace}, "spec": {"selector": selector}}
        self.cache.workloads.set("replicasets.apps", made)
        self.reference.replica_sets[f"{namespace}/r"] = made

    def pod(self, kind: Json) -> Json:
        self.count += 1
        meta = {"name": f"p{self.count}", "namespace": kind["namespace"], "uid": f"u{self.count}"}
        meta["labels"] = kind["labels"]
        if kind["owned"]:
            owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "controller": True}
            meta["ownerReferences"] = [owner]
        return {"metadata": meta, "spec": {"containers": [{"name": "c"}]} | kind["spec"]}

    def change_pod(self, at: int, **meta: Any) -> None:
        keys = list(self.reference.placed)
        if keys:
            key = keys[at % len(keys)]
            pod, where = self.reference.placed[key]
            changed = pod | {"metadata": pod["metadata"] | meta}
            self.reference.placed[key] = (changed, where)
            bound = changed | {"spec": changed["spec"] | {"nodeName": where}}
            self.cache.set_pod(pods.info(bound))

    def remove_pod(self, at: int) -> None:
        keys = list(self.reference.placed)
        if keys:
            key = keys[at % len(keys)]
            del self.reference.placed[key]
            self.cache.remove_pod(key)

    def schedule(self, pod: Json) -> str:
        """Schedule, and compare all that was found; the node, or ""."""
        one = pods.info(pod)
        expected = self.verdicts(pod)
        decision = self.core.schedule(one, 0)
        if not expected:
            return ""
        told = self.history.explain(one.key)
        assert told is not None
        found = {
            verdict.node: (verdict.rejection.plugin, verdict.rejection.message)
            if verdict.rejection
            else ("", "")
            for verdict in told.nodes
        }
        assert found == expected
        fit = [name for name, (plugin, _) in expected.items() if not plugin]
        if not fit:
            assert isinstance(decision, core.Unfit)
            return ""
        self.compare_scores(pod, told, fit)
        where = placed(decision)
        assert where in fit
        self.reference.placed[one.key] = (pod, where)
        return where

    def verdicts(self, pod: Json) -> dict[str, tuple[str, str]]:
        reference = self.reference
        found = {}
        for name in reference.nodes:
            if not reference.tolerated(pod, name):
                found[name] = ("TaintToleration", "node(s) had untolerated taint(s)")
            elif not reference.allowed(pod, name):
                text = "node(s) didn't match Pod's node affinity/selector"
                found[name] = ("NodeAffinity", text)
            elif reason := reference.spread_refuses(pod, name):
                found[name] = ("PodTopologySpread", reason)
            elif reason := reference.affinity_refuses(pod, name):
                found[name] = ("InterPodAffinity", reason)
            else:
                found[name] = ("", "")
        return found

    def compare_scores(self, pod: Json, told: explain.Explanation, fit: list[str]) -> None:
        scores = {verdict.node: verdict.scores for verdict in told.nodes if not verdict.rejection}
        near = {name: one.get("InterPodAffinity", 0) for name, one in scores.items()}
        assert near == self.reference.affinity_scores(pod, fit)
        spread = self.reference.spread_scores(pod, fit)
        for name, one in scores.items():
            assert one.get("PodTopologySpread") == (None if spread is None else spread[name])


def _run(world: World, nodes: list[Any], kinds: list[Json], steps: list[Any]) -> None:
    for at, (labels, tainted) in enumerate(nodes):
        world.set_node(f"n{at}", labels, tainted)
    world.set_namespace("default", {})
    world.set_replica_set("default", {"matchLabels": {"app": "a"}})
    world.set_replica_set(
        "other", {"matchExpressions": [{"key": "v", "operator": "In", "values": ["1"]}]}
    )
    for step in steps:
        match step:
            case ("schedule", at):
                world.schedule(world.pod(kinds[at % len(kinds)]))
            case ("remove", at):
                world.remove_pod(at)
            case ("delete", at):
                world.change_pod(at, deletionTimestamp="2024-01-01T00:00:00Z")
            case ("relabel", at, labels):
                world.change_pod(at, labels=labels)
            case ("node", at, (labels, tainted)):
                world.set_node(f"n{at}", labels, tainted)
            case ("drop", at):
                world.drop_node(f"n{at}")
            case ("namespace", name, team):
                world.set_namespace(name, {"team": "x"} if team else {})
            case ("service", namespace, app):
                world.set_service(namespace, app)


@settings(max_examples=150, deadline=None)
@given(st.lists(node_kinds, min_size=1, max_size=6), st.lists(kinds, min_size=1, max_size=3), steps)
def test_verdicts_and_scores_are_those_of_the_reference(
    nodes: list[Any], kinds: list[Json], steps: list[Any]
) -> None:
    _run(World(), nodes, kinds, steps)


@settings(max_examples=50, deadline=None)
@given(st.lists(node_kinds, min_size=1, max_size=6), st.lists(kinds, min_size=1, max_size=3), steps)
def test_arguments_of_the_plugins_count(
    nodes: list[Any], kinds: list[Json], steps: list[Any]
) -> None:
    defaults = (
        {"topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule", "maxSkew": 1},
        {"topologyKey": KEYS[1], "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 2},
    )
    affinity = InterPodAffinityArgs(17, ignore_preferred_terms_of_existing_pods=True)
    spread = PodTopologySpreadArgs(defaults, "List")
    _run(World(affinity, spread), nodes, kinds, steps)


def _random_selector(chance: random.Random) -> Json | None:
    key, value = chance.choice([("app", "a"), ("app", "b"), ("app", "c"), ("v", "1"), ("v", "2")])
    other = {"key": "app", "operator": "In", "values": ["a", "b"]}
    unlike = {"key": key, "operator": "NotIn", "values": [value]}
    exact = {"matchLabels": {key: value}}
    return chance.choice(
        [exact, exact, {"matchExpressions": [other]}, {"matchExpressions": [unlike]}, {}]
    )


def _random_term(chance: random.Random) -> Json:
    found = {"topologyKey": chance.choice(KEYS), "labelSelector": _random_selector(chance)}
    more: list[Json] = [
        {}, {}, {"namespaces": ["other"]}, {"namespaceSelector": {"matchLabels": {"team": "x"}}},
        {"namespaceSelector": {}}, {"matchLabelKeys": ["v"]}, {"mismatchLabelKeys": ["v"]},
    ]  # fmt: skip
    return found | chance.choice(more)


def _random_half(chance: random.Random) -> Json:
    if chance.random() < 0.5:
        return {REQUIRED: [_random_term(chance) for _ in range(chance.choice([1, 1, 2]))]}
    wish = {"weight": chance.randint(1, 100), "podAffinityTerm": _random_term(chance)}
    return {PREFERRED: [wish]}


def _random_constraint(chance: random.Random) -> Json:
    more: list[Json] = [
        {}, {}, {"nodeAffinityPolicy": "Ignore"}, {"nodeTaintsPolicy": "Honor"},
        {"matchLabelKeys": ["v"]}, {"minDomains": chance.randint(2, 4)},
    ]  # fmt: skip
    action = chance.choice(["DoNotSchedule", "ScheduleAnyway"])
    key, skew = chance.choice(KEYS), chance.randint(1, 3)
    return _constraint(key, action, skew, _random_selector(chance), chance.choice(more))


def _random_kind(chance: random.Random) -> Json:
    spec: Json = {}
    if chance.random() < 0.4:
        half = chance.choice(["podAffinity", "podAntiAffinity"])
        spec["affinity"] = {half: _random_half(chance)}
    if chance.random() < 0.4:
        many = chance.choice([1, 2])
        spec["topologySpreadConstraints"] = [_random_constraint(chance) for _ in range(many)]
    if chance.random() < 0.3:
        spec["nodeSelector"] = {"disk": "ssd"}
    if chance.random() < 0.3:
        spec["tolerations"] = [{"key": "t", "operator": "Exists"}]
    labels = {"app": chance.choice("abc")}
    if chance.random() < 0.5:
        labels["v"] = chance.choice("12")
    namespace = chance.choice(["default", "default", "other"])
    return {"namespace": namespace, "labels": labels, "spec": spec, "owned": chance.random() < 0.5}


def _random_node(chance: random.Random) -> tuple[dict[str, str], bool]:
    labels = {KEYS[1]: f"z{chance.randrange(3)}", "rack": f"r{chance.randrange(6)}"}
    if chance.random() < 0.2:
        del labels[chance.choice(KEYS[1:])]
    if chance.random() < 0.6:
        labels["disk"] = "ssd"
    return labels, chance.random() < 0.2


@pytest.mark.parametrize("seed", range(12))
def test_many_pods_of_random_kinds(seed: int) -> None:
    """Fuller clusters than hypothesis makes: a dozen nodes, twenty kinds, all that can happen."""
    chance = random.Random(seed)
    world = World()
    _run(world, [_random_node(chance) for _ in range(12)], [], [])
    kinds = [_random_kind(chance) for _ in range(20)]
    for _ in range(120):
        match chance.choices(range(7), [60, 12, 5, 5, 6, 4, 4])[0]:
            case 0:
                world.schedule(world.pod(chance.choice(kinds)))
            case 1:
                world.remove_pod(chance.randrange(1000))
            case 2:
                world.change_pod(chance.randrange(1000), deletionTimestamp="2024-01-01T00:00:00Z")
            case 3:
                world.change_pod(chance.randrange(1000), labels=_random_kind(chance)["labels"])
            case 4:
                labels, tainted = _random_node(chance)
                world.set_node(f"n{chance.randrange(13)}", labels, tainted)
            case 5:
                team = {"team": "x"} if chance.random() < 0.5 else {}
                world.set_namespace(chance.choice(NAMESPACES), team)
            case 6:
                world.set_service(chance.choice(NAMESPACES), chance.choice(["a", "b", None]))
