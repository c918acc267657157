"""Who selects given labels: the index finds whom a search would find."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import objects
from cluster.client import indexer
from cluster.controllers import selection

LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "1", "22"]), max_size=3)
EXPRESSION = st.fixed_dictionaries(
    {
        "key": st.sampled_from("abc"),
        "operator": st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Odd"]),
        "values": st.lists(st.sampled_from(["1", "22"]), max_size=2),
    }
)
SELECTOR = st.none() | st.fixed_dictionaries(
    {}, optional={"matchLabels": LABELS, "matchExpressions": st.lists(EXPRESSION, max_size=2)}
)
SELECTING = st.tuples(st.sampled_from(["ReplicaSet", "Job"]), SELECTOR) | st.tuples(
    st.sampled_from(["Service", "ReplicationController"]), st.none() | LABELS
)


@given(st.lists(st.tuples(st.sampled_from(["x", "y"]), SELECTING), max_size=8), LABELS)
def test_the_index_finds_all_that_select_and_nothing_else(drawn, labels):
    store = indexer.Indexer({selection.SELECTION: selection.demand})
    for number, (space, (kind, selector)) in enumerate(drawn):
        meta = {"name": f"n{number}", "namespace": space}
        store.put({"kind": kind, "metadata": meta, "spec": {"selector": selector}})
    for space in ("x", "y"):
        found = [objects.key(obj) for obj in selection.selecting(store, space, labels)]
        searched = [
            objects.key(obj)
            for obj in store.list()
            if objects.namespace(obj) == space and selection.selector_of(obj).matches(labels)
        ]
        assert sorted(found) == sorted(searched)
        assert len({*found}) == len(found)


@pytest.mark.parametrize(
    ("kind", "selector", "everything"),
    [
        ("Service", {}, False),
        ("Service", None, False),
        ("ReplicationController", {}, True),
        ("ReplicaSet", {}, True),
        ("ReplicaSet", None, False),
    ],
)
def test_what_an_empty_selector_selects(kind, selector, everything):
    obj = {
        "kind": kind,
        "metadata": {"name": "n", "namespace": "x"},
        "spec": {"selector": selector},
    }
    assert selection.matcher_of(obj)({"a": "1"}) is everything
    store = indexer.Indexer({selection.SELECTION: selection.demand})
    store.put(obj)
    assert bool(selection.selecting(store, "x", {"a": "1"})) is everything


def test_one_of_a_thousand_is_found_without_asking_the_others():
    store = indexer.Indexer({selection.SELECTION: selection.demand})
    for number in range(1000):
        labels = {"app": "web", "pod-template-hash": f"{number:010}"}
        meta = {"name": f"web-{number}", "namespace": "x"}
        store.put({"metadata": meta, "spec": {"selector": {"matchLabels": labels}}})
    assert len(store.by_index(selection.SELECTION, "x/pod-template-hash=0000000007")) == 1
    wanted = {"app": "web", "pod-template-hash": "0000000007", "more": "yes"}
    assert [objects.name(obj) for obj in selection.selecting(store, "x", wanted)] == ["web-7"]
