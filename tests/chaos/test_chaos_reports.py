"""From what is seen to the report: events, marks, availability, verdict, text and picture."""

import json
import xml.etree.ElementTree as ET

import pytest

from cluster.chaos import experiment as ex
from cluster.chaos import marks, observing, picture, report, words
from cluster.chaos.asking import Tally
from cluster.chaos.marks import Span, measure
from cluster.chaos.observing import Event, Observer
from cluster.chaos.outages import Outages
from cluster.client.informer import Change

OWNER = {"kind": "ReplicaSet", "name": "web-1", "uid": "rs", "controller": True}


def node(name, ready, address="127.9.0.2", zone="a"):
    status = "True" if ready else "Unknown"
    condition = {"type": "Ready", "status": status, "reason": "Because"}
    return {
        "metadata": {"name": name, "labels": {ex.ZONE_LABEL: zone}},
        "status": {
            "conditions": [condition],
            "addresses": [
                {"type": "Hostname", "address": name},
                {"type": "InternalIP", "address": address},
                {"type": "InternalIP", "address": "fd00::2"},
            ],
        },
    }


def pod(name, on, ready, *, leaving=False):
    meta = {
        "name": name, "namespace": "shop", "labels": {"app": "web"}, "ownerReferences": [OWNER],
    }  # fmt: skip
    if leaving:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"metadata": meta, "spec": {"nodeName": on}, "status": {"conditions": conditions}}


class Feed:
    """Shows an observer objects, one after the other."""

    def __init__(self) -> None:
        self.observer = Observer()
        self._nodes: dict = {}
        self._pods: dict = {}

    def node(self, now, name, ready, **more):
        new = node(name, ready, **more)
        self.observer.node(Change(self._nodes.get(name), new, 1), now)
        self._nodes[name] = new

    def no_node(self, now, name):
        self.observer.node(Change(self._nodes.pop(name), None, 1), now)

    def pod(self, now, name, on, ready, **more):
        new = pod(name, on, ready, **more)
        self.observer.pod(Change(self._pods.get(name), new, 1), now)
        self._pods[name] = new

    def gone(self, now, name):
        self.observer.pod(Change(self._pods.pop(name), None, 1), now)


def lost_node() -> Feed:
    """A node is lost at 40 and its two pods move until 48."""
    feed = Feed()
    for name in ("node-1", "node-2"):
        feed.node(-5.0, name, True)
    for name, on in (("a", "node-1"), ("b", "node-2"), ("c", "node-2")):
        feed.pod(-5.0, name, on, True)
    feed.observer.events.clear()
    feed.node(40.0, "node-2", False)
    for name in ("b", "c"):
        feed.pod(40.5, name, "node-2", False)
        feed.pod(45.0, name, "node-2", False, leaving=True)
        feed.pod(45.1, f"{name}2", "node-1", False)
    feed.pod(46.0, "b2", "node-1", True)
    feed.pod(48.0, "c2", "node-1", True)
    feed.node(70.0, "node-2", True)
    feed.gone(71.0, "b")
    return feed


def test_an_observer_tells_what_happens_and_how_it_stands() -> None:
    feed = lost_node()
    observer = feed.observer
    assert [(one.at, one.kind, one.subject) for one in observer.events] == [
        (40.0, "nodeNotReady", "node-2"), (40.5, "podNotReady", "shop/b"),
        (45.0, "evicted", "shop/b"), (40.5, "podNotReady", "shop/c"),
        (45.0, "evicted", "shop/c"), (46.0, "podReady", "shop/b2"), (46.0, "replaced", "shop/b2"),
        (48.0, "podReady", "shop/c2"), (48.0, "replaced", "shop/c2"),
        (70.0, "nodeReady", "node-2"),
    ]  # fmt: skip
    assert observer.load() == {"node-1": 3}
    assert observer.ready_pods[-1] == (48.0, 3)
    assert observer.addresses["node-1"] == "127.9.0.2"
    probe = ex.Probe("web", ex.PODS_READY, 3.0, False, "shop", "app=web")
    assert observer.holds(probe) == (True, "3 of 3 Ready")
    assert observer.holds(ex.Probe("nodes", ex.NODES_READY))[0]
    for kind, subject, said in (
        (ex.DEPLOYMENT, "none", "there is no Deployment default/none"),
        (ex.PODS_READY, "app=none", "there is no pod of app=none in namespace default"),
    ):
        assert observer.holds(ex.Probe("none", kind, subject=subject)) == (False, said)


