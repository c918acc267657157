"""Conditions: what moves lastTransitionTime, and what does not."""

from typing import Any

from cluster.api import conditions

EARLY, LATE = 1_000_000_000.0, 1_000_000_060.0


def test_a_new_condition_gets_the_time() -> None:
    listed: list[dict[str, Any]] = []
    assert conditions.put(listed, {"type": "Ready", "status": "True"}, EARLY)
    assert listed[0]["lastTransitionTime"] == "2001-09-09T01:46:40Z"


def test_the_time_moves_only_with_the_status() -> None:
    listed: list[dict[str, Any]] = []
    conditions.put(listed, {"type": "Ready", "status": "True", "reason": "A"}, EARLY)
    first = listed[0]["lastTransitionTime"]
    assert conditions.put(listed, {"type": "Ready", "status": "True", "reason": "B"}, LATE)
    assert (listed[0]["reason"], listed[0]["lastTransitionTime"]) == ("B", first)
    assert conditions.put(listed, {"type": "Ready", "status": "False"}, LATE)
    assert listed[0]["lastTransitionTime"] == "2001-09-09T01:47:40Z"


def test_the_same_condition_changes_nothing() -> None:
    listed: list[dict[str, Any]] = []
    conditions.put(listed, {"type": "Ready", "status": "True"}, EARLY)
    assert not conditions.put(listed, {"type": "Ready", "status": "True"}, LATE)
    assert len(listed) == 1


def test_finding_and_removing() -> None:
    obj = {"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "X"}]}}
    assert conditions.is_true(obj, "Ready")
    assert not conditions.is_true(obj, "X")
    assert conditions.find(obj, "Absent") is None
    assert conditions.find({}, "Ready") is None
    listed = obj["status"]["conditions"]
    assert conditions.remove(listed, "X")
    assert not conditions.remove(listed, "X")
    assert [condition["type"] for condition in listed] == ["Ready"]
