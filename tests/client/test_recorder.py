"""Events: their form, their counting, their combining, and what becomes of refused ones."""

import asyncio
import random

import structlog
from fake_api import FakeApi, pod
from hypothesis import given
from hypothesis import strategies as st

from cluster.aio import clock, tasks, virtual
from cluster.api import errors
from cluster.client import cause, eventcorrelation, recorder
from cluster.client.client import Client

EPOCH = 1_800_000_000.0


def _record(scenario, **settings):
    """Run `scenario(recorder, api)` and let the recorder finish; the API as it is then."""

    async def main():
        fake = FakeApi()
        async with Client(fake) as client, tasks.Group("g") as group:
            wall = clock.LoopClock(asyncio.get_running_loop(), EPOCH)
            events = recorder.Recorder(
                client, wall, random.Random(1), "kubelet", "node-1", **settings
            )
            group.spawn(events.run(), "events")
            await scenario(events, fake)
            await asyncio.sleep(100)
            group.cancel()
        return fake

    return virtual.run(main())


def _events(api):
    return [obj for (resource, _, _), obj in api.objects.items() if resource == "events"]


def test_an_event_has_the_form_that_client_go_gives_it():
    async def scenario(events, api):
        events.event(
            pod("web", meta={"resourceVersion": "12"}),
            recorder.WARNING,
            "BackOff",
            "Back-off",
            "Restarting",
            field_path="spec.containers{web}",
        )

    (event,) = _events(_record(scenario))
    name = event["metadata"].pop("name")
    assert name.startswith("web.")
    assert abs(int(name.removeprefix("web."), 16) - EPOCH * 1e9) < 1000
    del event["metadata"]["resourceVersion"]
    assert event == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": "default"},
        "involvedObject": {
            "kind": "Pod",
            "namespace": "default",
            "name": "web",
            "uid": "uid-web",
            "apiVersion": "v1",
            "resourceVersion": "12",
            "fieldPath": "spec.containers{web}",
        },
        "reason": "BackOff",
        "message": "Back-off",
        "source": {"component": "kubelet", "host": "node-1"},
        "firstTimestamp": "2027-01-15T08:00:00Z",
        "lastTimestamp": "2027-01-15T08:00:00Z",
        "count": 1,
        "type": "Warning",
        "eventTime": None,
        "reportingComponent": "kubelet",
        "reportingInstance": "node-1",
        "action": "Restarting",
    }


def test_events_about_cluster_scoped_objects_live_in_default():
    async def scenario(events, api):
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "uid": "n1"}}
        events.event(node, recorder.NORMAL, "Starting", "")

    (event,) = _events(_record(scenario))
    assert event["metadata"]["namespace"] == "default"
    assert "namespace" not in event["involvedObject"]


def test_a_repeat_raises_the_count_of_the_one_event():
    async def scenario(events, api):
        for _ in range(3):
            events.event(pod("web"), recorder.NORMAL, "Pulled", "image there")
            await asyncio.sleep(60)

    (event,) = _events(_record(scenario))
    assert event["count"] == 3
    assert event["firstTimestamp"] == "2027-01-15T08:00:00Z"
    assert event["lastTimestamp"] == "2027-01-15T08:02:00Z"


def test_what_is_said_together_is_written_together():
    async def scenario(events, api):
        for number in range(5):
            events.event(pod(f"p{number}"), recorder.NORMAL, "Scheduled", "here")
            events.event(pod(f"p{number}"), recorder.NORMAL, "Scheduled", "here")

    api = _record(scenario)
    assert [len(batch) for batch in api.batches] == [5]
    assert [event["count"] for event in _events(api)] == [2] * 5


def test_an_event_that_was_deleted_meanwhile_is_made_again():
    async def scenario(events, api):
        events.event(pod("web"), recorder.NORMAL, "Pulled", "x")
        await asyncio.sleep(1)
        (event,) = _events(api)
        api.remove("events", "default", event["metadata"]["name"])
        events.event(pod("web"), recorder.NORMAL, "Pulled", "x")

    (event,) = _events(_record(scenario))
    assert event["count"] == 2


def test_events_wait_out_an_api_that_is_away():
    async def scenario(events, api):
        api.failures = [errors.ServiceUnavailable("away")] * 5
        events.event(pod("web"), recorder.NORMAL, "Pulled", "x")
        await asyncio.sleep(60)

    api = _record(scenario)
    assert len(_events(api)) == 1
    assert len(api.batches) == 6


def test_an_event_that_is_refused_is_dropped_with_a_word():
    async def scenario(events, api):
        api.failures = [errors.Forbidden("namespace is being terminated")]
        events.event(pod("web"), recorder.NORMAL, "Pulled", "x")

    with structlog.testing.capture_logs() as logs:
        api = _record(scenario)
    assert _events(api) == []
    assert len(api.batches) == 1
    assert [entry["event"] for entry in logs] == ["event not recorded"]


def test_an_event_is_given_up_after_twelve_tries():
    async def scenario(events, api):
        api.failures = [errors.ServiceUnavailable("away")] * 1000
        events.event(pod("web"), recorder.NORMAL, "Pulled", "x")
        await asyncio.sleep(600)

    assert len(_record(scenario).batches) == recorder.MAX_TRIES