def test_a_node_that_comes_back_is_known_by_its_new_address_and_labels() -> None:
    feed = Feed()
    feed.node(0.0, "node-1", True)
    feed.node(0.0, "node-2", True)
    feed.no_node(1.0, "node-1")
    known = feed.observer
    assert (list(known.nodes), list(known.addresses)) == (["node-2"], ["node-2"])
    assert known.different(ex.ZONE_LABEL) == 1
    feed.node(2.0, "node-1", True, address="127.9.0.7", zone="b")
    feed.node(3.0, "node-2", True, address="127.9.0.8", zone="c")
    assert known.addresses == {"node-1": "127.9.0.7", "node-2": "127.9.0.8"}
    assert known.different(ex.ZONE_LABEL) == 2


def test_a_pod_that_is_deleted_on_a_node_that_is_well_is_not_evicted() -> None:
    feed = Feed()
    feed.node(0.0, "node-1", True)
    feed.pod(0.0, "a", "node-1", True)
    feed.pod(1.0, "a", "node-1", True, leaving=True)
    feed.pod(2.0, "a2", "node-1", True)
    kinds = [one.kind for one in feed.observer.events]
    assert observing.EVICTED not in kinds
    assert observing.REPLACED not in kinds


def seen() -> report.Outcome:
    feed = lost_node()
    spans = [Span(1, "stop", "node any", ("kubelet-node-2",), 2.0, 62.0)]
    held = [Event(40.2, observing.LOST, "all"), Event(70.5, observing.HELD, "all")]
    measure(spans, sorted(feed.observer.events), held)
    probes = (
        ex.Probe("nodes", ex.NODES_READY),
        ex.Probe("requests", ex.HTTP, subject="web", availability=0.9, p99=0.5),
    )
    made = ex.Experiment("lost", probes=probes, expect={"notReady": 50.0, "recovered": 30.0})
    tally = Tally()
    for number in range(100):
        tally.add(number / 2, 0.01, "no answer" if number in (80, 81) else "")
    return report.Outcome(
        made, "try", "local", 1_800_000_000.0, 75.0, spans, {"requests": tally},
        {"nodes": (True, "2 of 2 Ready")}, sorted(feed.observer.events),
        feed.observer.nodes, feed.observer.ready_pods,
    )  # fmt: skip


def test_marks_are_times_after_the_fault_and_after_its_end() -> None:
    assert seen().spans[0].marks == {
        "detected": 38.0, "notReady": 38.0, "evicted": 43.0, "rescheduled": 46.0, "recovered": 8.5,
    }  # fmt: skip


def test_what_happens_is_put_down_to_the_fault_that_began_last() -> None:
    spans = [Span(1, "kill", "", ("a",), 0.0, 0.0), Span(2, "kill", "", ("b",), 10.0, 10.0)]
    events = [Event(11.0, observing.NODE_LOST, "n")]
    held = [Event(11.0, observing.LOST, "all"), Event(14.0, observing.HELD, "all")]
    measure(spans, events, held)
    assert spans[0].marks == {"recovered": 0.0}
    assert spans[1].marks == {"detected": 1.0, "notReady": 1.0, "recovered": 4.0}


def asked(probe, *results, timeout=1.0):
    """The tally of a probe by its name: `results` are sent, took, error, in the order of ends."""
    tally = Tally(outages=Outages(timeout))
    for at, took, error in results:
        tally.add(at, took, error)
    return {probe: tally}


def test_requests_that_fail_after_a_fault_count_for_its_recovery() -> None:
    spans = [
        Span(1, "kill", "", ("apiserver",), 2.0, 2.0),
        Span(2, "stop", "", ("apiserver",), 12.0, 22.0),
    ]
    # The first fails for what is done while it is under way; those under way at the end time out.
    ill = [(at / 10, 0.1, "connection refused") for at in range(120, 228)]
    tallies = asked(
        "api",
        *[(at / 10, 0.01, "") for at in range(19)], (1.9, 0.2, "reset"), (2.5, 0.01, ""),
        *ill, (23.0, 0.05, ""), (22.9, 1.0, "no answer within 1 s"),
        *[(at / 10, 0.01, "") for at in range(231, 260)],
    )  # fmt: skip
    events = marks.of_requests(spans, tallies)
    assert [(one.at, one.kind, one.subject, one.text) for one in events] == [
        (2.0, "lost", "api", "reset"), (2.51, "held", "api", "answers again; 1 failed"),
        (12.0, "lost", "api", "connection refused"),
        (23.05, "held", "api", "answers again; 109 failed"),
    ]  # fmt: skip
    measure(spans, [], events)
    assert spans[0].marks == {"recovered": pytest.approx(0.51)}
    assert spans[1].marks == {"recovered": pytest.approx(1.05)}


