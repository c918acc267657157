"""What watches told and where pods ran: each fault is found, and honest ones are left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.chaos.checking import pods, watches
from cluster.chaos.checking.history import Seen
from cluster.chaos.checking.ordering import Fact
from cluster.chaos.checking.watches import Kind, Told, Watch

WRITTEN = {
    3: Fact("n/a", "1"),
    4: Fact("other/x", "9"),
    5: Fact("n/a", "2"),
    6: Fact("n/b", "3"),
    8: Fact("n/a", None),
    9: Fact("n/b", "4"),
}
HONEST = (
    Told(Kind.LISTED, 2),
    Told(Kind.ADDED, 3, "n/a", "1"),
    Told(Kind.MODIFIED, 5, "n/a", "2"),
    Told(Kind.ADDED, 6, "n/b", "3"),
    Told(Kind.BOOKMARK, 7),
    Told(Kind.RESUMED, 7),
    Told(Kind.DELETED, 8, "n/a", "2"),
    Told(Kind.MODIFIED, 9, "n/b", "4"),
)


def said(told, written=WRITTEN):
    return watches.check(Watch("w", "n/", list(told)), written)


def without(*kinds_and_revisions):
    return [each for each in HONEST if (each.kind, each.revision) not in kinds_and_revisions]


def test_an_honest_watch_is_left_alone():
    assert said(HONEST) == []
    for length in range(len(HONEST)):
        assert said(HONEST[:length]) == []


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        (without((Kind.MODIFIED, 5)), "a gap: n/a = '2' at revision 5"),
        (without((Kind.ADDED, 6), (Kind.BOOKMARK, 7)), "was resumed from revision 7"),
        (without((Kind.ADDED, 6), (Kind.RESUMED, 7)), "a gap: n/b = '3' at revision 6"),
        (without((Kind.DELETED, 8)), "a gap: n/a = None at revision 8"),
        ([*HONEST, HONEST[-1]], "comes twice"),
        ([*HONEST[:4], HONEST[2]], "comes after 6"),
        ([*HONEST, Told(Kind.BOOKMARK, 8)], "a bookmark at revision 8 after 9"),
        ([*HONEST[:2], Told(Kind.EXPIRED, 0), *HONEST[2:]], "after 410, without a list"),
        ([*HONEST[:2], Told(Kind.MODIFIED, 5, "n/a", "7")], "where n/a = '2' was written"),
        ([*HONEST[:2], Told(Kind.ADDED, 5, "n/a", "2")], "which is there already"),
        ([HONEST[0], Told(Kind.MODIFIED, 3, "n/a", "1")], "which is not there"),
        ([*HONEST[:3], Told(Kind.LISTED, 4)], "a list at revision 4 after events up to 5"),
        (
            [
                *HONEST[:2],
                Told(Kind.EXPIRED, 0),
                Told(Kind.LISTED, 7, members={"n/a": Seen("1", 3)}),
            ],
            "the list at revision 7 has n/a = '1', where '2' was written",
        ),
        (
            [*HONEST[:2], Told(Kind.LISTED, 7, members={"n/a": Seen("2", 5)})],
            "has n/b = None, where '3' was written",
        ),
    ],
)
def test_each_fault_of_a_watch_is_told(told, wrong):
    assert wrong in said(told)[0]


def test_a_list_after_410_takes_the_place_of_events():
    listed = Told(Kind.LISTED, 7, members={"n/a": Seen("2", 5), "n/b": Seen("3", 6)})
    assert said([*HONEST[:2], Told(Kind.EXPIRED, 0), listed, *HONEST[6:]]) == []


def test_the_first_list_is_believed_and_what_was_before_is_not_missed():
    first = Told(Kind.LISTED, 7, members={"n/a": Seen("2", 5), "n/b": Seen("3", 6)})
    assert said([first, *HONEST[6:]]) == []


def test_what_was_there_before_the_first_list_needs_no_writer():
    first = Told(Kind.LISTED, 2, members={"n/old": Seen("0", 1)})
    assert said([first, *HONEST[1:], Told(Kind.DELETED, 10, "n/old", "0")]) == []


def test_what_was_deleted_may_be_made_again():
    again = {10: Fact("n/a", "5")}
    assert said([*HONEST, Told(Kind.ADDED, 10, "n/a", "5")], WRITTEN | again) == []
    assert "is not there" in said([*HONEST, Told(Kind.MODIFIED, 10, "n/a", "5")])[0]


@given(st.data())
def test_leaving_out_any_event_is_noticed_at_the_next(data):
    events = [each for each in HONEST if each.kind not in (Kind.BOOKMARK, Kind.RESUMED)]
    at = data.draw(st.integers(1, len(events) - 2))
    assert said(events[:at] + events[at + 1 :])
    assert not said(events)


def test_what_all_watches_saw_is_what_was_written():
    assert watches.facts([Watch("w", "n/", list(HONEST))]) == {
        revision: fact for revision, fact in WRITTEN.items() if fact.key.startswith("n/")
    }


def test_a_pod_stays_where_it_was_bound():
    seen = [
        pods.Sighting(1, "u", "n/p", ""),
        pods.Sighting(2, "u", "n/p", "node-1"),
        pods.Sighting(3, "u", "n/p", "node-1"),
        pods.Sighting(4, "v", "n/p", "node-2"),
    ]
    assert list(pods.moved(seen)) == []
    (told,) = pods.moved([*seen, pods.Sighting(5, "u", "n/p", "node-2")])
    assert told == "pod n/p (u) was bound to node-1 at revision 3, and at 5 to node-2"
    assert len(list(pods.moved([*seen, pods.Sighting(5, "v", "n/p", "")]))) == 1


def running(uid, key="n/s-0", containers=1, owner="s"):
    return pods.Running(uid, key, containers, owner)


@pytest.mark.parametrize(
    ("look", "wrong"),
    [
        ({"node-1": [running("u")], "node-2": [running("v", "n/s-1")]}, ""),
        ({"node-1": [running("u")], "node-2": [running("v", containers=0)]}, ""),
        ({"node-1": [running("u", owner="")], "node-2": [running("v", owner="")]}, ""),
        ({"node-1": [running("u")], "node-2": [running("u")]}, "runs on node-1 and on node-2"),
        ({"node-1": [running("u"), running("v")]}, "two pods of StatefulSet s run as n/s-0"),
        ({"node-1": [running("u")], "node-2": [running("v")]}, "u on node-1 and v on node-2"),
    ],
)
def test_a_pod_runs_once_and_so_does_an_ordinal(look, wrong):
    told = list(pods.twice(look, "at 5 s"))
    assert len(told) == bool(wrong)
    assert all(wrong in each for each in told)


def test_at_rest_runtimes_have_just_what_is_bound_to_them():
    look = {"node-1": [running("u")], "node-2": [running("v")]}
    assert list(pods.strays(look, {"u": "node-1", "v": "node-2", "w": "node-3"})) == []
    assert "is bound to node-1" in next(pods.strays(look, {"u": "node-1", "v": "node-1"}))
    assert "does not have there" in next(pods.strays(look, {"u": "node-1"}))
    told = list(pods.strays(look, {"u": "node-1", "v": "node-2", "w": "node-2"}))
    assert told == ["pod w is Running on node-2, whose runtime does not have it"]
