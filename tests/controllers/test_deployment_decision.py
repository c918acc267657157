"""One step of a Deployment as a value: conditions, progress and actions."""

import pytest

from cluster.controllers.deployment import decision, hashing, progress, revisions, status

NOW = 1_800_000_000.0
START = "2027-01-15T08:00:00Z"


def deployment(replicas=2, **spec):
    return {
        "metadata": {
            "name": "web",
            "namespace": "default",
            "uid": "d",
            "generation": 1,
            "annotations": {},
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "new"}]},
            },
            **spec,
        },
    }


def created(found, **counts):
    """The ReplicaSet that a decision created, as the cache shows it later."""
    (action,) = [a for a in found.actions if isinstance(a, decision.CreateReplicaSet)]
    made = action.object
    made["metadata"] |= {"uid": "rs1", "generation": 1, "creationTimestamp": START}
    return made | {"status": counts}


def with_status(source, found):
    annotations = {revisions.REVISION: str(found.revision)}
    return {
        **source,
        "metadata": {**source["metadata"], "annotations": annotations},
        "status": found.status,
    }


def test_the_first_step_creates_the_replica_set_and_says_so() -> None:
    found = decision.decide(deployment(3), [], False, NOW)
    (action,) = found.actions
    made = action.object
    value = made["metadata"]["labels"][hashing.LABEL]
    assert made["metadata"]["name"] == f"web-{value}"
    assert made["spec"]["replicas"] == 3
    assert made["spec"]["selector"]["matchLabels"] == {"app": "web", hashing.LABEL: value}
    assert made["spec"]["template"]["metadata"]["labels"][hashing.LABEL] == value
    assert made["metadata"]["annotations"] == {
        revisions.REVISION: "1",
        revisions.DESIRED: "3",
        revisions.MAXIMUM: "4",
    }
    assert found.revision == 1
    told = status.find(found.status, "Progressing")
    assert (told["status"], told["reason"]) == ("True", "NewReplicaSetCreated")
    assert told["message"] == f'Created new replica set "web-{value}"'
    available = status.find(found.status, "Available")
    assert (available["status"], available["reason"]) == ("False", "MinimumReplicasUnavailable")
    assert available["message"] == "Deployment does not have minimum availability."


def test_progress_then_completion() -> None:
    first = decision.decide(deployment(2), [], False, NOW)
    under_way = with_status(deployment(2), first)
    half = created(first, replicas=2, readyReplicas=1, availableReplicas=1)
    second = decision.decide(under_way, [half], False, NOW + 5)
    assert not second.actions
    told = status.find(second.status, "Progressing")
    assert told["reason"] == "ReplicaSetUpdated"
    assert told["message"] == f'ReplicaSet "{half["metadata"]["name"]}" is progressing.'
    assert told["lastTransitionTime"] == START
    assert told["lastUpdateTime"] == "2027-01-15T08:00:05Z"
    assert second.again_in == pytest.approx(601)
    full = half | {"status": {"replicas": 2, "readyReplicas": 2, "availableReplicas": 2}}
    third = decision.decide(with_status(under_way, second), [full], False, NOW + 9)
    told = status.find(third.status, "Progressing")
    assert told["reason"] == "NewReplicaSetAvailable"
    assert third.again_in is None
    fourth = decision.decide(with_status(under_way, third), [full], False, NOW + 900)
    assert fourth.status == third.status


def test_pods_lost_after_completion_do_not_start_the_deadline_again() -> None:
    first = decision.decide(deployment(2), [], False, NOW)
    full = created(first, replicas=2, readyReplicas=2, availableReplicas=2)
    done = decision.decide(with_status(deployment(2), first), [full], False, NOW)
    lost = full | {"status": {"replicas": 2}}
    later = decision.decide(with_status(deployment(2), done), [lost], False, NOW + 5000)
    assert status.find(later.status, "Progressing")["reason"] == "NewReplicaSetAvailable"
    assert status.find(later.status, "Available")["status"] == "False"