def test_an_answer_from_just_before_a_fault_ends_an_outage_that_the_fault_began() -> None:
    spans = [Span(1, "kill", "", ("apiserver",), 2.0, 2.0)]
    tallies = asked("api", (1.98, 0.02, "reset"), (1.985, 0.01, ""), (2.01, 0.01, ""))
    events = marks.of_requests(spans, tallies)
    assert [(one.at, one.kind) for one in events] == [(2.0, "lost"), (2.0, "held")]
    measure(spans, [], sorted(events, key=lambda event: event.at))
    assert spans[0].marks == {"recovered": 0.0}


def test_it_is_recovered_when_nothing_of_it_all_is_lost_any_more() -> None:
    spans = [Span(1, "stop", "", ("a",), 0.0, 10.0)]
    held = [
        Event(1.0, observing.LOST, "api"), Event(2.0, observing.LOST, "nodes"),
        Event(12.0, observing.HELD, "nodes"), Event(15.0, observing.HELD, "api"),
    ]  # fmt: skip
    measure(spans, [], held)
    assert spans[0].marks == {"recovered": 5.0}
    spans[0].marks.clear()
    measure(spans, [], held[:3])
    assert spans[0].marks == {}


def test_answers_between_failures_end_no_outage() -> None:
    of_three = [(at / 10, 0.01, "" if at % 3 else "reset") for at in range(31)]
    later = [(at / 10, 0.01, "") for at in range(31, 50)]
    tally = asked("web", *of_three, *later, (5.0, 0.1, "HTTP 503"))["web"]
    first, last = tally.outages.found()
    assert (first.began, first.ended, first.failed) == (0.0, pytest.approx(3.11), 11)
    assert (last.began, last.ended, last.error) == (5.0, None, "HTTP 503")


def test_outages_of_requests_are_told_in_text_document_and_picture() -> None:
    found = seen()
    asked_for = marks.of_requests(found.spans, found.tallies)
    found.events = tuple(sorted([*found.events, *asked_for]))
    document = json.loads(json.dumps(report.document(found)))
    assert document["probes"][1]["outages"] == [[40.0, 41.01, 2]]
    text = words.text(document)
    assert "+40.0s  lost            requests (no answer)" in text
    assert "+41.0s  held            requests (answers again; 2 failed)" in text
    assert "requests: outage from +40.0 s to +41.0 s, 2 failed" in picture.svg(document)


def test_a_run_that_was_aborted_before_any_fault_tells_only_why() -> None:
    found = with_(aborted="needs 2 zones; the cluster has 0", spans=[], tallies={}, states={})
    assert words.text(report.document(found)) == (
        "lost: ABORTED\n  - needs 2 zones; the cluster has 0\n"
        "  cluster try (local), no fault was begun, seed 0\n"
    )


def test_a_tally_counts_failures_and_the_longest_time_without_an_answer() -> None:
    tally = Tally()
    for at, error in ((0.0, ""), (1.0, ""), (2.0, "refused"), (3.0, "refused"), (4.0, "")):
        tally.add(at, 0.1, error)
    assert (tally.sent, tally.failed, tally.errors) == (5, 2, {"refused": 2})
    assert tally.availability == pytest.approx(0.6)
    assert tally.worst == pytest.approx(2.9)
    assert tally.percentile(0.99) == pytest.approx(0.1)
    assert tally.seconds == {0: [1, 0], 1: [1, 0], 2: [0, 1], 3: [0, 1], 4: [1, 0]}


def with_(**changes):
    found = seen()
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def made_with(**changes):
    from dataclasses import replace

    return replace(seen().made, **changes)


@pytest.mark.parametrize(
    ("changes", "word", "reason"),
    [
        ({}, "passed", ""),
        ({"aborted": "interrupted"}, "aborted", "interrupted"),
        ({"recovered": False, "states": {"nodes": (False, "1 of 2 Ready")}}, "failed",
         "not well again within 2m0s: nodes (1 of 2 Ready)"),
        ({"recovered": False, "failing": {"requests": "no answer within 1 s"}}, "failed",
         "not well again within 2m0s: requests (no answer within 1 s)"),
        ({"recovered": False}, "failed", "not well again within 2m0s: never for 1s on end"),
        ({"made": made_with(expect={"evicted": ex.NEVER})}, "failed",
         "evicted came after 43s, and never should have"),
        ({"made": made_with(expect={"notReady": 20.0})}, "failed",
         "notReady came after 38s, later than 20s"),
        ({"made": made_with(probes=(ex.Probe("requests", ex.HTTP, availability=0.99),))}, "failed",
         "requests: 98.00% of requests were answered well, less than 99.00%"),
        ({"spans": [Span(1, "stop", "x", (), 1.0, 2.0, "there is no x")],
          "made": made_with(expect={})},
         "failed", "fault 1 (stop): there is no x"),
    ],
)  # fmt: skip
def test_the_verdict_says_what_speaks_against_it(changes, word, reason) -> None:
    found, reasons = report.verdict(with_(**changes))
    assert found == word
    assert reasons == ([reason] if reason else [])


