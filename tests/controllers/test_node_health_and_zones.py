"""Heartbeats, zones, paces, taints and tolerations as tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import timestamps
from cluster.controllers import config
from cluster.controllers.nodelifecycle import health, pacing, taints, zones
from cluster.controllers.tainteviction import schedule, toleration

NOW = 1_800_000_000.0


def node(ready="True", beat="b1", *, age=1000.0, labels=None, spec=None, **others):
    conditions = [{"type": kind, "status": status} for kind, status in others.items()]
    if ready is not None:
        conditions.append({"type": "Ready", "status": ready, "lastHeartbeatTime": beat})
    return {
        "metadata": {
            "name": "n",
            "uid": "u",
            "labels": labels or {},
            "creationTimestamp": timestamps.encode(NOW - age),
        },
        "spec": spec or {},
        "status": {"conditions": conditions},
    }


def lease(renewed):
    return {"spec": {"renewTime": renewed}}


def assess(found, known, now, found_lease=None):
    return health.assess(found, found_lease, known, now, grace=50, startup_grace=60)


@pytest.mark.parametrize(("version", "seconds"), [("1.31", 40), ("v1.32.0", 50), ("1.37", 50)])
def test_the_grace_period_of_a_version(version, seconds) -> None:
    assert config.node_monitor_grace_period(version) == seconds


def test_a_version_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="no Kubernetes version"):
        config.node_monitor_grace_period("latest")


def test_silence_counts_from_the_last_sign_and_past_the_grace_period() -> None:
    first = assess(node(), None, NOW)
    assert first.signs.probed == NOW
    assert assess(node(), first.signs, NOW + 50).conditions is None
    silent = assess(node(), first.signs, NOW + 50.5)
    assert (silent.observed, silent.current) == ("True", "Unknown")
    ready = next(c for c in silent.conditions if c["type"] == "Ready")
    assert ready["reason"] == "NodeStatusUnknown"
    assert ready["lastTransitionTime"] == timestamps.encode(NOW + 50.5)
    assert ready["lastHeartbeatTime"] == "b1"


@pytest.mark.parametrize("sign", ["status", "lease"])
def test_either_sign_of_life_is_enough(sign) -> None:
    first = assess(node(), None, NOW, lease("t1"))
    found = node(beat="b2") if sign == "status" else node()
    renewed = lease("t2") if sign == "lease" else lease("t1")
    second = assess(found, first.signs, NOW + 45, renewed)
    assert second.signs.probed == NOW + 45
    assert assess(found, second.signs, NOW + 90, renewed).conditions is None


def test_network_unavailable_is_left_alone() -> None:
    found = node(NetworkUnavailable="False", MemoryPressure="False")
    first = assess(found, None, NOW)
    silent = assess(found, first.signs, NOW + 60)
    by_type = {c["type"]: c["status"] for c in silent.conditions}
    assert by_type == {
        "NetworkUnavailable": "False",
        "MemoryPressure": "Unknown",
        "Ready": "Unknown",
        "DiskPressure": "Unknown",
        "PIDPressure": "Unknown",
    }


def test_a_node_without_status_has_the_startup_grace_from_its_creation() -> None:
    found = node(ready=None, age=30)
    first = assess(found, None, NOW)
    assert (first.current, first.conditions) == (None, None)
    assert assess(found, first.signs, NOW + 30).conditions is None
    late = assess(found, first.signs, NOW + 31)
    assert late.current == "Unknown"
    assert {c["reason"] for c in late.conditions} == {"NodeStatusNeverUpdated"}


def test_a_silent_node_is_not_written_again() -> None:
    first = assess(node(), None, NOW)
    silent = assess(node(), first.signs, NOW + 60)
    unknown = node()
    unknown["status"]["conditions"] = silent.conditions
    again = assess(unknown, silent.signs, NOW + 65)
    assert (again.observed, again.current, again.conditions) == ("Unknown", "Unknown", None)


@pytest.mark.parametrize(
    ("ready", "missing", "state"),
    [
        (0, 0, zones.State.NORMAL),
        (0, 1, zones.State.FULL),
        (1, 2, zones.State.NORMAL),  # two are too few to tell
        (3, 3, zones.State.NORMAL),
        (2, 3, zones.State.PARTIAL),
        (9, 11, zones.State.PARTIAL),  # 55 %
        (10, 11, zones.State.NORMAL),
    ],
)
def test_zone_states(ready, missing, state) -> None:
    assert zones.state_of([True] * ready + [False] * missing, 0.55) is state


RATES = zones.Rates(normal=0.1, secondary=0.01, large_cluster=50, unhealthy_share=0.55)


def zone(ready, missing):
    return [True] * ready + [False] * missing


def test_rates_follow_the_states_of_zones() -> None:
    states: dict[str, zones.State] = {}
    assert zones.update(states, {"a": zone(3, 0)}, RATES).rates == {"a": 0.1}
    assert zones.update(states, {"a": zone(3, 0)}, RATES).rates == {}
    # Small and partly down: stop. Large and partly down: slow. Fully down, but others are not: go.
    found = zones.update(states, {"a": zone(2, 4), "b": zone(20, 40), "c": zone(0, 3)}, RATES)
    assert found.rates == {"a": 0.0, "b": 0.01, "c": 0.1}
    assert not found.entered


def test_when_all_zones_are_down_all_stops_until_one_is_back() -> None:
    states: dict[str, zones.State] = {}
    zones.update(states, {"a": zone(3, 0), "b": zone(3, 0)}, RATES)
    down = zones.update(states, {"a": zone(0, 3), "b": zone(0, 3)}, RATES)
    assert down.entered
    assert down.rates == {"a": 0.0, "b": 0.0}
    assert zones.update(states, {"a": zone(0, 3), "b": zone(0, 3)}, RATES) == zones.Outcome()
    back = zones.update(states, {"a": zone(1, 2), "b": zone(0, 3)}, RATES)
    assert back.left
    assert back.rates == {"a": 0.1, "b": 0.1}


def test_a_zone_without_nodes_is_forgotten() -> None:
    states: dict[str, zones.State] = {}
    zones.update(states, {"a": zone(1, 0), "b": zone(1, 0)}, RATES)
    zones.update(states, {"b": zone(1, 0)}, RATES)
    assert list(states) == ["b"]


def test_a_pace_lets_one_through_at_once_and_the_next_after_its_time() -> None:
    pace = pacing.Pace(0.1, 0.0)
    for name in ("a", "b", "c"):
        assert pace.add(name, name)
    assert pace.due(0.0) == ["a"]
    assert pace.next_in(4.0) == pytest.approx(6.0)
    assert pace.due(9.9) == []
    assert pace.due(10.0) == ["b"]
    assert not pace.add("b", "b"), "it had its turn"
    assert pace.add("b", "another node of that name")
    assert pace.remove("c")
    assert pace.due(25.0) == ["b"]


def test_a_stopped_pace_lets_nobody_through_until_it_starts_again() -> None:
    pace = pacing.Pace(0.1, 0.0)
    pace.set_rate(0.0, 0.0)
    pace.add("a", "a")
    assert pace.due(1e6) == []
    assert pace.next_in(1e6) is None
    pace.set_rate(0.1, 1e6)
    assert pace.due(1e6) == ["a"]


@given(
    rate=st.floats(0.01, 2.0),
    steps=st.lists(st.floats(0.0, 30.0), max_size=40),
)
def test_a_pace_never_exceeds_its_rate(rate, steps) -> None:
    pace = pacing.Pace(rate, 0.0)
    for number in range(200):
        pace.add(str(number), "u")
    now, passed = 0.0, 0
    for step in steps:
        now += step
        passed += len(pace.due(now))
    assert passed <= pacing.BURST + now * rate + 1e-6


def taint(key, effect, **more):
    return {"key": key, "effect": effect, **more}


@pytest.mark.parametrize(
    ("found", "keys"),
    [
        (node("True"), []),
        (node("False"), [taints.NOT_READY]),
        (node("Unknown"), [taints.UNREACHABLE]),
        (node("True", MemoryPressure="True"), ["node.kubernetes.io/memory-pressure"]),
        (node("True", MemoryPressure="Unknown"), []),
        (node("True", spec={"unschedulable": True}), [taints.UNSCHEDULABLE]),
    ],
)
def test_no_schedule_taints_follow_the_conditions(found, keys) -> None:
    wanted = taints.scheduling(found, "t")
    assert [t["key"] for t in wanted or []] == keys
    if wanted is not None:
        assert {t["effect"] for t in wanted} == {"NoSchedule"}
        settled = {**found, "spec": {**found["spec"], "taints": wanted}}
        assert taints.scheduling(settled, "later") is None


def test_no_schedule_taints_of_others_stay() -> None:
    mine = taint(taints.NOT_READY, "NoSchedule")
    evicts = taint(taints.NOT_READY, "NoExecute")
    theirs = taint("gpu", "NoSchedule", value="yes")
    found = node("True", spec={"taints": [theirs, mine, evicts]})
    assert taints.scheduling(found, "t") == [theirs, evicts]


@pytest.mark.parametrize(
    ("present", "ready", "expected"),
    [
        ([], "Unknown", [taints.UNREACHABLE]),
        ([taints.NOT_READY], "Unknown", [taints.UNREACHABLE]),
        ([taints.UNREACHABLE], "False", [taints.NOT_READY]),
        ([taints.UNREACHABLE, taints.NOT_READY], "True", []),
    ],
)
def test_evicting_taints_exclude_each_other(present, ready, expected) -> None:
    found = node(spec={"taints": [taint(key, "NoExecute") for key in present]})
    assert [t["key"] for t in taints.evicting(found, ready, "t")] == expected


def test_evicting_taints_that_are_right_are_not_written() -> None:
    found = node(spec={"taints": [taint(taints.UNREACHABLE, "NoExecute")]})
    assert taints.evicting(found, "Unknown", "t") is None
    assert taints.evicting(node(), "True", "t") is None


EVICTS = taint("down", "NoExecute", value="v")


@pytest.mark.parametrize(
    ("tolerations", "seconds"),
    [
        ([], 0),
        ([{"operator": "Exists"}], None),
        ([{"key": "down", "operator": "Exists", "tolerationSeconds": 30}], 30),
        ([{"key": "down", "operator": "Exists", "tolerationSeconds": -1}], 0),
        ([{"key": "down", "value": "v", "effect": "NoExecute"}], None),
        ([{"key": "down", "value": "other"}], 0),
        ([{"key": "down", "operator": "Exists", "effect": "NoSchedule"}], 0),
        ([{"key": "other", "operator": "Exists"}], 0),
        (
            [{"key": "down", "operator": "Exists"}, {"operator": "Exists", "tolerationSeconds": 5}],
            None,
        ),
    ],
)
def test_how_long_a_pod_may_stay(tolerations, seconds) -> None:
    assert toleration.seconds_left(tolerations, [EVICTS]) == seconds


def test_of_two_taints_the_shorter_toleration_counts() -> None:
    tolerations = [
        {"key": "a", "operator": "Exists", "tolerationSeconds": 300},
        {"key": "b", "operator": "Exists", "tolerationSeconds": 20},
    ]
    found = [taint("a", "NoExecute"), taint("b", "NoExecute")]
    assert toleration.seconds_left(tolerations, found) == 20
    assert toleration.seconds_left(tolerations, [*found, taint("c", "NoExecute")]) == 0


def patient(seconds):
    return [{"operator": "Exists", "tolerationSeconds": seconds}]


def test_evictions_come_due_in_order_and_once() -> None:
    found = schedule.Schedule()
    found.update("late", patient(30), [EVICTS], 0.0)
    found.update("soon", patient(10), [EVICTS], 0.0)
    found.update("now", [], [EVICTS], 0.0)
    assert found.take_due(0.0) == ["now"]
    assert found.next_due() == 10.0
    assert found.take_due(30.0) == ["soon", "late"]
    found.update("now", [], [EVICTS], 31.0)
    assert found.take_due(31.0) == [], "it was evicted, and only waits to be gone"


def test_another_taint_does_not_prolong_a_stay() -> None:
    found = schedule.Schedule()
    found.update("pod", patient(300), [EVICTS], 0.0)
    found.update("pod", patient(300), [EVICTS, taint("more", "NoExecute")], 200.0)
    assert found.next_due() == 300.0


def test_taints_that_go_call_the_eviction_off() -> None:
    found = schedule.Schedule()
    found.update("pod", patient(300), [EVICTS], 0.0)
    assert found.update("pod", patient(300), [], 10.0)
    assert not found.update("pod", patient(300), [], 11.0)
    assert found.next_due() is None
