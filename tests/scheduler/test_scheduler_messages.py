"""Why a pod fits nowhere, in kube-scheduler's words."""

from typing import Any

import pytest
from scheduling import NoBinder, info, node, pod, required_affinity, scheduler, unfit

from cluster.scheduler import diagnosis, unsupported
from cluster.scheduler.config import Config
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.plugins.registry import default_profile

TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
NO_HELP = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"


def _message(nodes: list[dict[str, Any]], **asked: Any) -> str:
    return unfit(scheduler(*nodes).schedule(info("p", **asked), 0)).message


@pytest.mark.parametrize(
    ("nodes", "asked", "message"),
    [
        pytest.param([], {}, "no nodes available to schedule pods", id="no nodes"),
        pytest.param(
            [node("a", taints=[TAINT]), node("b", cpu="2"), node("c", cpu="2")],
            {"cpu": "3"},
            "0/3 nodes are available: 1 node(s) had untolerated taint(s), "
            "2 Insufficient cpu. preemption: 0/3 nodes are "
            f"available: 3 {NO_HELP}.",
            id="taint and cpu that no node has at all",
        ),
        pytest.param(
            [node("a", cpu="1", memory="1Mi", pods="0")],
            {"cpu": "2", "memory": "1Gi"},
            "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods. "
            f"preemption: 0/1 nodes are available: 1 {NO_HELP}.",
            id="all reasons of a node",
        ),
        pytest.param(
            [node("a", pods="0")],
            {},
            "0/1 nodes are available: 1 Too many pods. preemption: 0/1 nodes are available: "
            f"1 {NO_VICTIMS}.",
            id="no victims",
        ),
        pytest.param(
            [node("a"), node("b", unschedulable=True)],
            {"nodeSelector": {"disk": "ssd"}},
            "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
            "1 node(s) were unschedulable. preemption: 0/2 nodes are available: "
            f"2 {NO_HELP}.",
            id="selector and cordon",
        ),
        pytest.param(
            [node("a", taints=[{"key": "k", "value": "v", "effect": "NoExecute"}]), node("b")],
            {"requests": {"example.com/gpu": "1"}, "preemptionPolicy": "Never"},
            "0/2 nodes are available: 1 Insufficient example.com/gpu, 1 node(s) had untolerated "
            "taint(s). preemption: not eligible due to preemptionPolicy=Never.",
            id="extended resource; never preempts",
        ),
        pytest.param(
            [node("a"), node("b")],
            {
                "affinity": required_affinity(
                    {
                        "matchFields": [
                            {"key": "metadata.name", "operator": "In", "values": ["gone"]}
                        ]
                    }
                )
            },
            "0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. "
            f"preemption: 0/2 nodes are available: 2 {NO_HELP}.",
            id="named node that is not there",
        ),
        pytest.param(
            [node("a")],
            {
                "affinity": required_affinity(
                    {
                        "matchFields": [
                            {"key": "metadata.name", "operator": "In", "values": ["a"]},
                            {"key": "metadata.name", "operator": "In", "values": ["b"]},
                        ]
                    }
                )
            },
            "0/1 nodes are available: pod affinity terms conflict. preemption: 0/1 nodes are "
            f"available: 1 {NO_HELP}.",
            id="terms that no node can meet",
        ),
    ],
)
def test_message(nodes: list[dict[str, Any]], asked: dict[str, Any], message: str) -> None:
    assert _message(nodes, **asked) == message


def test_where_preemption_helps_the_message_says_only_what_is_in_the_way() -> None:
    subject = scheduler(node("a", cpu="1"), node("b", cpu="1"))
    subject.cache.set_pod(info("low", cpu="1", nodeName="a"))
    subject.cache.set_pod(info("high", cpu="1", nodeName="b", priority=100))
    message = unfit(subject.schedule(info("p", cpu="1", priority=50), 0)).message
    assert message == "0/2 nodes are available: 2 Insufficient cpu."


def test_rejecting_plugins_are_named_for_the_queue() -> None:
    subject = scheduler(node("a", taints=[TAINT]), node("b", cpu="1"))
    assert unfit(subject.schedule(info("p", cpu="2"), 0)).rejected_by == (
        "NodeResourcesFit", "TaintToleration",
    )  # fmt: skip


def test_a_long_message_is_cut_for_the_event() -> None:
    assert diagnosis.cut("x" * 1024) == "x" * 1024
    assert diagnosis.cut("x" * 1025) == "x" * 1020 + " ..."


@pytest.mark.parametrize(
    ("spec", "missing"),
    [
        ({}, []),
        (
            {
                "affinity": {"podAntiAffinity": {}, "podAffinity": {}},
                "topologySpreadConstraints": [{"whenUnsatisfiable": "DoNotSchedule"}],
            },
            [],
        ),
        (
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
            [],
        ),
        ({"resourceClaims": [{"name": "c"}]}, ["DynamicResources (spec.resourceClaims)"]),
    ],
)
def test_requirements_that_are_not_looked_at(spec: dict[str, Any], missing: list[str]) -> None:
    assert unsupported.requirements(pod("p", **spec)) == missing


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("1.33", "untolerated taint {node.kubernetes.io/not-ready: }"),
        ("v1.34.2", "untolerated taint(s)"),
        ("", "untolerated taint(s)"),
    ],
)
def test_the_words_are_those_of_the_version(version: str, reason: str) -> None:
    cache = Cache()
    emulates = Config(kubernetes_version=version).emulates
    profile = default_profile("test", cache, NoBinder(), emulates=emulates)
    subject = scheduler(node("a", taints=[TAINT]), cache=cache, profile=profile)
    message = unfit(subject.schedule(info("p"), 0)).message
    assert message.startswith(f"0/1 nodes are available: 1 node(s) had {reason}. preemption:")


def test_a_version_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'new' is no Kubernetes version"):
        Config(kubernetes_version="new")