def test_of_too_many_events_those_of_pods_are_left_out_and_all_are_counted() -> None:
    begun, undone = Event(2.0, "begun", "fault 1", "stop it"), Event(62.0, "undone", "fault 1")
    pods = [Event(10.0 + at / 1000, "podNotReady", f"shop/{at}") for at in range(3000)]
    early = Event(-1.0, "podNotReady", "shop/early")
    found = with_(events=[early, begun, *pods, undone])
    document = json.loads(json.dumps(report.document(found)))
    assert len(document["events"]) == 2000
    assert document["eventsLeftOut"] == 1003
    assert document["podEvents"] == {"podNotReady": 3000}
    assert [one["at"] for one in document["events"]] == sorted(
        one["at"] for one in document["events"]
    )
    text = words.text(document)
    assert "+62.0s  undone          fault 1" in text
    assert "of pods: 3000 podNotReady" in text
    assert "1003 events are left out of this report" in text
    for one in ("podEvents", "eventsLeftOut"):  # as of long ago
        del document[one]
    assert "of pods: 1997 podNotReady" in words.text(document)


def test_pods_that_come_and_go_by_thousands_are_drawn_from_the_beginning_to_the_end() -> None:
    changes = [(at / 100, at) for at in range(5000)]
    points = report.document(with_(ready_pods=changes))["readyPods"]
    assert len(points) <= 2000
    assert (points[0][0] <= 0.02, points[-1]) == (True, [49.99, 4999])


def test_events_are_left_out_where_there_are_too_many_besides_those_of_pods() -> None:
    lost = [Event(float(at), "nodeNotReady", f"node-{at}") for at in range(2500)]
    document = report.document(with_(events=lost))
    assert (len(document["events"]), document["eventsLeftOut"]) == (2000, 500)
    text = words.text(document)
    assert "and 1940 more" in text
    assert "500 events are left out of this report" in text
    assert "left out" not in words.text(report.document(seen()))


def test_the_text_tells_the_times_and_the_availability() -> None:
    text = words.text(report.document(seen()))
    assert text.startswith("lost: PASSED\n")
    assert "1. stop kubelet-node-2, at +2.0s for 1m0s" in text
    assert (
        "NotReady after 38s; evicted after 43s; rescheduled after 46s; recovered after 8.5s" in text
    )
    assert "100 requests, 2 failed: availability 98.00% (wanted: 90.00%)" in text
    assert "2 times: no answer" in text


def test_the_picture_shows_faults_nodes_pods_and_requests_over_the_same_seconds() -> None:
    document = json.loads(json.dumps(report.document(seen())))
    drawn = picture.svg(document)
    assert drawn == picture.svg(document)
    top = ET.fromstring(drawn)
    name = "{http://www.w3.org/2000/svg}"
    texts = [one.text for one in top.iter(f"{name}text")]
    for wanted in ("lost", "passed", "1. stop", "stop kubelet-node-2", "node-1", "node-2",
                   "pods Ready (up to 3)", "requests: 98.00%, 2 of 100 failed", "NotReady +40.0 s",
                   "evicted +45.0 s", "rescheduled +48.0 s", "recovered +70.5 s",
                   "0 s"):  # fmt: skip
        assert wanted in texts
    width = float(top.get("width"))
    for one in top.iter(f"{name}rect"):
        assert float(one.get("width")) >= 0
        assert float(one.get("x", 0)) + float(one.get("width")) <= width
    bars = [one for one in top.iter(f"{name}rect") if one.find(f"{name}title") is not None]
    lost = next(one for one in bars if one.find(f"{name}title").text == "node-2: NotReady")
    second = (width - 200) / 75.0
    assert float(lost.get("width")) == pytest.approx(30 * second, rel=0.05)


def test_names_that_are_markup_are_only_text_in_the_picture() -> None:
    document = report.document(with_(cluster="<script>&"))
    assert "<script>" not in picture.svg(document)
    ET.fromstring(picture.svg(document))
