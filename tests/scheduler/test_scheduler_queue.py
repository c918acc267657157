"""The scheduling queue: who is next, who waits, and what brings them back."""

from collections.abc import Mapping
from typing import Any

import pytest
from scheduling import info, node, pod

from cluster.api import objects
from cluster.scheduler import pods
from cluster.scheduler.framework.events import Alike, Event, Hint, Occurrence
from cluster.scheduler.framework.profile import Profile, Weighted
from cluster.scheduler.framework.status import SUCCESS, Status, unresolvable
from cluster.scheduler.plugins.noderesources import NodeResourcesFit
from cluster.scheduler.plugins.prioritysort import PrioritySort
from cluster.scheduler.plugins.schedulinggates import SchedulingGates
from cluster.scheduler.plugins.tainttoleration import TaintToleration
from cluster.scheduler.pods import PodInfo
from cluster.scheduler.queue.inflight import InFlight
from cluster.scheduler.queue.scheduling_queue import QueuedPod, SchedulingQueue, Timing

FIT, TAINT = NodeResourcesFit.name, TaintToleration.name


class _Binder:
    name = "Binder"

    async def bind(self, pod: PodInfo, node: str) -> Status:
        return SUCCESS


class _OnlyLabels:
    """Cares for nothing but node labels, whatever they are."""

    name = "OnlyLabels"

    @property
    def hints(self) -> Mapping[Event, Hint]:
        return {Event.NODE_LABELS: lambda _pod, _occurrence: True}


def _queue(**timing: Any) -> SchedulingQueue:
    plugins = [
        PrioritySort(), SchedulingGates(), NodeResourcesFit(), TaintToleration(), _OnlyLabels(),
        _Binder(),
    ]  # fmt: skip
    profile = Profile([Weighted(one) for one in plugins], scheduler_name="test")
    return SchedulingQueue(profile, Timing(**timing))


def _pop(queue: SchedulingQueue, now: float) -> QueuedPod:
    queued = queue.pop(now)
    assert queued is not None
    return queued


def _names(queue: SchedulingQueue, now: float) -> list[str]:
    found = []
    while (queued := queue.pop(now)) is not None:
        found.append(queued.pod.key.removeprefix("default/"))
    return found


def test_priority_comes_first_then_time() -> None:
    queue = _queue()
    queue.set(info("late", priority=0), 3)
    queue.set(info("first", priority=0), 1)
    queue.set(info("high", priority=10), 4)
    queue.set(info("second", priority=0), 1)
    assert _names(queue, 5) == ["high", "first", "second", "late"]


def test_a_deleted_pod_never_comes_up() -> None:
    queue = _queue()
    queue.set(info("a"), 0)
    queue.set(info("b"), 0)
    queue.remove("default/a")
    assert _names(queue, 1) == ["b"]
    assert "default/a" not in queue


def test_a_pod_made_again_is_another_pod() -> None:
    queue = _queue()
    queue.set(info("a"), 0)
    flying = _pop(queue, 0)
    again = pods.info(pod("a") | {"metadata": {"name": "a", "namespace": "default", "uid": "new"}})
    queue.set(again, 1)
    assert not queue.failed(flying, (FIT,), 1)
    assert _pop(queue, 1).pod.uid == "new"


@pytest.mark.parametrize(("attempt", "wait"), list(enumerate([1, 2, 4, 8, 10, 10], start=1)))
def test_the_backoff_doubles_from_one_second_to_ten(attempt: int, wait: float) -> None:
    queue = _queue()
    queue.set(info("a"), 0)
    now = 100.0
    for _ in range(attempt):
        assert queue.failed(_pop(queue, now), (), now)
        failed_at, now = now, now + 50
    assert queue.next_time() == failed_at + wait
    assert queue.pop(failed_at + wait - 0.01) is None
    assert queue.pop(failed_at + wait) is not None


def test_an_unschedulable_pod_waits_for_an_event_that_helps() -> None:
    queue = _queue()
    queue.set(info("a", cpu="2"), 0)
    queue.failed(_pop(queue, 0), (FIT,), 0)
    queue.saw(Occurrence(Event.NODE_LABELS, node("n"), node("n")), 20)
    queue.saw(Occurrence(Event.NODE_ADD, None, node("small", cpu="1")), 20)
    assert queue.pop(20) is None
    queue.saw(Occurrence(Event.NODE_ADD, None, node("large", cpu="2")), 21)
    assert queue.pop(21) is not None


def test_an_event_within_the_backoff_takes_effect_after_it() -> None:
    queue = _queue(pop_from_backoff=False)
    queue.set(info("a"), 0)
    queue.failed(_pop(queue, 0), (FIT,), 0)
    queue.saw(Occurrence(Event.ASSIGNED_POD_DELETE, pod("x"), None), 0.5)
    assert queue.counts()["backoff"] == 1
    assert queue.pop(0.9) is None
    assert queue.pop(1.0) is not None


