"""One step of a StatefulSet, as tables: pods seen, what is asked for, what is done."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statefulsets import rolling, stateful_set

from cluster.api import timestamps
from cluster.controllers.statefulset import claims, decision, identity, observed, settings, status
from cluster.controllers.statefulset.tasks import Verb

NOW = 1_800_000_000.0
REVISIONS = status.Revisions("old", "new", 0)

PARALLEL = {"podManagementPolicy": "Parallel"}


def pod(ordinal: int, told: str, set_name: str = "web") -> dict[str, Any]:
    """A pod of words: its revision, then ready, pending, failed, succeeded, terminating, ready:AGE
    (seconds).
    """
    revision, *words = told.split()
    name = f"{set_name}-{ordinal}"
    meta: dict[str, Any] = {
        "name": name,
        "namespace": "default",
        "uid": f"uid-{name}",
        "labels": {
            "app": "web",
            "controller-revision-hash": revision,
            "statefulset.kubernetes.io/pod-name": name,
        },
    }
    state: dict[str, Any] = {"phase": "Running"}
    for word in words:
        if word == "terminating":
            meta["deletionTimestamp"] = timestamps.encode(NOW)
        elif word.startswith("ready"):
            age = float(word.partition(":")[2] or 1000)
            since = timestamps.encode(NOW - age)
            state["conditions"] = [{"type": "Ready", "status": "True", "lastTransitionTime": since}]
        else:
            state["phase"] = word.title()
    return {"metadata": meta, "spec": {}, "status": state}


def step(
    pods: dict[int, str], *, one_by_one: bool = False, deleting: bool = False, **spec: Any
) -> Any:
    made = stateful_set(**spec)
    made["metadata"]["uid"] = "uid-web"
    if deleting:
        made["metadata"]["deletionTimestamp"] = timestamps.encode(NOW)
    asked = settings.of(made)
    found = [pod(ordinal, told) for ordinal, told in pods.items()]
    seen = observed.of(observed.pods_of("web", found), asked, NOW)
    lookup = claims.Claims(made, asked, lambda name: None)
    return decision.decide(made, asked, seen, lookup, REVISIONS, one_by_one=one_by_one)


def every(count: int, told: str) -> dict[int, str]:
    return dict.fromkeys(range(count), told)


def said(found: Any) -> list[str]:
    return [
        f"{task.verb} {task.ordinal}{' ' + task.revision if task.revision else ''}"
        for phase in found.phases
        for task in phase
    ]


ORDERED = [
    # pods, spec, what is done
    ({}, {}, ["create 0 new"]),
    ({0: "new"}, {}, []),
    ({0: "new pending"}, {}, []),
    ({0: "new ready"}, {}, ["create 1 new"]),
    ({0: "new ready terminating"}, {}, []),
    ({0: "new ready", 2: "new ready"}, {}, ["create 1 new"]),
    ({0: "new ready:5"}, {"minReadySeconds": 10}, []),
    ({0: "new ready:10"}, {"minReadySeconds": 10}, ["create 1 new"]),
    ({0: "new failed"}, {}, ["delete 0"]),
    ({0: "new succeeded"}, {}, ["delete 0"]),
    ({0: "new failed terminating"}, {}, []),
    (every(3, "new ready"), {}, []),
    # Start of the ordinals.
    ({}, {"ordinals": {"start": 7}}, ["create 7 new"]),
    ({0: "new ready"}, {"ordinals": {"start": 1}, "replicas": 1}, ["create 1 new"]),
    ({0: "new ready", 1: "new ready"}, {"ordinals": {"start": 1}, "replicas": 1}, ["delete 0"]),
    # Scaling down.
    (every(5, "new ready"), {}, ["delete 4"]),
    (every(4, "new ready") | {4: "new ready terminating"}, {}, []),
    (every(4, "new ready") | {4: "new"}, {}, ["delete 4"]),
    (every(3, "new ready") | {3: "new", 4: "new ready"}, {}, ["delete 4"]),
    (every(3, "new ready") | {3: "new", 4: "new"}, {}, []),
    ({0: "new", 1: "new ready", 2: "new ready", 3: "new ready"}, {}, []),
    # Updating.
    (every(3, "old ready"), {}, ["delete 2"]),
    ({0: "old ready", 1: "old ready", 2: "new ready"}, {}, ["delete 1"]),
    ({0: "old ready", 1: "old ready", 2: "new"}, {}, []),
    ({0: "old ready", 1: "old ready"}, {}, ["create 2 new"]),
    (every(4, "old ready"), {}, ["delete 3"]),
    (every(3, "old ready"), {"updateStrategy": {"type": "OnDelete"}}, []),
    ({0: "old ready"}, {"updateStrategy": {"type": "OnDelete"}}, ["create 1 new"]),
    (every(3, "old ready"), {"updateStrategy": rolling(partition=3)}, []),
    (every(3, "old ready"), {"updateStrategy": rolling(partition=9)}, []),
    ({0: "old ready"}, {"updateStrategy": rolling(partition=2)}, ["create 1 old"]),
    ({0: "old ready", 1: "old ready"}, {"updateStrategy": rolling(partition=2)}, ["create 2 new"]),
    (
        every(3, "old ready"),
        {"updateStrategy": rolling(maxUnavailable=2)},
        ["delete 2", "delete 1"],
    ),
    (
        every(3, "old ready"),
        {"updateStrategy": rolling(maxUnavailable="10%")},
        ["delete 2"],
    ),
    (
        {5: "old ready", 6: "old ready"},
        {"updateStrategy": rolling(partition=1), "ordinals": {"start": 5}, "replicas": 2},
        ["delete 6"],
    ),
    # The known issue: what is broken is in the way of what would mend it.
    ({0: "new ready", 1: "new ready", 2: "broken"}, {}, []),
]  # fmt: skip


@pytest.mark.parametrize(("pods", "spec", "done"), ORDERED)
def test_in_order(pods: dict[int, str], spec: dict[str, Any], done: list[str]) -> None:
    assert said(step(pods, **spec)) == done


BOTH = [
    ({}, {}, ["create 0 new", "create 1 new", "create 2 new"]),
    ({1: "new"}, {}, ["create 0 new", "create 2 new"]),
    ({0: "new failed", 1: "new terminating"}, {}, ["delete 0", "create 2 new"]),
    (every(6, "new"), {}, ["delete 5", "delete 4", "delete 3"]),
    ({0: "new ready", 1: "new ready", 4: "new"}, {}, ["create 2 new", "delete 4"]),
]
NEW = [
    # One down, one may be: nothing goes but what is broken.
    ({0: "old ready", 1: "old ready", 2: "new"}, {}, []),
    ({0: "old ready", 1: "old", 2: "old ready"}, {}, ["delete 1"]),
    ({0: "old", 1: "old", 2: "old"}, {}, ["delete 2", "delete 1", "delete 0"]),
    ({0: "old", 1: "old ready", 2: "old ready"}, {"updateStrategy": rolling(partition=1)}, []),
    (
        {0: "old", 1: "old ready", 2: "old ready"},
        {"updateStrategy": rolling(maxUnavailable=2)},
        ["delete 0", "delete 2"],
    ),
    ({0: "old failed", 1: "old ready", 2: "old ready"}, {}, ["delete 0"]),
    ({0: "old ready", 1: "old ready"}, {}, ["create 2 new"]),
    (
        every(3, "old ready"),
        {"updateStrategy": rolling(maxUnavailable="100%")},
        ["delete 2", "delete 1", "delete 0"],
    ),
]
BEFORE_1_35 = [
    (every(3, "old ready"), {"updateStrategy": rolling(maxUnavailable=3)}, ["delete 2"]),
    ({0: "old ready", 1: "old ready", 2: "new"}, {}, []),
    # What is broken below does not count; what is broken above does.
    ({0: "old", 1: "old ready", 2: "old ready"}, {}, ["delete 2"]),
    ({0: "old failed", 1: "new ready", 2: "new ready"}, {}, ["delete 0"]),
    ({0: "old ready", 1: "old ready"}, {}, ["create 2 new"]),
]  # fmt: skip


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize(("pods", "spec", "done"), BOTH)
def test_in_parallel(
    pods: dict[int, str], spec: dict[str, Any], done: list[str], one_by_one: bool
) -> None:
    assert said(step(pods, one_by_one=one_by_one, **PARALLEL, **spec)) == done


@pytest.mark.parametrize(("pods", "spec", "done"), NEW)
def test_updates_in_parallel(pods: dict[int, str], spec: dict[str, Any], done: list[str]) -> None:
    assert said(step(pods, **PARALLEL, **spec)) == done


@pytest.mark.parametrize(("pods", "spec", "done"), BEFORE_1_35)
def test_updates_in_parallel_before_1_35(
    pods: dict[int, str], spec: dict[str, Any], done: list[str]
) -> None:
    assert said(step(pods, one_by_one=True, **PARALLEL, **spec)) == done


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize(("policy", "made"), [("OrderedReady", 1), ("Parallel", decision.MOST_NEW)])
def test_however_many_are_asked_for_a_step_is_bounded(
    policy: str, made: int, one_by_one: bool
) -> None:
    top = 2**31 - 2
    found = step(
        {0: "old ready", 2: "old failed", top: "old"},
        replicas=2**31 - 1,
        podManagementPolicy=policy,
        one_by_one=one_by_one,
    )
    created = [task.ordinal for task in found.replicas if task.verb is Verb.CREATE]
    assert len(created) == made
    assert created[0] == 1
    if policy == "Parallel":
        assert "delete 2" in said(found)
        assert [task.ordinal for task in found.update] == [top]


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_a_set_that_is_going_does_nothing(policy: str) -> None:
    found = step({0: "old failed", 7: "old ready"}, deleting=True, podManagementPolicy=policy)
    assert said(found) == []


def test_the_next_look_is_when_a_pod_is_old_enough() -> None:
    found = step({0: "new ready:4", 1: "new ready:7"}, minReadySeconds=10)
    assert found.again_at == NOW + 3
    assert step({0: "new ready:10"}, minReadySeconds=10).again_at is None


STATES = st.sampled_from(
    ["old ready", "new ready", "old", "new", "new pending", "old failed", "new ready terminating",
     "old terminating"]
)  # fmt: skip


@given(
    pods=st.dictionaries(st.integers(0, 8), STATES),
    replicas=st.integers(0, 6),
    down=st.integers(1, 4),
    partition=st.integers(0, 4),
    policy=st.sampled_from(["OrderedReady", "Parallel"]),
)
def test_a_step_never_takes_more_than_it_may(
    pods: dict[int, str], replicas: int, down: int, partition: int, policy: str
) -> None:
    found = step(
        pods,
        replicas=replicas,
        podManagementPolicy=policy,
        updateStrategy=rolling(maxUnavailable=down, partition=partition),
    )
    serving = {n for n, told in pods.items() if "ready" in told and "terminating" not in told}
    wanted = set(range(replicas))
    taken = {task.ordinal for task in found.update} & serving
    assert all(task.ordinal >= partition and task.ordinal in wanted for task in found.update)
    before = len(wanted - serving)
    assert len(taken) <= max(0, down - before)
    changed = [task for task in found.replicas if task.verb in (Verb.CREATE, Verb.DELETE)]
    if policy == "OrderedReady":
        assert len(changed) + len(found.condemned) <= 1
        for task in changed:
            assert set(range(task.ordinal)) <= serving
        if found.condemned or found.update:
            assert wanted <= serving
    made = [task.ordinal for task in changed if task.verb is Verb.CREATE]
    assert not set(made) & set(pods), "a pod that is there was made again"
    doomed = [t.ordinal for phase in found.phases for t in phase if t.verb is Verb.DELETE]
    assert len(set(doomed)) == len(doomed), "a pod is deleted twice"


# Names


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("web-0", ("web", 0)),
        ("a-b-12", ("a-b", 12)),
        ("web-2147483647", ("web", 2147483647)),
        ("web-2147483648", None),
        ("web-99999999999", None),
        ("web-01", None),
        ("web-00", None),
        ("web-", None),
        ("web", None),
        ("web--1", ("web-", 1)),
        ("web-x", None),
        ("web-²", None),
        ("", None),
    ],
)
def test_an_ordinal_is_read_from_a_name(name: str, found: tuple[str, int] | None) -> None:
    assert identity.split(name) == found


@given(st.text(max_size=20))
def test_a_name_that_gives_an_ordinal_is_the_name_of_that_ordinal(name: str) -> None:
    found = identity.split(name)
    assert found is None or identity.pod_name(*found) == name


# Status


@pytest.mark.parametrize(
    ("pods", "spec", "told"),
    [
        ({}, {}, "0 0 0 0 0 old"),
        ({0: "old ready", 1: "new", 2: "new ready terminating"}, {}, "3 2 1 1 2 old"),
        (every(3, "new ready"), {}, "3 3 3 3 3 new"),
        (every(4, "new ready"), {}, "4 4 0 4 4 old"),
        (every(3, "new ready"), {"updateStrategy": {"type": "OnDelete"}},
         "3 3 0 3 3 old"),
        ({0: "new ready:3", 1: "new ready", 2: "new ready"}, {"minReadySeconds": 9},
         "3 3 3 3 2 new"),
    ],
)  # fmt: skip
def test_the_status_counts(pods: dict[int, str], spec: dict[str, Any], told: str) -> None:
    """replicas, ready, current, updated, available, and the current revision."""
    made = stateful_set(**spec)
    asked = settings.of(made)
    found = [pod(ordinal, text) for ordinal, text in pods.items()]
    seen = observed.of(observed.pods_of("web", found), asked, NOW)
    computed = status.compute(made, asked, seen.everyone(), REVISIONS)
    counts = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas",
              "availableReplicas")  # fmt: skip
    line = " ".join(str(computed.get(name, 0)) for name in counts)
    assert f"{line} {computed['currentRevision']}" == told
    assert status.same(computed, computed)
    assert not status.same({}, computed)


def test_what_an_update_took_is_of_the_current_revision_no_more() -> None:
    made = stateful_set()
    asked = settings.of(made)
    found = [pod(n, "old ready") for n in range(3)]
    seen = observed.of(observed.pods_of("web", found), asked, NOW)
    told = status.compute(made, asked, seen.everyone(), REVISIONS, replaced=2)
    assert (told["currentReplicas"], told["replicas"]) == (1, 3)