def test_too_many_waiting_events_are_dropped_with_a_word(monkeypatch):
    monkeypatch.setattr(recorder, "MAX_QUEUED", 10)

    async def scenario(events, api):
        for number in range(30):
            events.event(pod(f"p{number}"), recorder.NORMAL, "Pulled", "x")

    with structlog.testing.capture_logs() as logs:
        assert len(_events(_record(scenario))) == 10
    assert [entry["event"] for entry in logs] == ["too many events are waiting"]


def _sighting(name="web", message="m", reason="r"):
    subject = eventcorrelation.Subject("v1", "Pod", "default", name, f"uid-{name}")
    return eventcorrelation.Sighting(subject, "Normal", reason, message)


def test_from_the_tenth_message_on_similar_events_are_combined():
    correlator = eventcorrelation.Correlator()
    series = [correlator.observe(_sighting(message=str(number)), 0) for number in range(12)]
    assert len({id(one) for one in series}) == 10
    assert series[9] is series[10] is series[11]
    assert series[9].count == 3
    assert series[9].sighting.message == "(combined from similar events): 11"
    assert series[8].sighting.message == "8"


def test_similar_events_far_apart_are_not_combined():
    correlator = eventcorrelation.Correlator()
    seen = [correlator.observe(_sighting(message=str(n)), n * 601) for n in range(20)]
    assert len({id(one) for one in seen}) == 20


def test_a_source_may_speak_25_times_and_once_more_each_five_minutes():
    correlator = eventcorrelation.Correlator()
    at = lambda now: correlator.observe(_sighting(), now) is not None  # noqa: E731
    assert [at(0) for _ in range(27)] == [True] * 25 + [False] * 2
    assert correlator.observe(_sighting("other"), 0) is not None
    assert [at(301), at(301), at(602), at(1000)] == [True, False, True, True]


def test_only_the_newest_are_remembered(monkeypatch):
    monkeypatch.setattr(eventcorrelation, "MAX_ENTRIES", 3)
    correlator = eventcorrelation.Correlator()
    for name in "abcd":
        correlator.observe(_sighting(name), 0)
    assert correlator.observe(_sighting("d"), 0).count == 2
    assert correlator.observe(_sighting("a"), 0).count == 1


def test_what_makes_no_difference_any_more_is_forgotten():
    correlator = eventcorrelation.Correlator()
    for number in range(3):
        correlator.observe(_sighting(f"once-{number}"), 0)
    for _ in range(25):
        correlator.observe(_sighting("loud"), 1)

    correlator.observe(_sighting("late"), 300)
    assert [key[3] for key in correlator._whole] == ["loud", "late"]
    correlator.observe(_sighting("later"), 601)
    assert [key[3] for key in correlator._similar] == ["loud", "late", "later"]


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 40))))
def test_a_source_may_speak_as_often_as_a_bucket_of_tokens_lets_it(said):
    """Against the bucket that client-go has, told in whole seconds."""
    correlator = eventcorrelation.Correlator()
    now, seconds_held = 0, 25 * 300
    for later, times in said:
        now += later
        seconds_held = min(seconds_held + later, 25 * 300)
        for _ in range(times):
            allowed = seconds_held >= 300
            seconds_held -= 300 * allowed
            assert (correlator.observe(_sighting(), now) is not None) == allowed


_SAID = st.tuples(st.sampled_from("abc"), st.integers(1, 30), st.integers(1, 12), st.floats(0, 700))


@given(st.lists(_SAID))
def test_what_is_forgotten_makes_no_difference(said):
    """The same sightings, with and without forgetting, are counted and dropped alike."""
    plain, lasting = eventcorrelation.Correlator(), eventcorrelation.Correlator()
    lasting._forget = lambda now: None
    now = 0.0
    for name, times, messages, later in said:
        now += later
        for time in range(times):
            sighting = _sighting(name, str(time % messages))
            one, other = (each.observe(sighting, now) for each in (plain, lasting))
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                assert (one.count, one.sighting) == (other.count, other.sighting)


def test_an_event_carries_the_cause_upon_which_it_was_said():
    async def scenario(events, api):
        with cause.because(41):
            events.event(pod("web"), recorder.NORMAL, "Pulled", "x")

    api = _record(scenario)
    assert [operation.cause for batch in api.batches for operation in batch] == [41]


def test_a_scheduler_tells_by_event_time_and_counts_in_a_series():
    async def scenario(events, api):
        events.event(pod("web"), recorder.NORMAL, "Scheduled", "Assigned", "Binding")
        await asyncio.sleep(1)
        (first,) = _events(api)
        assert first["eventTime"] == "2027-01-15T08:00:00.000000Z"
        assert first["firstTimestamp"] is first["lastTimestamp"] is None
        assert first["source"] == {}
        assert first["reportingComponent"] == "kubelet"
        assert "count" not in first
        assert "series" not in first
        events.event(pod("web"), recorder.NORMAL, "Scheduled", "Assigned", "Binding")

    (event,) = _events(_record(scenario, by_event_time=True))
    assert event["series"] == {"count": 2, "lastObservedTime": "2027-01-15T08:00:01.000000Z"}
    assert event["lastTimestamp"] is None
