"""Pod failure policies, success policies, back-off and the order in which pods are ended."""

import pytest

from cluster.controllers.job import failurepolicy, finishing, intervals, removal, successpolicy


def _pod(name="p", codes=(), conditions=(), init=(), **meta):
    def states(listed):
        return [
            {"name": n, "state": {"terminated": {"exitCode": c}} if c is not None else {}}
            for n, c in listed
        ]

    return {
        "metadata": {"name": name, "namespace": "s", "uid": name, **meta},
        "status": {
            "phase": "Failed",
            "containerStatuses": states(codes),
            "initContainerStatuses": states(init),
            "conditions": [{"type": t, "status": s} for t, s in conditions],
        },
    }


def _on_codes(action, operator, *values, container=None):
    codes = {"operator": operator, "values": [*values]}
    if container:
        codes["containerName"] = container
    return {"action": action, "onExitCodes": codes}


def _on_condition(action, kind, status="True"):
    return {"action": action, "onPodConditions": [{"type": kind, "status": status}]}


@pytest.mark.parametrize(
    ("rules", "pod", "action"),
    [
        ([], _pod(codes=[("c", 1)]), ""),
        ([_on_codes("Ignore", "In", 1, 2)], _pod(codes=[("c", 2)]), "Ignore"),
        ([_on_codes("Ignore", "In", 1, 2)], _pod(codes=[("c", 3)]), ""),
        ([_on_codes("Ignore", "NotIn", 1)], _pod(codes=[("c", 3)]), "Ignore"),
        ([_on_codes("Ignore", "NotIn", 1)], _pod(codes=[("c", 0)]), ""),
        ([_on_codes("Ignore", "NotIn", 1)], _pod(codes=[("c", None)]), ""),
        ([_on_codes("Count", "In", 5, container="b")], _pod(codes=[("a", 5), ("b", 0)]), ""),
        ([_on_codes("Count", "In", 5, container="b")], _pod(codes=[("a", 0), ("b", 5)]), "Count"),
        ([_on_codes("FailIndex", "In", 5)], _pod(codes=[("a", 0)], init=[("i", 5)]), "FailIndex"),
        (
            [_on_condition("Ignore", "DisruptionTarget"), _on_codes("FailJob", "In", 1)],
            _pod(codes=[("c", 1)], conditions=[("DisruptionTarget", "True")]),
            "Ignore",
        ),
        (
            [_on_condition("Ignore", "DisruptionTarget")],
            _pod(conditions=[("DisruptionTarget", "False")]),
            "",
        ),
        ([_on_condition("Explode", "X")], _pod(conditions=[("X", "True")]), ""),
    ],
)
def test_the_first_rule_that_matches_decides(rules, pod, action):
    verdict = failurepolicy.judge({"rules": rules}, pod)
    assert verdict.action == action
    assert verdict.counted == (action != "Ignore")


def test_a_rule_that_fails_the_job_says_why():
    pod = _pod(conditions=[("ConfigIssue", "True")])
    rules = {"rules": [_on_codes("Ignore", "In", 9), _on_condition("FailJob", "ConfigIssue")]}
    message = "Pod s/p has condition ConfigIssue matching FailJob rule at index 1"
    assert failurepolicy.judge(rules, pod).message == message
    assert failurepolicy.judge(None, pod) == failurepolicy.Verdict()


@pytest.mark.parametrize(
    ("rules", "done", "rule"),
    [
        ([{"succeededIndexes": "0,2-3"}], {0, 2, 3}, 0),
        ([{"succeededIndexes": "0,2-3"}], {0, 1, 2}, None),
        ([{"succeededIndexes": "0-9", "succeededCount": 2}], {3, 8}, 0),
        ([{"succeededIndexes": "0-4", "succeededCount": 2}], {3, 8}, None),
        ([{"succeededCount": 3}, {"succeededIndexes": "7"}], {1, 7}, 1),
        ([{"succeededCount": 2}], {1, 7}, 0),
        ([{"succeededCount": 0}], set(), None),
        ([{"succeededIndexes": "20-30"}], {1}, None),
    ],
)
def test_a_success_policy_is_met_by_one_of_its_rules(rules, done, rule):
    message = successpolicy.met({"rules": rules}, 10, intervals.singles(done))
    assert message == (None if rule is None else f"Matched rules at index {rule}")


