"""The worked examples of Kubernetes' pages on assigning pods to nodes and on topology spread."""

from typing import Any

import pytest
from scheduling import info, node, placed, scheduler, unfit

from cluster.scheduler import core

Json = dict[str, Any]
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
HOST = "kubernetes.io/hostname"
FOO = {"foo": "bar"}


def _cluster(zones: dict[str, list[str]], pods: dict[str, int]) -> core.Core:
    """Nodes by zone; `pods`: how many pods with foo=bar a node has."""
    nodes = [
        node(name, labels={"zone": zone, "node": name}) for zone in zones for name in zones[zone]
    ]
    subject = scheduler(*nodes)
    for name, many in pods.items():
        for at in range(many):
            subject.cache.set_pod(info(f"{name}-{at}", labels=FOO, nodeName=name))
    return subject


def _spread(key: str, **more: Any) -> Json:
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": FOO},
    } | more


def _open(subject: core.Core, **asked: Any) -> set[str]:
    """The nodes on which a pod with foo=bar may be placed."""
    one = info("mypod", labels=FOO, **asked)
    subject.schedule(one, 0)
    told = subject._history.explain("default/mypod")
    assert told is not None
    return {verdict.node for verdict in told.nodes if verdict.rejection is None}


TWO = {"A": ["node1", "node2"], "B": ["node3", "node4"]}
THREE = {"A": ["node1", "node2"], "B": ["node3"]}
FIVE = TWO | {"C": ["node5"]}
NOT_C = {
    "nodeAffinity": {
        REQUIRED: {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["C"]}]}
            ]
        }
    }
}
ONE_EACH = {"node1": 1, "node2": 1, "node3": 1}


@pytest.mark.parametrize(
    ("zones", "pods", "asked", "nodes"),
    [
        pytest.param(
            TWO, ONE_EACH, {"topologySpreadConstraints": [_spread("zone")]},
            {"node3", "node4"}, id="one constraint",
        ),
        pytest.param(
            TWO, ONE_EACH, {"topologySpreadConstraints": [_spread("zone", maxSkew=2)]},
            {"node1", "node2", "node3", "node4"}, id="a larger skew",
        ),
        pytest.param(
            TWO, ONE_EACH, {"topologySpreadConstraints": [_spread("zone"), _spread("node")]},
            {"node4"}, id="two constraints",
        ),
        pytest.param(
            THREE, {"node1": 2, "node2": 1, "node3": 2},
            {"topologySpreadConstraints": [_spread("zone"), _spread("node")]},
            set(), id="constraints in conflict",
        ),
        pytest.param(
            THREE, {"node1": 2, "node2": 1, "node3": 2},
            {
                "topologySpreadConstraints": [
                    _spread("zone"), _spread("node", whenUnsatisfiable="ScheduleAnyway")
                ]
            },
            {"node3"}, id="one of them only wished for",
        ),
        pytest.param(
            FIVE, ONE_EACH,
            {"topologySpreadConstraints": [_spread("zone")], "affinity": NOT_C},
            {"node3", "node4"}, id="a zone that affinity rules out does not count",
        ),
        pytest.param(
            FIVE, ONE_EACH,
            {
                "topologySpreadConstraints": [_spread("zone", nodeAffinityPolicy="Ignore")],
                "affinity": NOT_C,
            },
            set(), id="a zone that is ruled out counts where the policy says Ignore",
        ),
        pytest.param(
            {"A": ["node1"], "B": ["node2"], "C": ["node3"]},
            {"node1": 2, "node2": 2, "node3": 2},
            {"topologySpreadConstraints": [_spread("zone", maxSkew=2, minDomains=5)]},
            set(), id="too few domains: the fewest counts as 0",
        ),
        pytest.param(
            {"A": ["node1"], "B": ["node2"], "C": ["node3"]},
            {"node1": 2, "node2": 2, "node3": 2},
            {"topologySpreadConstraints": [_spread("zone", maxSkew=2)]},
            {"node1", "node2", "node3"}, id="without minDomains there are enough",
        ),
    ],
)  # fmt: skip
def test_topology_spread_examples(
    zones: dict[str, list[str]], pods: dict[str, int], asked: Json, nodes: set[str]
) -> None:
    assert _open(_cluster(zones, pods), **asked) == nodes