def test_who_backs_off_is_tried_early_while_nobody_else_waits() -> None:
    queue = _queue()
    for name in ("a", "b"):
        queue.set(info(name), 0)
    queue.failed(_pop(queue, 0), (FIT,), 0)
    queue.saw(Occurrence(Event.ASSIGNED_POD_DELETE, pod("x"), None), 0.5)
    assert queue.counts() == {"active": 1, "backoff": 1, "unschedulable": 0, "gated": 0}
    assert _names(queue, 0.5) == ["b", "a"]


def test_the_backoff_after_a_fault_is_not_cut_short() -> None:
    queue = _queue()
    queue.set(info("a"), 0)
    queue.failed(_pop(queue, 0), (), 0)
    assert queue.counts()["backoff"] == 1
    assert queue.pop(0.9) is None
    assert queue.next_time() == 1.0
    assert queue.pop(1.0) is not None


def test_the_end_of_a_promise_helps_pods_of_no_higher_priority() -> None:
    queue = _queue()
    for name, priority in (("low", 1), ("same", 5), ("high", 9)):
        queue.set(info(name, priority=priority), 0)
    for _ in range(3):
        queue.failed(_pop(queue, 0), (FIT,), 0)
    queue.saw(Occurrence(Event.ASSIGNED_POD_DELETE, pod("x"), None), 20, highest=5)
    assert _names(queue, 20) == ["same", "low"]
    assert queue.counts()["unschedulable"] == 1


class _Preempting:
    """Keeps pods out whose victims are being evicted."""

    name = "Preempting"

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def pre_enqueue(self, pod: PodInfo) -> Status:
        return unresolvable("waiting") if pod.key in self.keys else SUCCESS


@pytest.mark.parametrize("event", [True, False])
@pytest.mark.parametrize("failed", [True, False])
def test_a_pod_waits_until_its_victims_are_going(event: bool, failed: bool) -> None:
    preempting = _Preempting()
    plugins = [PrioritySort(), NodeResourcesFit(), _Binder(), preempting]
    profile = Profile([Weighted(one) for one in plugins], scheduler_name="test")
    queue = SchedulingQueue(profile, Timing())
    queue.set(info("a"), 0)
    first = _pop(queue, 0)
    preempting.keys.add("default/a")
    queue.failed(first, (FIT,), 0)
    if event:
        queue.saw(Occurrence(Event.ASSIGNED_POD_DELETE, pod("victim"), None), 20)
    assert queue.counts()["gated"] == event
    assert queue.pop(20) is None
    preempting.keys.clear()
    queue.prepared("default/a", 20, failed=failed)
    # Where all went well and nothing has happened yet, the victim's end is still to come.
    assert (queue.pop(20) is not None) == (event or failed)


def test_only_the_plugins_that_refused_are_asked() -> None:
    queue = _queue()
    queue.set(info("a"), 0)
    queue.failed(_pop(queue, 0), (TAINT,), 0)
    queue.saw(Occurrence(Event.ASSIGNED_POD_DELETE, pod("x"), None), 20)
    assert queue.pop(20) is None
    tainted = node("n", taints=[{"key": "k", "effect": "NoSchedule"}])
    queue.saw(Occurrence(Event.NODE_TAINTS, tainted, node("n")), 20)
    assert queue.pop(20) is not None


@pytest.mark.parametrize("event", [Event.NODE_ADD, Event.CLAIM_UPDATE, Event.ANY])
def test_any_event_may_help_who_was_refused_by_a_plugin_without_hints(event: Event) -> None:
    queue = _queue()
    queue.set(info("p"), 0.0)
    queue.failed(_pop(queue, 0.0), ["Binder"], 0.0)
    queue.saw(Occurrence(event), 5.0)
    assert _names(queue, 5.0) == ["p"]


def test_one_event_brings_back_all_whom_it_helps_and_nobody_else() -> None:
    queue = _queue()
    for name, plugin in (("a", FIT), ("b", _OnlyLabels.name), ("c", TAINT), ("d", FIT)):
        queue.set(info(name), 0.0)
        queue.failed(_pop(queue, 0.0), [plugin], 0.0)
    queue.saw(Occurrence(Event.NODE_LABELS, None, node("n")), 5.0)
    assert _names(queue, 5.0) == ["b"]
    queue.saw(Occurrence(Event.ANY), 5.0)
    assert _names(queue, 5.0) == ["a", "c", "d"]


class _OfOneMind:
    """Goes by the label `team` alone, and counts how often it is asked."""

    name = "OfOneMind"

    def __init__(self) -> None:
        self.asked = 0
        self.hints = {Event.ASSIGNED_POD_ADD: Alike(self._same_team, _team)}

    def _same_team(self, waiting: PodInfo, occurrence: Occurrence) -> bool:
        self.asked += 1
        return _team(waiting) == objects.labels(occurrence.new).get("team")


def _team(waiting: PodInfo) -> str | None:
    return objects.labels(waiting.object).get("team")