@pytest.mark.parametrize(
    ("failures", "since", "left"),
    [
        (0, 0, 0),
        (1, 0, 10),
        (1, 4, 6),
        (1, 60, 0),
        (2, 0, 20),
        (4, 10, 70),
        (7, 0, 600),
        (10**9, 0, 600),
    ],
)
def test_the_wait_doubles_up_to_ten_minutes(failures, since, left):
    assert finishing.remaining(failures, 1000.0, 1000.0 + since) == left


def _ended(at, name="p"):
    pod = _pod(name)
    stamp = f"2027-01-15T08:00:{at:02d}Z"
    pod["status"]["containerStatuses"] = [
        {"name": "c", "state": {"terminated": {"exitCode": 1, "finishedAt": stamp}}}
    ]
    return pod


START = 1_800_000_000.0


@pytest.mark.parametrize(
    ("succeeded", "failed", "record"),
    [
        ((), (), finishing.Record(2, START)),
        ((), (5, 9, 7), finishing.Record(5, START + 9)),
        ((6,), (), finishing.Record()),
        ((6,), (5, 9, 7, 6), finishing.Record(2, START + 9)),
        ((8, 6), (5, 7), finishing.Record()),
    ],
)
def test_a_success_clears_the_failures_before_it(succeeded, failed, record):
    before = finishing.Record(2, START)
    pods = [_ended(at) for at in succeeded], [_ended(at) for at in failed]
    assert finishing.followed(before, *pods) == record


def test_a_pod_ended_when_its_last_container_did_or_as_its_conditions_say():
    pod = _ended(7)
    pod["status"]["initContainerStatuses"] = [
        {"name": "side", "state": {"terminated": {"finishedAt": "2027-01-15T08:00:20Z"}}}
    ]
    assert finishing.finished_at(pod) == START + 7
    pod["spec"] = {"initContainers": [{"name": "side", "restartPolicy": "Always"}]}
    assert finishing.finished_at(pod) == START + 20
    pod["status"]["containerStatuses"].append({"name": "d", "state": {"running": {}}})
    pod["metadata"]["creationTimestamp"] = "2027-01-15T08:00:01Z"
    assert finishing.finished_at(pod) == START + 1
    pod["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:40Z"
    pod["metadata"]["deletionGracePeriodSeconds"] = 30
    assert finishing.finished_at(pod) == START + 10
    pod["status"]["conditions"] = [
        {"type": "Ready", "status": "False", "lastTransitionTime": "2027-01-15T08:00:03Z"}
    ]
    assert finishing.finished_at(pod) == START + 3


def _running(name, index=None, phase="Running", node="n", ready=True, created=1, tracked=True):
    notes = {} if index is None else {"batch.kubernetes.io/job-completion-index": str(index)}
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "annotations": notes,
            "creationTimestamp": f"2027-01-15T08:00:{created:02d}Z",
            "finalizers": ["batch.kubernetes.io/job-tracking"] if tracked else [],
        },
        "spec": {"nodeName": node},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def test_pods_that_did_least_are_ended_first():
    pods = [
        _running("old"),
        _running("young", created=9),
        _running("unready", ready=False),
        _running("pending", phase="Pending", ready=False),
        _running("nowhere", phase="Pending", node="", ready=False),
        _running("cut-off", tracked=False),
    ]
    order = ["cut-off", "nowhere", "pending", "unready", "young", "old"]
    assert [pod["metadata"]["name"] for pod in removal.first_to_go(pods)] == order
    job = {"spec": {}}
    assert [pod["metadata"]["name"] for pod in removal.victims(job, pods, 2)] == order[:2]


def test_pods_without_a_place_among_the_indexes_are_ended():
    job = {"spec": {"completionMode": "Indexed", "completions": 2}}
    pods = [
        _running("zero", 0),
        _running("again", 0, ready=False),
        _running("one", 1),
        _running("beyond", 2),
        _running("none"),
        _running("odd", "x"),
    ]

    def names(at_least):
        return [pod["metadata"]["name"] for pod in removal.victims(job, pods, at_least)]

    assert names(0) == ["beyond", "none", "odd", "again"]
    assert names(5) == ["beyond", "none", "odd", "again", "one"]