@pytest.mark.parametrize(
    ("after", "reason"), [(599, "NewReplicaSetCreated"), (601, "ProgressDeadlineExceeded")]
)
def test_the_deadline(after, reason) -> None:
    first = decision.decide(deployment(2), [], False, NOW)
    stuck = created(first, replicas=0)
    later = decision.decide(with_status(deployment(2), first), [stuck], False, NOW + after)
    assert status.find(later.status, "Progressing")["reason"] == reason


@pytest.mark.parametrize("deadline", [None, 2**31 - 1])
def test_without_a_deadline_there_is_no_progressing_condition(deadline) -> None:
    source = deployment(2, progressDeadlineSeconds=deadline)
    found = decision.decide(source, [], False, NOW)
    assert status.find(found.status, "Progressing") is None
    assert found.again_in is None


def test_a_deleted_deployment_only_reports() -> None:
    source = deployment(2)
    source["metadata"]["deletionTimestamp"] = START
    assert decision.decide(source, [], False, NOW).actions == []


def test_recreate_empties_the_old_first_and_waits_for_its_pods() -> None:
    source = deployment(2, strategy={"type": "Recreate"})
    old = {
        "metadata": {"name": "old", "creationTimestamp": START, "annotations": {}, "uid": "o"},
        "spec": {
            "replicas": 2,
            "template": {"spec": {"containers": [{"name": "c", "image": "a"}]}},
        },
        "status": {"replicas": 2},
    }
    (action,) = decision.decide(source, [old], True, NOW).actions
    assert (action.before, action.after) == (2, 0)
    emptied = old | {"spec": old["spec"] | {"replicas": 0}, "status": {"replicas": 0}}
    assert decision.decide(source, [emptied], True, NOW).actions == []
    (action,) = decision.decide(source, [emptied], False, NOW).actions
    assert action.object["spec"]["replicas"] == 2
    assert action.object["metadata"]["annotations"][revisions.REVISION] == "1"


def test_a_replica_failure_shows_in_the_deployment() -> None:
    first = decision.decide(deployment(2), [], False, NOW)
    failing = created(
        first,
        conditions=[
            {
                "type": "ReplicaFailure",
                "status": "True",
                "reason": "FailedCreate",
                "message": "exceeded quota",
                "lastTransitionTime": START,
            }
        ],
    )
    found = decision.decide(with_status(deployment(2), first), [failing], False, NOW)
    told = status.find(found.status, "ReplicaFailure")
    assert (told["reason"], told["message"]) == ("FailedCreate", "exceeded quota")
    healed = failing | {"status": {"replicas": 2}}
    later = decision.decide(with_status(deployment(2), found), [healed], False, NOW)
    assert status.find(later.status, "ReplicaFailure") is None


def test_scaling_does_not_touch_progress_and_refreshes_the_annotations() -> None:
    first = decision.decide(deployment(2), [], False, NOW)
    full = created(first, replicas=2, readyReplicas=2, availableReplicas=2)
    done = decision.decide(with_status(deployment(2), first), [full], False, NOW)
    grown = with_status(deployment(5), done)
    found = decision.decide(grown, [full], False, NOW + 10)
    (action,) = found.actions
    assert (action.before, action.after) == (2, 5)
    assert action.object["metadata"]["annotations"][revisions.DESIRED] == "5"
    assert action.object["metadata"]["annotations"][revisions.MAXIMUM] == "7"
    assert status.find(found.status, "Progressing") == status.find(done.status, "Progressing")


def test_check_after_looks_again_one_second_past_the_deadline() -> None:
    source = deployment(2)
    told = {"conditions": [status.condition("Progressing", "True", "ReplicaSetUpdated", "", NOW)]}
    assert progress.check_after(source, told, NOW + 420) == pytest.approx(181)


def test_a_finished_rollout_that_lost_pods_is_not_looked_at_again_by_time() -> None:
    source = deployment(2)
    reason = "NewReplicaSetAvailable"
    told = {"conditions": [status.condition("Progressing", "True", reason, "", NOW)]}
    assert progress.check_after(source, told, NOW + 5000) is None
