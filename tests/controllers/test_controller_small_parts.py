"""Expectations, own writes, claims, address ranges, pod collection, namespace conditions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import selectors
from cluster.client import indexer
from cluster.controllers import config, expectations, ownership, reporting, selection, staleness
from cluster.controllers.namespace import progress
from cluster.controllers.nodeipam import cidrs
from cluster.controllers.podgc import decision

NOW = 1_800_000_000.0


def test_expectations_are_met_when_all_was_seen() -> None:
    found = expectations.Expectations()
    assert found.satisfied("k", 0.0)
    found.expect_creations("k", 2, 0.0)
    assert not found.satisfied("k", 1.0)
    assert not found.creation_seen("k")
    assert found.creation_seen("k")
    assert found.satisfied("k", 1.0)
    assert not found.creation_seen("k"), "more than was asked for meets nothing"


def test_a_deletion_seen_twice_counts_once() -> None:
    found = expectations.Expectations()
    found.expect_deletions("k", ["a", "b"], 0.0)
    assert not found.deletion_seen("k", "a")
    assert not found.deletion_seen("k", "a")
    assert not found.satisfied("k", 1.0)
    assert found.deletion_seen("k", "b")


def test_expectations_are_given_up_after_five_minutes() -> None:
    found = expectations.Expectations()
    found.expect_creations("k", 1, 0.0)
    assert not found.satisfied("k", 299.0)
    assert found.seconds_left("k", 299.0) == 1.0
    assert found.satisfied("k", 300.1)


def written(revision):
    return {"metadata": {"resourceVersion": str(revision)}}


def test_a_cache_is_stale_until_it_shows_every_own_write() -> None:
    cached = {"a": 5, "b": 5}
    found = staleness.OwnWrites()
    assert not found.stale("k", cached.__getitem__, 0.0)
    found.note("k", "a", written(7), 0.0)
    found.note("k", "b", written(8), 0.0)
    assert found.stale("k", cached.__getitem__, 1.0)
    cached["a"] = 9
    assert found.stale("k", cached.__getitem__, 1.0)
    cached["b"] = 8
    assert not found.stale("k", cached.__getitem__, 1.0)


def test_a_write_that_never_shows_is_forgotten_in_time() -> None:
    found = staleness.OwnWrites()
    found.note("k", "a", written(7), 0.0)
    assert found.stale("k", lambda _: 0, 29.0)
    assert not found.stale("k", lambda _: 0, 31.0)


def candidate(name, labels, deleting=False):
    meta = {"name": name, "uid": name, "labels": labels}
    if deleting:
        meta["deletionTimestamp"] = "t"
    return {"metadata": meta}


def test_claims() -> None:
    owner = {"metadata": {"uid": "me"}}
    matches = selectors.of({"matchLabels": {"app": "web"}}).matches
    web = {"app": "web"}
    controlled = [candidate("mine", web), candidate("strayed", {})]
    orphans = [
        candidate("orphan", web),
        candidate("dying-orphan", web, deleting=True),
        candidate("foreign-orphan", {}),
    ]
    claim = ownership.claim(owner, matches, controlled, orphans)
    assert names(claim.mine) == ["mine"]
    assert names(claim.adopt) == ["orphan"]
    assert names(claim.release) == ["strayed"]
    leaving = {"metadata": {"uid": "me", "deletionTimestamp": "t"}}
    claim = ownership.claim(leaving, matches, controlled, orphans)
    assert names(claim.mine) == ["mine"]
    assert not claim.adopt
    assert not claim.release


@pytest.mark.parametrize(
    "selector",
    [
        None,
        {},
        {"matchLabels": {"a": "1"}},
        {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]},
        {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]},
    ],
)
def test_the_fast_matcher_agrees_with_the_selector(selector) -> None:
    obj = {"spec": {"selector": selector}}
    for labels in ({}, {"a": "1"}, {"a": "2"}, {"a": "1", "b": "x"}, {"b": "x"}):
        assert selection.matcher_of(obj)(labels) == selectors.of(selector).matches(labels)


def test_statuses_that_differ_in_nothing_but_zeros_are_the_same() -> None:
    assert reporting.same({"replicas": 0, "conditions": []}, {})
    assert not reporting.same({"replicas": 1}, {})


@given(
    st.lists(st.one_of(st.just("take"), st.integers(0, 20)), max_size=60),
)
def test_no_two_nodes_ever_have_one_range(history) -> None:
    found = cidrs.CidrSet("10.244.0.0/20", 24)
    held: list[str] = []
    for step in history:
        if step == "take":
            if len(held) == 16:
                with pytest.raises(cidrs.Full):
                    found.allocate()
            else:
                taken = found.allocate()
                assert taken not in held
                held.append(taken)
        elif step < len(held):
            found.release(held.pop(step))


def test_ranges_that_are_in_use_are_not_handed_out() -> None:
    found = cidrs.CidrSet("10.0.0.0/22", 24)
    assert found.occupy("10.0.0.0/24")
    assert found.allocate() == "10.0.1.0/24"
    assert not found.occupy("10.1.0.0/24")
    assert not found.occupy("10.0.2.0/25")
    assert not found.occupy("nonsense")


def test_a_released_range_waits_its_turn() -> None:
    found = cidrs.CidrSet("10.0.0.0/22", 24)
    first = found.allocate()
    found.release(first)
    assert [found.allocate() for _ in range(4)][-1] == first


def test_a_node_gets_a_range_of_each_family_or_none() -> None:
    found = cidrs.CidrSets([("10.0.0.0/23", 24), ("fd00::/64", 64)])
    assert found.allocate() == ("10.0.0.0/24", "fd00::/64")
    with pytest.raises(cidrs.Full):
        found.allocate()
    found.release(["fd00::/64"])
    assert found.allocate() == ("10.0.1.0/24", "fd00::/64"), "the other half was given back"


def test_ipv6_ranges() -> None:
    found = cidrs.CidrSet("fd00:10:244::/48", 64)
    assert [found.allocate(), found.allocate()] == ["fd00:10:244::/64", "fd00:10:244:1::/64"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cluster_cidr": "10.0.0.0/99"}, "cluster_cidr"),
        ({"cluster_cidr": "10.0.0.0/24", "node_cidr_mask_size": 16}, "node_cidr_mask_size"),
        ({"cluster_cidr": "10.0.0.0/8,10.1.0.0/16"}, "one of each family"),
        ({"cluster_cidr": "10.0.0.0/16,fd00::/48,fd01::/48"}, "one of each family"),
        (
            {"cluster_cidr": "10.0.0.0/16,fd00::/48", "node_cidr_mask_size": 24},
            "node_cidr_mask_size_ipv4",
        ),
        ({"cluster_cidr": "fd00::/8"}, "too many parts"),
        ({"node_monitor_period": 0}, "node_monitor_period"),
        ({"unhealthy_zone_threshold": 1.5}, "unhealthy_zone_threshold"),
        ({"max_endpoints_per_slice": 0}, "max_endpoints_per_slice"),
    ],
)
def test_a_wrong_configuration_says_which_field(changes, message) -> None:
    with pytest.raises(ValueError, match=message):
        config.Config(**changes)


@pytest.mark.parametrize(
    ("controllers", "expected"),
    [(("*",), True), (("*", "-podgc"), False), (("podgc",), True), (("deployment",), False)],
)
def test_controllers_are_chosen_by_name(controllers, expected) -> None:
    assert config.Config(controllers=controllers).enables("podgc") is expected


def pod(name, node="n1", phase="Running", *, deleting=False, created="2026-01-01", reason=""):
    meta = {"name": name, "creationTimestamp": created}
    if deleting:
        meta["deletionTimestamp"] = "t"
    return {
        "metadata": meta,
        "spec": {"nodeName": node} if node else {},
        "status": {"phase": phase, "reason": reason},
    }


def names(pods):
    return [found["metadata"]["name"] for found in pods]


READY = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}


def test_pods_of_unknown_nodes_and_unbound_terminating_ones_are_found() -> None:
    pods = [
        pod("fine"),
        pod("lost", "n9"),
        pod("unbound", ""),
        pod("unbound-ending", "", deleting=True),
        pod("ending", deleting=True),
    ]
    doomed = decision.decide(pods, {"n1": READY}, 100)
    assert names(doomed.stuck) == ["unbound-ending"]
    assert {node: names(found) for node, found in doomed.missing_nodes.items()} == {"n9": ["lost"]}
    assert not doomed.finished


@pytest.mark.parametrize(
    ("ready", "expected"), [("True", []), ("False", ["p"]), ("Unknown", ["p"])]
)
def test_terminating_pods_of_nodes_out_of_service_are_ended(ready, expected) -> None:
    node = {
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
        "spec": {"taints": [{"key": decision.OUT_OF_SERVICE, "effect": "NoExecute"}]},
    }
    doomed = decision.decide([pod("p", deleting=True), pod("q")], {"n1": node}, 100)
    assert names(doomed.stuck) == expected


def test_beyond_the_threshold_evicted_and_then_the_oldest_go() -> None:
    pods = [
        pod("new", phase="Succeeded", created="2026-03-01"),
        pod("old", phase="Failed", created="2026-01-01"),
        pod("evicted", phase="Failed", created="2026-04-01", reason="Evicted"),
        pod("runs"),
    ]
    assert names(decision.decide(pods, {"n1": READY}, 1).finished) == ["evicted", "old"]
    assert not decision.decide(pods, {"n1": READY}, 3).finished
    assert not decision.decide(pods, {"n1": READY}, 0).finished


def test_namespace_conditions_tell_what_remains_and_then_that_nothing_does() -> None:
    remains = progress.Remains(
        objects={"pods.": 2, "deployments.apps": 1}, finalizers={"x/y": 1}, failures=["b", "a"]
    )
    found = {c["type"]: c for c in progress.conditions([], remains, NOW)}
    assert found["NamespaceContentRemaining"]["message"] == (
        "Some resources are remaining: deployments.apps has 1 resource instances, "
        "pods. has 2 resource instances"
    )
    assert found["NamespaceFinalizersRemaining"]["reason"] == "SomeFinalizersRemain"
    assert found["NamespaceDeletionContentFailure"]["message"] == (
        "Failed to delete all resource types, 2 remaining: a, b"
    )
    assert found["NamespaceDeletionDiscoveryFailure"]["status"] == "False"
    later = progress.conditions(list(found.values()), progress.Remains(), NOW + 10)
    assert {c["status"] for c in later} == {"False"}
    same = next(c for c in later if c["type"] == "NamespaceDeletionDiscoveryFailure")
    assert same == found["NamespaceDeletionDiscoveryFailure"]
    assert progress.conditions(later, progress.Remains(), NOW + 20) == later


@pytest.mark.parametrize(
    ("owner", "key"),
    [
        (None, None),
        ({"kind": "Job", "name": "a", "uid": "1", "controller": True}, "x/a"),
        ({"kind": "Job", "name": "a", "uid": "1"}, None),
        ({"kind": "Job", "name": "a", "uid": "2", "controller": True}, None),
        ({"kind": "Job", "name": "b", "uid": "1", "controller": True}, None),
        ({"kind": "ReplicaSet", "name": "a", "uid": "1", "controller": True}, None),
    ],
)
def test_the_owner_is_the_controller_of_that_very_uid(owner, key) -> None:
    owners = indexer.Indexer()
    owners.put({"metadata": {"name": "a", "namespace": "x", "uid": "1"}})
    references = [owner] if owner is not None else []
    pod = {"metadata": {"name": "p", "namespace": "x", "ownerReferences": references}}
    assert ownership.owner_key(pod, "Job", owners) == key
    assert ownership.owner_key(None, "Job", owners) is None