@pytest.mark.parametrize(
    ("policy", "nodes"), [("Honor", {"node1", "node2"}), ("Ignore", set()), (None, set())]
)
def test_a_zone_whose_nodes_are_tainted_counts_by_policy(
    policy: str | None, nodes: set[str]
) -> None:
    subject = _cluster({"A": ["node1"], "B": ["node2"]}, {"node1": 1, "node2": 1})
    taint = {"key": "dedicated", "effect": "NoSchedule"}
    subject.cache.set_node(node("node3", labels={"zone": "C"}, taints=[taint]))
    more = {} if policy is None else {"nodeTaintsPolicy": policy}
    assert _open(subject, topologySpreadConstraints=[_spread("zone", **more)]) == nodes


def test_the_reasons_of_topology_spread() -> None:
    subject = _cluster({"A": ["a"], "B": ["b"]}, {"a": 2})
    subject.cache.set_node(node("b", cpu="0", labels={"zone": "B"}))
    subject.cache.set_node(node("bare"))
    one = info("p", labels=FOO, cpu="1", topologySpreadConstraints=[_spread("zone")])
    assert unfit(subject.schedule(one, 0)).message.startswith(
        "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match pod topology spread "
        "constraints, 1 node(s) didn't match pod topology spread constraints (missing required "
        "label)."
    )


def _term(key: str, *, selector: Json | None = None, **labels: str) -> Json:
    return {"topologyKey": key, "labelSelector": selector or {"matchLabels": labels}}


def _wish(weight: int, term: Json) -> Json:
    return {"weight": weight, "podAffinityTerm": term}


def test_a_web_server_goes_where_its_cache_is() -> None:
    """The page's example: three caches on three nodes, a web server with each of them."""
    subject = scheduler(*(node(f"node-{at}") for at in range(1, 4)))
    apart = {"podAntiAffinity": {REQUIRED: [_term(HOST, app="store")]}}
    with_it = {
        "podAntiAffinity": {REQUIRED: [_term(HOST, app="web-store")]},
        "podAffinity": {REQUIRED: [_term(HOST, app="store")]},
    }
    early = unfit(subject.schedule(info("w0", labels={"app": "web-store"}, affinity=with_it), 0))
    assert early.rejected_by == ("InterPodAffinity",)
    assert "3 node(s) didn't match pod affinity rules" in early.message
    for app, affinity in (("store", apart), ("web-store", with_it)):
        pods = [info(f"{app}-{at}", labels={"app": app}, affinity=affinity) for at in range(4)]
        where = {placed(subject.schedule(one, 0)) for one in pods[:3]}
        assert where == {"node-1", "node-2", "node-3"}
        message = unfit(subject.schedule(pods[3], 0)).message
        assert message.startswith(
            "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules."
        )


def test_zones_that_are_required_and_zones_that_are_better_avoided() -> None:
    """The page's example: near S1 is required, away from S2 is preferred."""
    zones = {"V": ["v1", "v2"], "R": ["r1"], "Q": ["q1"]}
    subject = _cluster(zones, {})
    subject.cache.set_pod(info("s1-v", labels={"security": "S1"}, nodeName="v1"))
    subject.cache.set_pod(info("s1-r", labels={"security": "S1"}, nodeName="r1"))
    subject.cache.set_pod(info("s2-r", labels={"security": "S2"}, nodeName="r1"))
    affinity = {
        "podAffinity": {REQUIRED: [_term("zone", security="S1")]},
        "podAntiAffinity": {PREFERRED: [_wish(100, _term("zone", security="S2"))]},
    }
    assert placed(subject.schedule(info("p", affinity=affinity), 0)) in ("v1", "v2")
    told = subject._history.explain("default/p")
    assert told is not None
    scores = {one.node: one.scores.get("InterPodAffinity") for one in told.nodes}
    assert scores == {"v1": 100, "v2": 100, "r1": 0, "q1": None}


