"""The status of a disruption budget, worked out."""

import pytest

from cluster.api import conditions, timestamps
from cluster.controllers.disruption import decision

NOW = 1_800_000_000.0
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u"}


def pod(name, ready=True, owned=True, **meta):
    owners = {"ownerReferences": [OWNER | {"controller": True}]} if owned else {}
    status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    return {"metadata": {"name": name, **owners, **meta}, "status": status}


def budget(status=None, **spec):
    return {"metadata": {"name": "b", "generation": 3}, "spec": spec, "status": status or {}}


def decide(given, pods, replicas=4):
    return decision.decide(given, pods, {"u": decision.Found("u", replicas)}, NOW)


@pytest.mark.parametrize(
    ("spec", "ready", "expected"),
    [
        ({"minAvailable": 2}, 3, (3, 2, 3, 1)),
        ({"minAvailable": 5}, 3, (3, 5, 3, 0)),
        ({"minAvailable": "50%"}, 3, (4, 2, 3, 1)),
        ({"minAvailable": "51%"}, 4, (4, 3, 4, 1)),
        ({"maxUnavailable": 1}, 4, (4, 3, 4, 1)),
        ({"maxUnavailable": 1}, 3, (4, 3, 3, 0)),
        ({"maxUnavailable": "30%"}, 4, (4, 2, 4, 2)),
        ({"maxUnavailable": 9}, 2, (4, 0, 2, 2)),
        ({"minAvailable": 0}, 0, (0, 0, 0, 0)),
        ({}, 3, (0, 0, 3, 0)),
    ],
)
def test_what_may_go_is_what_is_healthy_beyond_what_must_be(spec, ready, expected):
    status = decide(budget(**spec), [pod(f"p{n}") for n in range(ready)]).status
    names = ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed")
    assert tuple(status[name] for name in names) == expected
    assert status["observedGeneration"] == 3
    condition = conditions.find({"status": status}, "DisruptionAllowed")
    told = ("True", "SufficientPods") if expected[3] else ("False", "InsufficientPods")
    assert (condition["status"], condition["reason"]) == told
    assert condition["observedGeneration"] == 3


def test_pods_that_are_unready_or_going_are_not_healthy():
    pods = [pod("a"), pod("b", ready=False), pod("c", deletionTimestamp="2024-01-01T00:00:00Z")]
    assert decide(budget(minAvailable=1), pods).status["currentHealthy"] == 1


def test_a_pod_that_was_let_go_counts_as_gone_for_two_minutes():
    then, before = timestamps.encode(NOW - 30), timestamps.encode(NOW - 121)
    granted = {"disruptedPods": {"a": then, "b": before, "gone": then}}
    outcome = decide(budget(granted, minAvailable=1), [pod("a"), pod("b"), pod("c")])
    assert outcome.status["currentHealthy"] == 2
    assert outcome.status["disruptedPods"] == {"a": then}
    assert outcome.overdue == ("b",)
    assert outcome.recheck == pytest.approx(90)


def test_an_eviction_of_a_pod_that_was_not_seen_yet_is_kept_in_mind():
    """Or the pod would count as healthy when it is seen, and another one would go."""
    then, before = timestamps.encode(NOW - 30), timestamps.encode(NOW - 121)
    given = budget({"disruptedPods": {"new": then, "old": before}}, minAvailable=1)
    scales = {"u": decision.Found("u", 4)}
    outcome = decision.decide(given, [pod("a")], scales, NOW, behind=True)
    assert outcome.status["disruptedPods"] == {"new": then}
    assert outcome.recheck == decision.CATCH_UP
    assert "disruptedPods" not in decision.decide(given, [pod("a")], scales, NOW).status


def test_pods_without_a_controller_are_left_out_of_a_share():
    outcome = decide(budget(maxUnavailable=1), [pod("a"), pod("b", owned=False)])
    assert outcome.unmanaged == ("b",)
    assert outcome.status["expectedPods"] == 4


def test_a_controller_that_nobody_knows_makes_the_budget_fail_closed():
    given = budget({"disruptionsAllowed": 4}, maxUnavailable=1)
    with pytest.raises(decision.Incalculable, match='found no controllers for pod "a"') as caught:
        decision.decide(given, [pod("a")], {"u": None}, NOW)
    status = decision.failed(given, str(caught.value), NOW)
    assert status["disruptionsAllowed"] == 0
    assert conditions.find({"status": status}, "DisruptionAllowed")["reason"] == "SyncFailed"
