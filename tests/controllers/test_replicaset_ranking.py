"""Who goes first when a ReplicaSet shrinks, and what its status says."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import timestamps
from cluster.controllers.replicaset import ranking, status

NOW = 1_800_000_000.0


def pod(
    uid, *, node="n", phase="Running", ready=True, age=1000.0, ready_for=None, restarts=0, cost=None
):
    since = timestamps.encode(NOW - (age if ready_for is None else ready_for))
    annotations = {} if cost is None else {ranking.DELETION_COST: cost}
    conditions = [
        {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}
    ]
    return {
        "metadata": {
            "uid": uid,
            "creationTimestamp": timestamps.encode(NOW - age),
            "annotations": annotations,
            "labels": {"app": "web"},
        },
        "spec": {"nodeName": node},
        "status": {
            "phase": phase,
            "conditions": conditions,
            "containerStatuses": [{"restartCount": restarts}],
        },
    }


def first(*pods, per_node=None, count=1):
    found = ranking.victims(list(pods), count, per_node or {}, NOW)
    return [victim["metadata"]["uid"] for victim in found]


@pytest.mark.parametrize(
    ("goes", "stays"),
    [
        (pod("a", node=""), pod("b", phase="Pending", ready=False)),
        (pod("a", phase="Pending"), pod("b", phase="Unknown")),
        (pod("a", phase="Unknown"), pod("b")),
        (pod("a", ready=False), pod("b", cost="-5")),
        (pod("a", cost="-1"), pod("b")),
        (pod("a", cost="1"), pod("b", cost="2")),
        (pod("a", ready_for=10), pod("b", ready_for=900)),
        (pod("a", restarts=3), pod("b")),
        (pod("a", ready=False, restarts=0, age=10), pod("b", ready=False, restarts=0, age=900)),
    ],
)
def test_the_order_of_criteria(goes, stays) -> None:
    assert first(goes, stays) == ["a"]
    assert first(stays, goes) == ["a"]


def test_a_pod_among_many_goes_before_one_alone() -> None:
    crowded, alone = pod("a", node="crowd"), pod("b", node="quiet")
    assert first(alone, crowded, per_node={"crowd": 3, "quiet": 1}) == ["a"]


def test_ages_of_one_magnitude_are_alike_and_the_uid_decides() -> None:
    # 600 s and 900 s lie between the same powers of two of nanoseconds.
    assert first(pod("a", ready_for=900), pod("b", ready_for=600)) == ["a"]
    assert first(pod("b", ready_for=900), pod("a", ready_for=600)) == ["a"]


@pytest.mark.parametrize("text", ["+5", "05", "1.5", "", "x", str(2**31), "5 "])
def test_a_cost_that_is_no_32_bit_integer_counts_as_zero(text) -> None:
    assert ranking.deletion_cost(pod("a", cost=text)) == 0


@given(
    st.permutations([pod(str(n), ready=n % 2 == 0, restarts=n % 3, age=10.0**n) for n in range(6)])
)
def test_the_choice_does_not_depend_on_the_order_given(pods) -> None:
    reference = sorted(pods, key=lambda found: found["metadata"]["uid"])
    assert first(*pods, count=3) == first(*reference, count=3)


def test_taking_all_or_more_takes_all() -> None:
    assert len(first(pod("a"), pod("b"), count=5)) == 2


SET = {
    "metadata": {"generation": 4},
    "spec": {"replicas": 3, "template": {"metadata": {"labels": {"app": "web"}}}},
}


def test_status_counts_and_leaves_zeros_out() -> None:
    odd = pod("c", ready=False)
    odd["metadata"]["labels"] = {"app": "other"}
    found = status.compute(SET, [pod("a"), pod("b", ready=False), odd], None, NOW)
    assert found.status == {
        "replicas": 3,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "observedGeneration": 4,
    }
    assert status.compute(SET, [], None, NOW).status == {"replicas": 0, "observedGeneration": 4}


def test_a_ready_pod_is_available_after_min_ready_seconds() -> None:
    patient = {**SET, "spec": {**SET["spec"], "minReadySeconds": 30}}
    pods = [pod("a", ready_for=40), pod("b", ready_for=10), pod("c", ready_for=25)]
    found = status.compute(patient, pods, None, NOW)
    assert found.status["readyReplicas"] == 3
    assert found.status["availableReplicas"] == 1
    assert found.next_available == NOW + 5
    later = status.compute(patient, pods, None, NOW + 5)
    assert later.status["availableReplicas"] == 2


def test_a_failure_is_kept_until_it_is_over() -> None:
    failure = status.Failure("FailedCreate", "no")
    first_time = status.compute(SET, [], failure, NOW).status
    (told,) = first_time["conditions"]
    assert (told["type"], told["status"], told["reason"]) == (
        "ReplicaFailure",
        "True",
        "FailedCreate",
    )
    again = status.compute({**SET, "status": first_time}, [], failure, NOW + 50).status
    assert again["conditions"] == [told]
    healed = status.compute({**SET, "status": again}, [], None, NOW + 60).status
    assert "conditions" not in healed


def test_every_pair_is_ordered_one_way_only() -> None:
    pods = [
        pod(str(n), ready=ready, restarts=restarts, ready_for=ready_for)
        for n, (ready, restarts, ready_for) in enumerate(
            itertools.product([True, False], [0, 2], [10, 600, 900])
        )
    ]
    for one, other in itertools.combinations(pods, 2):
        assert first(one, other) == first(other, one)