def test_one_of_those_that_are_alike_is_asked_for_all() -> None:
    judge = _OfOneMind()
    plugins = [PrioritySort(), judge, _Binder()]
    profile = Profile([Weighted(one) for one in plugins], scheduler_name="test")
    queue = SchedulingQueue(profile, Timing())
    for name, team in (("a", "x"), ("b", "y"), ("c", "x"), ("d", "x"), ("e", "y")):
        queue.set(info(name, labels={"team": team}), 0)
        queue.failed(_pop(queue, 0), (judge.name,), 0)
    queue.set(info("d", labels={"team": "y"}), 1)
    queue.remove("default/e")
    queue.saw(Occurrence(Event.ASSIGNED_POD_ADD, None, pod("o", labels={"team": "x"})), 20)
    assert (_names(queue, 20), judge.asked) == (["a", "c"], 2)
    queue.saw(Occurrence(Event.ASSIGNED_POD_ADD, None, pod("o", labels={"team": "y"})), 20)
    assert (_names(queue, 20), judge.asked) == (["b", "d"], 3)


def test_after_five_minutes_a_pod_is_tried_without_an_event() -> None:
    queue = _queue()
    queue.set(info("a"), 0)
    queue.failed(_pop(queue, 0), (FIT,), 7)
    assert queue.next_time() == 307
    assert queue.pop(306.9) is None
    assert queue.pop(307) is not None


def test_an_event_during_the_attempt_is_not_lost() -> None:
    queue = _queue()
    queue.set(info("a"), 0)
    queued = _pop(queue, 0)
    queue.saw(Occurrence(Event.ASSIGNED_POD_DELETE, pod("x"), None), 0)
    queue.failed(queued, (FIT,), 0)
    assert queue.counts() == {"active": 0, "backoff": 1, "unschedulable": 0, "gated": 0}


def test_an_event_before_the_attempt_does_not_count() -> None:
    queue = _queue()
    queue.set(info("a"), 0)
    queue.set(info("b"), 0)
    _pop(queue, 0)
    queue.saw(Occurrence(Event.ASSIGNED_POD_DELETE, pod("x"), None), 0)
    second = _pop(queue, 0)
    queue.failed(second, (FIT,), 0)
    assert queue.counts()["unschedulable"] == 1


def test_a_change_of_the_pod_itself_brings_it_back() -> None:
    queue = _queue()
    queue.set(info("a"), 0)
    queue.failed(_pop(queue, 0), (TAINT,), 0)
    queue.set(info("a", status={"phase": "Pending", "conditions": [{"type": "x"}]}), 20)
    assert queue.pop(20) is None
    queue.set(info("a", tolerations=[{"operator": "Exists"}]), 20)
    assert _pop(queue, 20).pod.spec["tolerations"]


def test_a_change_of_the_pod_during_its_attempt_brings_it_back() -> None:
    queue = _queue()
    queue.set(info("a"), 0)
    queued = _pop(queue, 0)
    queue.set(info("a", tolerations=[{"operator": "Exists"}]), 0)
    queue.failed(queued, (TAINT,), 0)
    assert queue.counts()["backoff"] == 1
    assert _pop(queue, 2).pod.spec["tolerations"]


def test_a_gated_pod_stays_out_until_its_gates_are_gone() -> None:
    queue = _queue()
    queue.set(info("a", schedulingGates=[{"name": "example.com/wait"}]), 0)
    assert queue.counts()["gated"] == 1
    queue.saw(Occurrence(Event.ANY), 500)
    assert queue.pop(500) is None
    queue.set(info("a"), 501)
    assert queue.pop(501) is not None


def test_bound_pods_leave() -> None:
    queue = _queue()
    queue.set(info("a"), 0)
    queue.done(_pop(queue, 0))
    assert len(queue) == 0
    assert queue.next_time() is None


def test_too_many_events_in_flight_count_as_any_event() -> None:
    flights = InFlight()
    flights.start("old")
    for _ in range(10_000):
        flights.saw(Occurrence(Event.NODE_LABELS))
    flights.start("new")
    flights.saw(Occurrence(Event.NODE_TAINTS))
    assert flights.missed("old") == [Occurrence(Event.ANY)]
    assert flights.missed("new") == [Occurrence(Event.NODE_TAINTS)]


def test_events_are_kept_only_as_long_as_somebody_may_need_them() -> None:
    flights = InFlight()
    flights.saw(Occurrence(Event.NODE_ADD))
    flights.start("a")
    flights.saw(Occurrence(Event.NODE_LABELS))
    flights.start("b")
    flights.saw(Occurrence(Event.NODE_TAINTS))
    flights.end("a")
    assert flights.missed("b") == [Occurrence(Event.NODE_TAINTS)]
    assert len(flights._events) == 1
    flights.end("b")
    assert not flights._events


@pytest.mark.parametrize(
    "timing",
    [{"initial_backoff": 0}, {"maximum_backoff": 0.5}, {"longest_unschedulable": 0}],
)
def test_bad_timing_is_refused(timing: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be above|needs 0 <"):
        Timing(**timing)