def test_pods_that_are_there_keep_others_away() -> None:
    subject = _cluster({"A": ["a1", "a2"], "B": ["b1"]}, {})
    shy = {"podAntiAffinity": {REQUIRED: [_term("zone", noisy="yes")]}}
    subject.cache.set_pod(info("shy", affinity=shy, nodeName="a1"))
    assert placed(subject.schedule(info("p", labels={"noisy": "yes"}), 0)) == "b1"
    subject.cache.set_node(node("b1", cpu="0", labels={"zone": "B"}))
    message = unfit(subject.schedule(info("q", cpu="1", labels={"noisy": "yes"}), 0)).message
    assert message.startswith(
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy existing pods "
        "anti-affinity rules."
    )
    subject.cache.remove_pod("default/shy")
    assert placed(subject.schedule(info("r", cpu="1", labels={"noisy": "yes"}), 0)) in ("a1", "a2")


def test_the_first_of_a_group_needs_only_the_label() -> None:
    subject = scheduler(
        node("bare"), node("a", labels={"zone": "A"}), node("b", labels={"zone": "B"})
    )
    together = {"podAffinity": {REQUIRED: [_term("zone", app="x")]}}
    first = placed(subject.schedule(info("p0", labels={"app": "x"}, affinity=together), 0))
    assert first in ("a", "b")
    for at in range(1, 5):
        one = info(f"p{at}", labels={"app": "x"}, affinity=together)
        assert placed(subject.schedule(one, 0)) == first
    other = info(
        "q", labels={"app": "y"}, affinity={"podAffinity": {REQUIRED: [_term("zone", app="y2")]}}
    )
    assert unfit(subject.schedule(other, 0)).rejected_by == ("InterPodAffinity",)


def test_match_label_keys_keep_revisions_apart() -> None:
    """A rolling update: the new revision's pods do not count the old one's."""
    subject = _cluster({"A": ["a"], "B": ["b"]}, {})
    for at in range(3):
        old = {"foo": "bar", "pod-template-hash": "old"}
        subject.cache.set_pod(info(f"old-{at}", labels=old, nodeName="a"))
    asked = {"topologySpreadConstraints": [_spread("zone", matchLabelKeys=["pod-template-hash"])]}
    new = {"foo": "bar", "pod-template-hash": "new"}
    where = [placed(subject.schedule(info(f"n{at}", labels=new, **asked), 0)) for at in range(4)]
    assert sorted(where) == ["a", "a", "b", "b"]
    old_rules = {"topologySpreadConstraints": [_spread("zone")]}
    assert placed(subject.schedule(info("m", labels=FOO, **old_rules), 0)) == "b"


def test_pods_of_a_service_spread_by_default() -> None:
    zone = "topology.kubernetes.io/zone"
    subject = scheduler(*(node(f"n{at}", labels={zone: f"z{at % 2}"}) for at in range(4)))
    service = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"app": "web"}},
    }
    subject.cache.workloads.set("services", service)
    for at in range(3):
        subject.cache.set_pod(info(f"old-{at}", labels={"app": "web"}, nodeName="n0"))
    placed(subject.schedule(info("p", labels={"app": "web"}), 0))
    told = subject._history.explain("default/p")
    assert told is not None
    scores = {one.node: one.scores["PodTopologySpread"] for one in told.nodes}
    # n0: 3 ln(4+2) + 2 + 3 ln(2+2) + 4 = 15.5 -> 16; n2: 2 + 3 ln 4 + 4 = 10.2 -> 10; others: 6
    assert scores == {"n0": 37, "n1": 100, "n2": 75, "n3": 100}
