"""Which nodes get a DaemonSet's pod, and what its pods look like."""

from typing import Any

import msgspec
import pytest
from daemonsets import daemon_set

from cluster.controllers.daemonset import placement, podmaking
from cluster.controllers.daemonset.placement import LEAVE, RUN, STAY

HAND_MADE = {"key": "mine", "operator": "Exists"}


def node(*taints: tuple[str, str], name: str = "n1", **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": [{"key": key, "effect": effect} for key, effect in taints]},
    }


@pytest.mark.parametrize(
    ("pod", "on", "verdict"),
    [
        ({}, node(), RUN),
        ({}, None, LEAVE),
        ({"nodeName": "n1"}, node(), RUN),
        ({"nodeName": "n2"}, node(), LEAVE),
        ({"nodeSelector": {"disk": "ssd"}}, node(), LEAVE),
        ({"nodeSelector": {"disk": "ssd"}}, node(disk="ssd"), RUN),
        ({}, node(("other", "NoSchedule")), STAY),
        ({}, node(("other", "NoExecute")), LEAVE),
        ({}, node(("other", "PreferNoSchedule")), RUN),
        ({"tolerations": [HAND_MADE]}, node(("mine", "NoExecute"), ("mine", "NoSchedule")), RUN),
        ({}, node(("node.kubernetes.io/not-ready", "NoExecute")), RUN),
        ({}, node(("node.kubernetes.io/not-ready", "NoSchedule")), STAY),
        ({}, node(("node.kubernetes.io/unreachable", "NoExecute")), RUN),
        ({}, node(("node.kubernetes.io/disk-pressure", "NoSchedule")), RUN),
        ({}, node(("node.kubernetes.io/memory-pressure", "NoSchedule")), RUN),
        ({}, node(("node.kubernetes.io/pid-pressure", "NoSchedule")), RUN),
        ({}, node(("node.kubernetes.io/unschedulable", "NoSchedule")), RUN),
        ({}, node(("node.kubernetes.io/network-unavailable", "NoSchedule")), STAY),
        (
            {"hostNetwork": True},
            node(("node.kubernetes.io/network-unavailable", "NoSchedule")),
            RUN,
        ),
        ({}, node(("node.kubernetes.io/out-of-service", "NoExecute")), LEAVE),
    ],
)
def test_where_pods_belong(pod: dict[str, Any], on: Any, verdict: placement.Verdict) -> None:
    assert placement.of(daemon_set(pod=pod)).verdict(on) == verdict


def test_a_toleration_that_is_there_is_made_one_for_ever_and_not_doubled() -> None:
    theirs = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}
    found = placement.with_daemon_tolerations(
        {"tolerations": [HAND_MADE, theirs | {"tolerationSeconds": 30}]}
    )
    assert found[:2] == [HAND_MADE, theirs]
    assert len(found) == 7
    assert placement.with_daemon_tolerations({"tolerations": found}) == found


def test_pods_are_made_for_their_node_and_keep_what_they_prefer() -> None:
    preferred = [{"weight": 1, "preference": {"matchExpressions": []}}]
    affinity = {
        "podAntiAffinity": {"x": []},
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": preferred,
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"a": 1}]},
        },
    }
    made_by = daemon_set(pod={"affinity": affinity})
    made_by["metadata"]["annotations"] = {"deprecated.daemonset.template.generation": "7"}
    before = msgspec.json.encode(made_by)
    made = [
        msgspec.json.decode(one.body)
        for one in podmaking.creations(made_by, {"uid": "u"}, "h", ["n1", "n2"])
    ]
    assert msgspec.json.encode(made_by) == before
    assert [podmaking.target(pod) for pod in made] == ["n1", "n2"]
    first = made[0]
    assert first["metadata"]["generateName"] == "agent-"
    assert first["metadata"]["ownerReferences"] == [{"uid": "u"}]
    assert first["metadata"]["labels"] == {
        "app": "agent",
        "controller-revision-hash": "h",
        "pod-template-generation": "7",
    }
    found = first["spec"]["affinity"]
    assert found["podAntiAffinity"] == {"x": []}
    assert found["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] == preferred
    field = {"key": "metadata.name", "operator": "In", "values": ["n1"]}
    assert found["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] == {
        "nodeSelectorTerms": [{"matchFields": [field]}]
    }


@pytest.mark.parametrize("generation", ["", "x", "1e9", "9" * 40])
def test_a_generation_that_is_no_number_is_left_out(generation: str) -> None:
    made_by = daemon_set()
    made_by["metadata"]["annotations"] = {"deprecated.daemonset.template.generation": generation}
    (one,) = podmaking.creations(made_by, {}, "h", ["n1"])
    assert "pod-template-generation" not in msgspec.json.decode(one.body)["metadata"]["labels"]


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({"nodeName": "n1"}, "n1"),
        ({}, ""),
        ({"affinity": {"nodeAffinity": None}}, ""),
    ],
)
def test_what_node_a_pod_is_for(spec: dict[str, Any], name: str) -> None:
    assert podmaking.target({"spec": spec}) == name
