"""The owner graph and its verdicts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.controllers.garbagecollector import graph, verdict
from cluster.controllers.garbagecollector.verdict import State


def obj(uid, *owners, blocking=True, finalizers=(), deleting=False, name=None):
    meta = {
        "name": name or uid,
        "namespace": "default",
        "uid": uid,
        "resourceVersion": "5",
        "ownerReferences": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": owner,
                "uid": owner,
                "blockOwnerDeletion": blocking,
            }
            for owner in owners
        ],
        "finalizers": list(finalizers),
    }
    if deleting:
        meta["deletionTimestamp"] = "t"
    return {"metadata": meta}


def see(found, *args, **kwargs):
    return found.observe("configmaps", obj(*args, **kwargs), "v1", "ConfigMap")


def test_an_owner_that_was_not_seen_is_virtual_and_looked_at() -> None:
    found = graph.Graph()
    assert list(see(found, "child", "owner").delete) == ["owner"]
    assert found.get("owner").virtual
    assert not see(found, "owner").delete
    assert not found.get("owner").virtual
    assert list(found.get("owner").dependents) == ["child"]


def test_the_end_of_an_owner_has_its_dependents_looked_at() -> None:
    found = graph.Graph()
    see(found, "owner")
    see(found, "one", "owner")
    see(found, "two", "owner")
    assert list(found.forget("owner").delete) == ["one", "two"]
    found.forget("one")
    found.forget("two")
    assert len(found) == 0


def test_foreground_deletion_looks_at_dependents_and_then_at_the_owner() -> None:
    found = graph.Graph()
    see(found, "owner")
    see(found, "one", "owner")
    work = see(found, "owner", finalizers=[graph.FOREGROUND], deleting=True)
    assert list(work.delete) == ["one", "owner"]
    assert not see(found, "owner", finalizers=[graph.FOREGROUND], deleting=True).delete
    assert [n.identity.uid for n in found.get("owner").blocking_dependents()] == ["one"]
    assert list(found.forget("one").delete) == ["owner"]
    assert not found.get("owner").blocking_dependents()


def test_a_dependent_that_no_longer_blocks_releases_its_owner() -> None:
    found = graph.Graph()
    see(found, "owner")
    see(found, "one", "owner")
    see(found, "owner", finalizers=[graph.FOREGROUND], deleting=True)
    assert "owner" in see(found, "one", "owner", blocking=False).delete
    assert not found.get("owner").blocking_dependents()


def test_orphaning_is_asked_for_once() -> None:
    found = graph.Graph()
    see(found, "owner")
    asked = see(found, "owner", finalizers=[graph.ORPHAN], deleting=True)
    assert list(asked.orphan) == ["owner"]
    assert not see(found, "owner", finalizers=[graph.ORPHAN], deleting=True).orphan


def test_a_reference_with_the_wrong_name_is_looked_at() -> None:
    found = graph.Graph()
    see(found, "owner", name="real-name")
    assert "child" in see(found, "child", "owner").delete
    late = graph.Graph()
    see(late, "child", "owner")
    assert "child" in see(late, "owner", name="real-name").delete


def test_a_dependent_that_joins_an_owner_on_its_way_out_is_looked_at() -> None:
    found = graph.Graph()
    see(found, "owner", finalizers=[graph.FOREGROUND], deleting=True)
    assert {"late", "owner"} <= {*see(found, "late", "owner").delete}


uids = st.sampled_from("abcdef")


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("see"), uids, st.lists(uids, max_size=3, unique=True)),
            st.tuples(st.just("forget"), uids, st.just([])),
        ),
        max_size=40,
    )
)
def test_owners_and_dependents_agree_after_any_history(history) -> None:
    found = graph.Graph()
    alive = {}
    for what, uid, owners in history:
        if what == "see":
            see(found, uid, *owners)
            alive[uid] = set(owners)
        else:
            found.forget(uid)
            alive.pop(uid, None)
    for uid, owners in alive.items():
        node = found.get(uid)
        assert not node.virtual
        assert {owner.uid for owner in node.owners} == owners
        for owner in owners:
            assert uid in found.get(owner).dependents
    named = set().union(*alive.values()) if alive else set()
    for uid in "abcdef":
        node = found.get(uid)
        assert (node is not None) == (uid in alive or uid in named)
        if node is not None:
            assert set(node.dependents) == {u for u, owners in alive.items() if uid in owners}


def judged(states, *, dependents=(), finalizers=(), deleting_dependents=False):
    node = graph.Node(graph.Identity("v1", "ConfigMap", "default", "x", "x"))
    for uid in dependents:
        below = graph.Node(graph.Identity("v1", "ConfigMap", "default", uid, uid))
        below.deleting_dependents = deleting_dependents
        node.dependents[uid] = below
    pairs = [(graph.Owner(uid, "v1", "ConfigMap", uid, True), state) for uid, state in states]
    return verdict.judge(obj("x", finalizers=finalizers), pairs, node)


@pytest.mark.parametrize(
    ("states", "options", "expected"),
    [
        ([], {}, verdict.Keep()),
        ([("a", State.SOLID)], {}, verdict.Keep()),
        ([("a", State.ABSENT)], {}, verdict.Delete("Background")),
        ([("a", State.SOLID), ("b", State.ABSENT)], {}, verdict.Detach(("b",))),
        ([("a", State.SOLID), ("b", State.WAITING)], {}, verdict.Detach(("b",))),
        ([("a", State.WAITING)], {}, verdict.Delete("Background")),
        ([("a", State.WAITING)], {"dependents": "y"}, verdict.Delete("Foreground")),
        (
            [("a", State.WAITING)],
            {"dependents": "y", "deleting_dependents": True},
            verdict.Delete("Foreground", unblock=True),
        ),
        ([("a", State.ABSENT)], {"finalizers": [graph.ORPHAN]}, verdict.Delete("Orphan")),
        ([("a", State.ABSENT)], {"finalizers": [graph.FOREGROUND]}, verdict.Delete("Foreground")),
    ],
)
def test_verdicts(states, options, expected) -> None:
    assert judged(states, **options) == expected


def test_patches_carry_the_object_they_were_made_for() -> None:
    two = obj("x", "a", "b", finalizers=["keep", graph.ORPHAN])
    patch = verdict.without_owners(two, ["a"])["metadata"]
    assert (patch["uid"], patch["resourceVersion"]) == ("x", "5")
    assert [ref["uid"] for ref in patch["ownerReferences"]] == ["b"]
    assert verdict.without_owners(two, ["a", "b"])["metadata"]["ownerReferences"] is None
    assert verdict.without_finalizer(two, graph.ORPHAN)["metadata"]["finalizers"] == ["keep"]
    unblocked = verdict.unblocked(two)["metadata"]["ownerReferences"]
    assert [ref["blockOwnerDeletion"] for ref in unblocked] == [False, False]
