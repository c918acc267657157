"""What is to be done on nodes, in rolling updates, and after failures: as tables."""

from typing import Any

import pytest
from daemonsets import daemon_set, rolling
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import objects
from cluster.controllers.daemonset import failures, nodepods, observed, rollout, status
from cluster.controllers.daemonset.placement import LEAVE, RUN, STAY, Verdict
from cluster.controllers.daemonset.rollout import Limits

NOW = 1000.0


def pod(node: str, told: str) -> dict[str, Any]:
    """`told`: `new` or `old`, then any of ready, pending, failed, succeeded, going, unbound, and
    an age (`3` is older than `2`).
    """
    words = told.split()
    age = next((word for word in words if word.isdigit()), "0")
    made: dict[str, Any] = {
        "metadata": {
            "name": f"{node}-{told.replace(' ', '-')}",
            "uid": f"{node}-{told}",
            "labels": {"controller-revision-hash": words[0]},
            "creationTimestamp": f"2026-01-01T00:00:{50 - int(age):02}Z",
        },
        "spec": {"nodeName": node},
        "status": {"phase": "Running", "conditions": []},
    }
    if "unbound" in words:
        field = {"key": "metadata.name", "operator": "In", "values": [node]}
        required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
        made["spec"] = {
            "affinity": {
                "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}
            }
        }
    for phase in ("pending", "failed", "succeeded"):
        if phase in words:
            made["status"]["phase"] = phase.title()
    if "ready" in words:
        made["status"]["conditions"] = [
            {"type": "Ready", "status": "True", "lastTransitionTime": "1970-01-01T00:16:00Z"}
        ]
    if "going" in words:
        made["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:59Z"
    return made


def seen(
    pods: dict[str, list[str]], verdicts: dict[str, Verdict] | None = None, min_ready: int = 0
) -> observed.Observed:
    there = [pod(node, told) for node, several in pods.items() for told in several]
    found = verdicts if verdicts is not None else dict.fromkeys(pods, RUN)
    return observed.of(found, there, "new", min_ready, NOW)


def told(step: nodepods.Step) -> tuple[list[str], list[str]]:
    return step.create, [objects.name(one).replace("-", " ", 1) for one in step.delete]


@pytest.mark.parametrize(
    ("surging", "verdict", "there", "made", "deleted"),
    [
        (False, RUN, [], True, []),
        (False, STAY, [], False, []),
        (False, RUN, ["new ready"], False, []),
        (False, RUN, ["old ready"], False, []),
        (False, RUN, ["old going"], False, []),
        (False, RUN, ["new failed"], False, ["new failed"]),
        (False, RUN, ["new succeeded"], False, ["new succeeded"]),
        (False, RUN, ["new failed", "new ready"], False, ["new failed"]),
        (False, RUN, ["old 2 ready", "new 3 ready", "new 1"], False, ["old 2 ready", "new 1"]),
        (False, RUN, ["new 9 unbound", "new 1"], False, ["new 9 unbound"]),
        (False, RUN, ["new failed going"], True, []),
        (False, STAY, ["old ready"], False, []),
        (False, STAY, ["old 2", "old 1"], False, ["old 1"]),
        (False, LEAVE, ["old ready", "new going"], False, ["old ready"]),
        (True, RUN, ["old going"], True, []),
        (True, STAY, ["old going"], False, []),
        (True, RUN, ["old ready", "new"], False, []),
        (True, RUN, ["old ready", "new ready"], False, ["old ready"]),
        (True, RUN, ["old", "new"], False, ["old"]),
        (True, RUN, ["old 3 ready", "old 2", "new 2", "new 1"], False, ["new 1", "old 2"]),
        (True, RUN, ["new failed"], True, ["new failed"]),
    ],
)
def test_what_a_node_needs(
    surging: bool, verdict: Verdict, there: list[str], made: bool, deleted: list[str]
) -> None:
    step = nodepods.decide(seen({"n": there}, {"n": verdict}), surging, lambda _: 0.0)
    assert told(step) == (
        ["n"] if made else [],
        [f"n {one.replace(' ', '-')}" for one in deleted],
    )


@pytest.mark.parametrize("surging", [False, True])
def test_failed_pods_lie_there_while_they_back_off_and_nothing_takes_their_place(
    surging: bool,
) -> None:
    step = nodepods.decide(
        seen({"a": ["new failed"], "b": ["new failed"], "c": ["new succeeded"]}),
        surging,
        {"a": 4.0, "b": 2.0}.__getitem__,
    )
    assert told(step) == (["c"] if surging else [], ["c new-succeeded"])
    assert step.wait == 2.0
    assert [(node, one.phase) for node, one in step.ended] == [("c", "Succeeded")]


def test_pods_for_nodes_that_are_gone_are_deleted_unless_they_are_bound() -> None:
    found = seen({"gone": ["new unbound", "new 1", "old unbound going"]}, {})
    assert told(nodepods.decide(found, False, lambda _: 0.0)) == ([], ["gone new-unbound"])


@pytest.mark.parametrize(
    ("allowed", "nodes", "deleted"),
    [
        (1, {"a": ["old ready"], "b": ["old ready"]}, ["a"]),
        (2, {"a": ["old ready"], "b": ["old ready"], "c": ["old ready"]}, ["a", "b"]),
        (1, {"a": ["new"], "b": ["old ready"]}, []),
        (2, {"a": ["new"], "b": ["old ready"]}, ["b"]),
        (1, {"a": [], "b": ["old ready"]}, []),
        (1, {"a": ["old going"], "b": ["old ready"]}, []),
        (1, {"a": ["old"], "b": ["old ready"]}, ["a"]),
        (1, {"a": ["old"], "b": ["old"]}, ["a", "b"]),
        (2, {"a": ["old"], "b": ["old ready"]}, ["a", "b"]),
        (1, {"a": ["old 1 ready", "old 2 ready"], "b": ["old ready"]}, []),
        (1, {"a": ["new ready"], "b": ["old ready"]}, ["b"]),
    ],
)
def test_old_pods_make_way_within_the_limit(
    allowed: int, nodes: dict[str, list[str]], deleted: list[str]
) -> None:
    step = rollout.decide(seen(nodes), Limits(allowed, 0))
    assert [objects.name(one)[0] for one in step.delete] == deleted
    assert not step.create


@pytest.mark.parametrize(
    ("allowed", "nodes", "made", "deleted"),
    [
        (1, {"a": ["old ready"], "b": ["old ready"]}, ["a"], []),
        (1, {"a": ["old ready", "new"], "b": ["old ready"]}, [], []),
        (1, {"a": ["old ready", "new ready"], "b": ["old ready"]}, ["b"], ["a"]),
        (1, {"a": ["old"], "b": ["old ready"]}, ["a", "b"], []),
        (1, {"a": ["new"], "b": ["old ready"]}, ["b"], []),
        (1, {"a": ["old 1", "old 2"], "b": ["old ready"]}, [], []),
    ],
)
def test_new_pods_come_beside_old_ones_within_the_limit(
    allowed: int, nodes: dict[str, list[str]], made: list[str], deleted: list[str]
) -> None:
    step = rollout.decide(seen(nodes), Limits(0, allowed))
    assert sorted(step.create) == made
    assert [objects.name(one)[0] for one in step.delete] == deleted


@pytest.mark.parametrize(
    ("b", "deleted"),
    [(["new"], []), (["new ready"], ["a"]), ([], [])],
)
def test_with_surge_pods_stay_on_nodes_that_need_none_until_others_serve(
    b: list[str], deleted: list[str]
) -> None:
    found = seen({"a": ["old ready"], "b": b}, {"a": STAY, "b": RUN})
    step = rollout.decide(found, Limits(0, 1))
    assert [objects.name(one)[0] for one in step.delete] == deleted
    assert not step.create


@pytest.mark.parametrize(
    ("strategy", "desired", "limits", "surges"),
    [
        ({"type": "OnDelete"}, 10, Limits(0, 0), False),
        (rolling(), 10, Limits(1, 0), False),
        (rolling(maxUnavailable="15%"), 10, Limits(2, 0), False),
        (rolling(maxUnavailable="10%"), 3, Limits(1, 0), False),
        (rolling(maxUnavailable=0, maxSurge="25%"), 10, Limits(0, 3), True),
        (rolling(maxUnavailable=0, maxSurge=2), 10, Limits(0, 2), True),
        (rolling(maxUnavailable=0, maxSurge=0), 10, Limits(1, 0), False),
        (rolling(maxUnavailable="100%", maxSurge="0%"), 0, Limits(0, 0), False),
    ],
)
def test_limits(strategy: dict[str, Any], desired: int, limits: Limits, surges: bool) -> None:
    made = daemon_set(updateStrategy=strategy)
    assert rollout.limits(made, desired) == limits
    assert rollout.allows_surge(made) is surges


WORDS = st.lists(
    st.sampled_from(["old ready", "old", "new ready", "new", "old going", "new pending"]),
    max_size=1,
)


@given(st.lists(WORDS, max_size=8), st.integers(1, 4))
def test_an_update_never_takes_what_serves_beyond_its_limit(there: list[list[str]], n: int) -> None:
    found = seen({f"n{at}": words for at, words in enumerate(there)})
    gone = {objects.uid(one) for one in rollout.decide(found, Limits(n, 0)).delete}

    def serves(one: observed.Daemon) -> bool:
        return one.available and not one.terminating

    daemons = [one for several in found.pods.values() for one in several]
    down = len(there) - sum(serves(one) for one in daemons)
    taken = sum(serves(one) for one in daemons if objects.uid(one.pod) in gone)
    assert taken <= max(0, n - down)
    assert not any(one.updated for one in daemons if objects.uid(one.pod) in gone)


def test_pods_must_have_been_ready_for_long_enough() -> None:
    young = seen({"a": ["old ready"], "b": ["old ready"]}, min_ready=60)
    assert status.next_available(young) == 1020.0
    assert not young.pods["a"][0].available
    old = seen({"a": ["old ready"], "b": ["old ready"]}, min_ready=40)
    assert status.next_available(old) is None
    assert old.pods["a"][0].available


def test_the_status_counts_the_oldest_pod_of_each_node() -> None:
    found = seen(
        {"a": ["old 2 ready", "new 1"], "b": ["new"], "c": ["old ready"], "e": ["new ready"]},
        {"a": RUN, "b": RUN, "c": STAY, "d": RUN},
    )
    made = daemon_set()
    made["metadata"]["generation"] = 4
    made["status"] = {"observedGeneration": 3, "conditions": [{"type": "Theirs"}]}
    assert status.compute(made, found, 0, acted=True) == {
        "conditions": [{"type": "Theirs"}],
        "currentNumberScheduled": 2,
        "desiredNumberScheduled": 3,
        "numberAvailable": 1,
        "numberMisscheduled": 1,
        "numberReady": 1,
        "numberUnavailable": 2,
        "observedGeneration": 4,
        "updatedNumberScheduled": 1,
    }
    later = status.compute(made, found, 2, acted=False)
    assert (later["observedGeneration"], later["collisionCount"]) == (3, 2)


def test_back_off_doubles_to_fifteen_minutes_and_begins_anew() -> None:
    found = failures.FailedPods()
    now, waits = 0.0, []
    for _ in range(12):
        assert found.wait("u", 1, "n", now) == 0
        found.deleted("u", 1, "n", now)
        waits.append(found.wait("u", 1, "n", now))
        now += waits[-1]
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == 900
    found.deleted("u", 1, "n", now)
    assert found.wait("u", 1, "other", now) == 0
    assert found.wait("u", 2, "n", now) == 0, "another template is another chance"
    found.deleted("u", 2, "n", now)
    found.deleted("u", 2, "n", now + 1)
    assert found.wait("u", 2, "n", now + 1) == 2
    assert found.wait("u", 2, "n", now + 3000) == 0
    found.deleted("u", 2, "n", now + 3000)
    assert found.wait("u", 2, "n", now + 3000) == 1, "what was long ago is forgotten"
    found.forget_node("n")
    assert found.wait("u", 2, "n", now + 3000) == 0
