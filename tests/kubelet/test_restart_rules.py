"""Who runs again: policies of pods and containers, and rules on exit codes."""

import pytest

from cluster.kubelet.lifecycle import podspec, restarts
from cluster.kubelet.lifecycle.decide import decide
from cluster.kubelet.lifecycle.model import Container, Memory, Sandbox, Seen, State, Verdict

BOX = Sandbox("box-0", 0, True, ("10.0.0.2",))


def rule(operator, *values, action="Restart"):
    return {"action": action, "exitCodes": {"operator": operator, "values": list(values)}}


def pod(policy="Always", **container):
    return {
        "metadata": {"name": "p", "namespace": "d", "uid": "u"},
        "spec": {
            "restartPolicy": policy,
            "containers": [{"name": "web", "image": "a", **container}],
        },
    }


@pytest.mark.parametrize(
    ("policy", "container", "again"),
    [
        ("Always", {}, {0: True, 1: True}),
        ("OnFailure", {}, {0: False, 1: True}),
        ("Never", {}, {0: False, 1: False}),
        ("Never", {"restartPolicy": "Always"}, {0: True, 1: True}),
        ("Always", {"restartPolicy": "Never"}, {0: False, 1: False}),
        ("Never", {"restartPolicy": "OnFailure"}, {0: False, 7: True}),
        (
            "Always",
            {"restartPolicy": "Never", "restartPolicyRules": [rule("In", 42)]},
            {42: True, 1: False},
        ),
        (
            "Never",
            {"restartPolicy": "Never", "restartPolicyRules": [rule("NotIn", 0, 1)]},
            {0: False, 1: False, 2: True},
        ),
    ],
)
def test_a_container_runs_again_where_it_or_its_pod_says_so(policy, container, again):
    made = pod(policy, **container)
    spec = podspec.containers(made)[0]
    assert {code: restarts.wanted(made, spec, code) for code in again} == again


@pytest.mark.parametrize(
    ("policy", "init", "again"),
    [
        ("Always", {}, {0: False, 1: True}),
        ("Never", {}, {0: False, 1: False}),
        ("Never", {"restartPolicy": "OnFailure"}, {0: False, 1: True}),
        ("Never", {"restartPolicy": "Always"}, {0: True, 1: True}),
        ("Always", {"restartPolicy": "Never"}, {0: False, 1: False}),
    ],
)
def test_init_containers_are_done_once_they_succeeded(policy, init, again):
    found = {code: restarts.wanted(pod(policy), init, code, init=True) for code in again}
    assert found == again


def kills(made, memory=None):
    names = [one["name"] for one in podspec.every(made)]
    containers = [Container(f"{name}-0", "box-0", name, 0, State.RUNNING) for name in names]
    plan = decide(made, Seen((BOX,), tuple(containers)), memory or Memory(), 1000.0)
    return {action.name: (action.turn, action.grace) for action in plan.actions}


def test_sidecars_end_after_the_others_and_the_last_one_first():
    made = pod()
    made["metadata"] |= {"deletionTimestamp": "x", "deletionGracePeriodSeconds": 9}
    made["spec"]["initContainers"] = [
        {"name": "mesh", "restartPolicy": "Always"},
        {"name": "setup"},
        {"name": "log", "restartPolicy": "Always"},
    ]
    assert kills(made) == {"web": (0, 9), "mesh": (2, 9), "setup": (0, 9), "log": (1, 9)}


def test_a_verdict_may_shorten_the_grace():
    assert kills(pod(), Memory(verdict=Verdict("Evicted", "", grace=0))) == {"web": (0, 0)}
    assert kills(pod(), Memory(verdict=Verdict("Evicted", ""))) == {"web": (0, 30)}
