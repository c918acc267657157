"""Hints of endpoints: topology-mode Auto by the zones' CPU, and spec.trafficDistribution."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.controllers.endpointslice import (
    allocation,
    hintmemory,
    hints,
    packing,
    triggertimes,
    zoneshares,
)

NEWEST = lambda minor: True  # noqa: E731
AUTO = {"service.kubernetes.io/topology-mode": "Auto"}


def node(zone, cpu="4", *, ready="True", **labels):
    if zone:
        labels["topology.kubernetes.io/zone"] = zone
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    if cpu:
        status["allocatable"] = {"cpu": cpu}
    return {"metadata": {"name": "n", "labels": labels}, "status": status}


def service(annotations=None, **spec):
    return {"metadata": {"name": "web", "namespace": "d", "annotations": annotations}, "spec": spec}


def entries(*zones, ready=True):
    return [
        {
            "addresses": [f"10.0.0.{number}"],
            "conditions": {"ready": ready, "serving": ready, "terminating": False},
            "nodeName": f"node-{zone}-{number}",
            **({"zone": zone} if zone else {}),
        }
        for number, zone in enumerate(zones)
    ]


def slice_of(name, found, address_type="IPv4"):
    return {"metadata": {"name": name}, "addressType": address_type, "endpoints": found}


def known(shares=None, memory=None, emulates=NEWEST):
    memory = hintmemory.Memory() if memory is None else memory
    return hints.Known(shares or {}, memory, emulates)


def zones_of(found):
    return [[z["name"] for z in e["hints"]["forZones"]] if "hints" in e else [] for e in found]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([node("a"), node("b")], {"a": 0.5, "b": 0.5}),
        (
            [node("a"), node("a"), node("b", "2"), node("c", "6")],
            {"a": 0.5, "b": 0.125, "c": 0.375},
        ),
        ([node("a"), node("a")], {}),
        ([node("a"), node("b"), node("")], {}),
        ([node("a"), node("b", "")], {}),
        ([node("a"), node("b"), node("", ready="Unknown")], {"a": 0.5, "b": 0.5}),
        (
            [node("a"), node("b"), node("c", **{"node-role.kubernetes.io/control-plane": ""})],
            {"a": 0.5, "b": 0.5},
        ),
        ([], {}),
    ],
)
def test_zones_share_by_the_cpu_of_their_ready_nodes(nodes, expected) -> None:
    assert zoneshares.of(nodes) == expected


@pytest.mark.parametrize(
    ("shares", "ready", "message"),
    [
        ({}, 10, allocation.NO_NODE_INFO),
        (
            {"a": 0.5, "b": 0.5},
            1,
            "Insufficient number of endpoints (1 endpoints, 2 zones)",
        ),
        (
            {"a": 0.34, "b": 0.33, "c": 0.33},
            4,
            "Unable to allocate minimum required endpoints to each zone without exceeding overload"
            " threshold (4 endpoints, 3 zones)",
        ),
    ],
)
def test_hints_that_would_do_harm_are_not_handed_out(shares, ready, message) -> None:
    with pytest.raises(allocation.Impossible) as caught:
        allocation.of(shares, ready)
    assert str(caught.value) == message


def test_a_zone_with_too_many_endpoints_gives_to_one_with_too_few() -> None:
    changes = packing.Changes(create=[slice_of("", entries(*"aaaaab"))])
    told = hints.add(service(AUTO), changes, [], known({"a": 0.5, "b": 0.5}))
    assert zones_of(changes.create[0]["endpoints"]) == [["b"], ["b"], ["a"], ["a"], ["a"], ["b"]]
    (enabled,) = told
    assert (enabled.warning, enabled.reason) == (False, "TopologyAwareHintsEnabled")
    assert enabled.message == "Topology Aware Hints has been enabled, addressType: IPv4"


def test_slices_whose_hints_still_do_are_not_written_again() -> None:
    memory, shares = hintmemory.Memory(), {"a": 0.5, "b": 0.5}
    changes = packing.Changes(create=[slice_of("", entries(*"aabb"))])
    hints.add(service(AUTO), changes, [], known(shares, memory))
    stored = {**changes.create[0], "metadata": {"name": "web-1"}}
    later = packing.Changes()
    assert hints.add(service(AUTO), later, [stored], known(shares, memory)) == []
    assert later.count == 0
    assert memory.counts == {"d/web": {"IPv4": {"a": 2, "b": 2}}}
    assert memory.overloaded(shares) == []
    assert memory.overloaded({"a": 0.9, "b": 0.1}) == ["d/web"]
    assert memory.overloaded({}) == ["d/web"]


def test_taking_the_annotation_away_takes_the_hints_away_and_says_so_once() -> None:
    memory = hintmemory.Memory()
    changes = packing.Changes(create=[slice_of("", entries(*"aabb"))])
    hints.add(service(AUTO), changes, [], known({"a": 0.5, "b": 0.5}, memory))
    stored = {**changes.create[0], "metadata": {"name": "web-1"}}
    before = copy.deepcopy(stored)
    later = packing.Changes()
    (told,) = hints.add(service(), later, [stored], known(memory=memory))
    assert (told.warning, told.reason) == (True, "TopologyAwareHintsDisabled")
    assert told.message == "Topology Aware Hints has been disabled, addressType: IPv4"
    (written,) = later.update
    assert zones_of(written["endpoints"]) == [[], [], [], []]
    assert stored == before, "what the cache holds is shared"
    assert hints.add(service(), packing.Changes(), [written], known(memory=memory)) == []


@pytest.mark.parametrize(
    ("found", "shares", "message"),
    [
        (["a", "b", "", "a"], {"a": 0.5, "b": 0.5}, hints.NO_ZONE),
        (["a", "b", "a"], {}, allocation.NO_NODE_INFO),
    ],
)
def test_without_knowledge_there_are_no_hints(found, shares, message) -> None:
    hinted = [{**e, "hints": {"forZones": [{"name": "a"}]}} for e in entries("a", "b")]
    stored = slice_of("web-1", hinted)
    changes = packing.Changes(create=[slice_of("", entries(*found))])
    (told,) = hints.add(service(AUTO), changes, [stored], known(shares))
    assert told.message == f"{message}, addressType: IPv4"
    written = [*changes.create, *changes.update]
    assert len(written) == 2
    assert all(not any(zones_of(one["endpoints"])) for one in written)


@pytest.mark.parametrize(
    ("asked", "minor", "zone", "on_node"),
    [
        ("PreferClose", 37, True, False),
        ("PreferClose", 30, False, False),
        ("PreferSameZone", 34, True, False),
        ("PreferSameZone", 33, False, False),
        ("PreferSameNode", 35, True, True),
        (None, 37, False, False),
    ],
)
def test_traffic_distribution_gives_every_ready_endpoint_its_own_place(
    asked, minor, zone, on_node
) -> None:
    found = [*entries("a", ""), *entries("b", ready=False)]
    changes = packing.Changes(create=[slice_of("", found)])
    emulates = lambda since: minor >= since  # noqa: E731
    wanted = service(trafficDistribution=asked) if asked else service()
    assert hints.add(wanted, changes, [], known(emulates=emulates)) == []
    first, second, third = changes.create[0]["endpoints"]
    expected = {"forZones": [{"name": "a"}]} if zone else {}
    if on_node:
        expected["forNodes"] = [{"name": "node-a-0"}]
    assert first.get("hints", {}) == expected
    assert second.get("hints", {}) == ({"forNodes": [{"name": "node--1"}]} if on_node else {})
    assert "hints" not in third
    stored = {**changes.create[0], "metadata": {"name": "web-1"}}
    again = packing.Changes()
    hints.add(wanted, again, [stored], known(emulates=emulates))
    assert again.count == 0, "what is right is not written again"


def test_the_annotation_goes_before_the_distribution() -> None:
    changes = packing.Changes(create=[slice_of("", entries(*"aaab"))])
    wanted = service(AUTO, trafficDistribution="PreferClose")
    hints.add(wanted, changes, [], known({"a": 0.5, "b": 0.5}))
    assert zones_of(changes.create[0]["endpoints"]) == [["b"], ["a"], ["a"], ["b"]]


@given(
    st.lists(st.sampled_from("abc"), min_size=3, max_size=60),
    st.lists(st.integers(1, 8), min_size=3, max_size=3),
)
def test_no_endpoint_serves_more_than_a_fifth_over_its_share(where, cpus) -> None:
    shares = {zone: cpu / sum(cpus) for zone, cpu in zip("abc", cpus, strict=True)}
    changes = packing.Changes(create=[slice_of("", entries(*where))])
    memory = hintmemory.Memory()
    (told,) = hints.add(service(AUTO), changes, [], known(shares, memory))
    found = zones_of(changes.create[0]["endpoints"])
    if told.reason == hintmemory.DISABLED:
        assert not any(found)
        return
    assert all(len(zones) == 1 for zones in found)
    counts = {zone: sum(zones == [zone] for zones in found) for zone in shares}
    assert {k: v for k, v in memory.counts["d/web"]["IPv4"].items() if v} == {
        k: v for k, v in counts.items() if v
    }
    for zone, share in shares.items():
        # As in Kubernetes, an endpoint moves only where that is worth at least half of one.
        assert counts[zone] > len(where) * share / (1 + allocation.OVERLOAD) - 1


def test_the_trigger_time_is_the_earliest_of_the_changes() -> None:
    def pod(name, when):
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": when}
        return {"metadata": {"name": name}, "status": {"conditions": [ready]}}

    times = triggertimes.TriggerTimes()
    web = service()
    web["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    pods = [pod("a", "2026-01-01T00:00:07Z")]
    assert times.next(web, pods) == "2026-01-01T00:00:00Z", "a new Service"
    assert times.next(web, pods) == ""
    pods = [pod("a", "2026-01-01T00:00:30Z"), pod("b", "2026-01-01T00:00:20Z")]
    assert times.next(web, pods) == "2026-01-01T00:00:20Z"
    found = {"metadata": {"annotations": {"x": "y", triggertimes.ANNOTATION: "old"}}}
    triggertimes.stamp(found, "")
    assert found["metadata"]["annotations"] == {"x": "y"}
