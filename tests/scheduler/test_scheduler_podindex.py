"""Counts of pods by selector and domain: always those of a scan, and nothing kept for nobody."""

import gc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduling import info, node

from cluster.api import selectors
from cluster.api.selectors import NOTHING
from cluster.scheduler import pods
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.podindex import PodIndex
from cluster.scheduler.nodes.podselectors import PodSelector, Query
from cluster.scheduler.nodes.tallies import DomainSums

LABELS: list[dict[str, str]] = [{}, {"a": "1"}, {"a": "2"}, {"a": "1", "b": "1"}, {"b": "2"}]
SELECTORS = [
    {"matchLabels": {"a": "1"}},
    {"matchLabels": {"a": "1", "b": "1"}},
    {"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]},
    {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]},
    {"matchExpressions": [{"key": "b", "operator": "Exists"}]},
    {},
    None,
]


def _selector(
    which: int, namespaces: tuple[str, ...] = ("default",), by_label: Any = None
) -> PodSelector:
    chosen = NOTHING if by_label is None else selectors.of(by_label)
    return PodSelector(namespaces, selectors.of(SELECTORS[which]), chosen)


queries = st.lists(
    st.builds(
        _selector,
        st.integers(0, len(SELECTORS) - 1),
        st.sampled_from([("default",), ("other",), ("default", "other")]),
        st.sampled_from([None, {}, {"matchLabels": {"team": "x"}}]),
    ),
    min_size=1,
    max_size=2,
).map(tuple)
actions = st.lists(
    st.one_of(
        st.tuples(
            st.just("put"), st.integers(0, 5), st.integers(0, 2), st.integers(0, 4), st.booleans()
        ),
        st.tuples(st.just("take"), st.integers(0, 5)),
        st.tuples(st.just("node"), st.integers(0, 20), st.sampled_from(["x", "y", None])),
        st.tuples(st.just("drop"), st.integers(0, 2)),
    ),
    max_size=40,
)


def _pod(at: int, labels: dict[str, str], where: str, *, deleting: bool) -> pods.PodInfo:
    one = info(f"p{at}", labels=labels, nodeName=where)
    meta = one.object["metadata"] | {"namespace": "other" if at % 2 else "default"}
    if deleting:
        meta["deletionTimestamp"] = "2024-01-01T00:00:00Z"
    return pods.info(one.object | {"metadata": meta})


@settings(max_examples=200)
@given(st.lists(queries, min_size=1, max_size=3), actions)
def test_sums_are_those_of_a_scan(found: list[Query], actions: list[Any]) -> None:
    cache = Cache()
    cache.namespaces.set({"metadata": {"name": "other", "labels": {"team": "x"}}})
    index = PodIndex(cache)
    placed: dict[int, pods.PodInfo] = {}
    tallies = [(query, index.tally(query, deleting=at % 2 == 0)) for at, query in enumerate(found)]
    sums = [DomainSums(tally, "zone") for _, tally in tallies]
    for action in actions:
        match action:
            case ("put", at, where, labels, deleting):
                placed[at] = _pod(at, LABELS[labels], f"n{where}", deleting=deleting)
                cache.set_pod(placed[at])
            case ("take", at) if at in placed:
                cache.remove_pod(placed.pop(at).key)
            case ("node", at, zone):
                cache.set_node(node(f"n{at}", labels={"zone": zone} if zone else {}))
            case ("drop", at):
                cache.remove_node(f"n{at}")
        for at, (query, tally) in enumerate(tallies):
            if sums[at].stale(cache.table, index.node_version):
                sums[at].rebuild(cache.table, index.node_version)
            meant = [
                one
                for one in placed.values()
                if _means(cache, query, one, deleting=at % 2 == 0)
                and cache.table.row(one.node_name) is not None
            ]
            for row in cache.table.rows().tolist():
                here = [one for one in meant if one.node_name == cache.table.name(row)]
                assert tally.by_row[row] == len(here)
            for zone in ("x", "y"):
                code = cache.table.label("zone").code(zone)
                there = [one for one in meant if _zone(cache, one.node_name) == zone]
                assert (sums[at].by_code[code] if code > 0 else 0) == len(there)
    fresh = [PodIndex(cache).tally(query, deleting=at % 2 == 0) for at, query in enumerate(found)]
    for one, (_, tally) in zip(fresh, tallies, strict=True):
        rows = cache.table.rows()
        assert one.by_row[rows].tolist() == tally.by_row[rows].tolist()


def _means(cache: Cache, query: Query, one: pods.PodInfo, *, deleting: bool) -> bool:
    meta = one.object["metadata"]
    if meta.get("deletionTimestamp") and not deleting:
        return False
    for selector in query:
        chosen = selector.namespace_selector
        by_label = chosen.matches(cache.namespaces.labels(meta["namespace"]))
        if meta["namespace"] not in selector.namespaces and not by_label:
            return False
        if not selector.selector.matches(meta.get("labels") or {}):
            return False
    return True


def _zone(cache: Cache, name: str) -> str | None:
    row = cache.table.row(name)
    return None if row is None else cache.table.node(row)["metadata"]["labels"].get("zone")


def _filled() -> tuple[Cache, PodIndex]:
    cache = Cache()
    index = PodIndex(cache)
    cache.set_node(node("a", labels={"zone": "z"}))
    cache.set_pod(info("p", labels={"a": "1"}, nodeName="a"))
    return cache, index


def test_equal_queries_share_a_tally() -> None:
    _, index = _filled()
    one = index.tally((_selector(0),))
    assert index.tally((_selector(0),)) is one
    assert index.tally((_selector(0),), deleting=False) is not one


def test_a_tally_that_nobody_holds_costs_nothing() -> None:
    _, index = _filled()
    held = index.tally((_selector(1),))
    for _ in range(100):
        sums = DomainSums(index.tally((_selector(0),)), "zone")
        DomainSums(held, "zone")
        del sums
    gc.collect()
    assert len(index._queries._places) == 1
    assert [len(one._tallies) for one in index._classes.values()] == [0]
    assert len(held._sums) == 0


def test_sums_that_nobody_asked_for_since_nodes_came_are_still_right() -> None:
    cache, index = _filled()
    tally = index.tally((_selector(0),))
    sums = DomainSums(tally, "zone")
    sums.rebuild(cache.table, index.node_version)
    for at in range(100):
        cache.set_node(node(f"n{at}", labels={"zone": f"z{at}"}))
        cache.set_pod(info(f"q{at}", labels={"a": "1"}, nodeName=f"n{at}"))
    assert sums.stale(cache.table, index.node_version)
    sums.rebuild(cache.table, index.node_version)
    assert sums.by_code[cache.table.label("zone").code("z99")] == 1


def test_pods_that_are_gone_leave_no_class() -> None:
    cache, index = _filled()
    cache.remove_pod("default/p")
    assert not index._classes
    assert not index._in_namespace
    assert not index._with_label


@pytest.mark.parametrize("which", range(len(SELECTORS)))
def test_an_index_finds_what_a_selector_means(which: int) -> None:
    cache, index = _filled()
    for at, labels in enumerate(LABELS):
        cache.set_pod(info(f"q{at}", labels=labels, nodeName="a"))
    wanted = selectors.of(SELECTORS[which])
    expected = sum(wanted.matches(labels) for labels in [*LABELS, {"a": "1"}])
    assert index.tally((_selector(which),)).by_row[cache.table.row("a")] == expected
