"""Histories that are known to be bad are found to be, with the fewest calls; good ones are not."""

import pytest
from historywriting import written

from cluster.chaos.checking import linearizability, ordering, story
from cluster.chaos.checking.linearizability import Verdict

BAD = {
    "a lost update: two updates of one revision succeed": """
        a: create k v1
        a = ok 1
        a: update k v2 @1
        b: update k v3 @1
        a = ok 2
        b = ok 3
    """,
    "a lost update, seen by a read": """
        a: create k v1
        a = ok 1
        a: patch k v2
        a = ok 2
        b: patch k v3
        b = ok 3
        c: get k
        c = v2 2
    """,
    "a stale read": """
        a: create k v1
        a = ok 1
        a: patch k v2
        a = ok 2
        b: get k
        b = v1 1
    """,
    "a dirty read of a write that failed": """
        a: create k v1
        a = ok 1
        a: update k v2 @7
        a = fail Conflict
        b: get k
        b = v2 2
    """,
    "a read of what nobody wrote": """
        a: create k v1
        a = ok 1
        b: get k
        b = v9 1
    """,
    "a deleted object comes back": """
        a: create k v1
        a = ok 1
        a: delete k
        a = ok 2
        b: get k
        b = v1 1
    """,
    "two creates succeed": """
        a: create k v1
        b: create k v2
        a = ok 1
        b = ok 2
    """,
    "an acknowledged create is lost": """
        a: create k v1
        a = ok 1
        b: get k
        b = fail NotFound
    """,
    "an acknowledged write is lost": """
        a: create k v1
        a = ok 1
        a: patch k v2
        a = ok 2
        b: get k
        b = v1 1
    """,
    "revisions go down": """
        a: create k v1
        a = ok 5
        a: patch k v2
        a = ok 4
    """,
    "a read goes back after a write without an answer was seen": """
        a: create k v1
        a = ok 1
        b: patch k v2
        b = lost
        a: get k
        a = v2 2
        a: get k
        a = v1 1
    """,
    "a conflict with what has not changed": """
        a: create k v1
        a = ok 1
        b: update k v2 @1
        b = fail Conflict
    """,
    "a write without an answer takes effect twice": """
        a: create k v1
        a = ok 1
        b: patch k v2
        b = lost
        c: get k
        c = v2 2
        c: patch k v3
        c = ok 3
        c: get k
        c = v2 4
    """,
    "it is said to be there after its only write was refused": """
        a: create k v1
        a = fail Invalid
        b: create k v2
        b = fail AlreadyExists
    """,
    "an update of a revision that was overwritten by a write that told none": """
        a: create k v1
        a = ok 1
        a: patch k v2
        a = ok
        b: update k v3 @1
        b = ok 5
    """,
    "an update that has the revision of what it replaced": """
        a: create k v1
        a = ok
        a: update k v2 @5
        a = ok 5
    """,
    "a change without a new revision": """
        a: create k v1
        a = ok 1
        a: patch k v2
        a = ok 1
    """,
    "a read shows a change at the revision before it": """
        a: create k v1
        a = ok 3
        a: patch k v2
        a = ok
        b: get k
        b = v2 3
    """,
    "a delete succeeds twice": """
        a: create k v1
        a = ok 1
        a: delete k
        b: delete k
        a = ok 2
        b = ok 3
    """,
}
GOOD = {
    "a write of the same value may have a revision of which nobody was told": """
        a: create k v1
        b: get k
        c: patch k v1
        d: patch k v2
        c = ok
        e: delete k @2
        e = ok
        d = ok 1
        a = ok
        b = fail AlreadyExists
    """,
    "concurrent updates, one of them refused": """
        a: create k v1
        a = ok 1
        a: update k v2 @1
        b: update k v3 @1
        b = ok 2
        a = fail Conflict
        c: get k
        c = v3 2
    """,
    "a read beside a write sees either": """
        a: create k v1
        a = ok 1
        a: patch k v2
        b: get k
        b = v1 1
        c: get k
        c = v2 2
        a = ok 2
    """,
    "a write without an answer takes effect much later": """
        a: create k v1
        a = ok 1
        b: patch k v2
        b = lost
        a: get k
        a = v1 1
        a: get k
        a = v2 2
    """,
    "a write without an answer never takes effect": """
        a: create k v1
        a = ok 1
        b: patch k v2
        b = lost
        a: patch k v3
        a = ok 2
        a: get k
        a = v3 2
    """,
    "a write without an answer explains a conflict": """
        a: create k v1
        a = ok 1
        b: patch k v2
        b = lost
        a: update k v3 @1
        a = fail Conflict
    """,
    "a delete without an answer explains a second create": """
        a: create k v1
        a = ok 1
        b: delete k
        b = lost
        a: create k v2
        a = ok 3
    """,
    "created, deleted, created": """
        a: create k v1
        a = ok 1
        a: delete k
        a = ok
        b: get k
        b = fail NotFound
        b: create k v2
        b = ok 3
        a: create k v3
        a = fail AlreadyExists
    """,
    "an update of what was deleted and made anew is refused": """
        a: create k v1
        a = ok 1
        a: delete k
        a = ok 2
        a: create k v2
        a = ok 3
        b: update k v3 @1
        b = fail Conflict
    """,
    "a patch that changes nothing has no new revision": """
        a: create k v1
        a = ok 1
        a: patch k v1
        a = ok 1
    """,
    "a refused patch says nothing of the object": """
        a: create k v1
        a = ok 1
        b: patch k v2
        b = fail Conflict
    """,
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_bad_history_is_found_with_its_smallest_story(text):
    (found,) = linearizability.check(written(text))
    assert found.verdict is Verdict.BROKEN
    told = story.told(story.smallest(found.calls))
    assert 1 <= len(told) <= 4
    assert told[-1] in story.told(found.calls)


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_a_good_history_is_left_alone(text):
    calls = written(text)
    assert [one.verdict for one in linearizability.check(calls)] == [Verdict.LINEARIZABLE]
    assert ordering.real_time(calls) == []


def test_the_smallest_story_leaves_out_what_does_not_matter():
    noise = "\n".join(
        f"n: patch k n{at}\nn = ok {at}\nn: get k\nn = n{at} {at}" for at in range(2, 40)
    )
    text = f"""
        a: create k v1
        a = ok 1
        {noise}
        a: patch k v2
        a = ok 50
        b: get k
        b = n39 39
        a: patch k v3
        a = ok 51
    """
    (found,) = linearizability.check(written(text))
    told = [line.partition(" ")[2] for line in story.told(story.smallest(found.calls))]
    assert told == [
        "n patch k to 'n39': ok, revision 39",
        "a patch k to 'v2': ok, revision 50",
        "b get k: 'n39' at revision 39",
    ]


def test_a_search_that_takes_too_long_is_undecided():
    lost = "\n".join(f"l{at}: patch k v{at}" for at in range(40))
    text = f"a: create k w\na = ok 1\n{lost}\nr: get k\nr = fail NotFound"
    verdict, steps = linearizability.judge(written(text), budget=500)
    assert verdict is Verdict.UNDECIDED
    assert steps == 500


def test_a_list_is_a_look_at_each_object():
    from cluster.chaos.checking.history import History, Seen, Verb

    history = History()
    for key in ("ns/a", "ns/b", "other/c"):
        number = history.invoke("w", Verb.CREATE, key, 0, value=key)
        history.ok(number, 0, revision=number + 1)
    number = history.invoke("r", Verb.LIST, "ns/", 1)
    history.ok(number, 1, revision=3, members={"ns/a": Seen("ns/a", 1)})
    found = {one.key: one.verdict for one in linearizability.check(history.calls)}
    assert found == {
        "ns/a": Verdict.LINEARIZABLE,
        "ns/b": Verdict.BROKEN,
        "other/c": Verdict.LINEARIZABLE,
    }


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a: create j v\na = ok 5\nb: create k v\nb = ok 4", "revisions go back in time"),
        ("a: create j v\nb: create k v\na = ok 5\nb = ok 5", "two writes have one revision"),
        ("a: create j v\na = ok 5\nb: patch j w\nb = ok 5", "two writes have one revision"),
        ("a: create j v\nb: create k v\na = ok 5\nb = ok 4", ""),
        ("a: get j\na = v 5\nb: create k v\nb = ok 5", "revisions go back in time"),
    ],
)
def test_the_order_of_revisions_is_that_of_real_time(text, wrong):
    said = ordering.real_time(written(text))
    assert [one.partition("\n")[0] for one in said][:1] == ([wrong] if wrong else [])


def test_an_acknowledged_write_has_to_be_in_the_store():
    calls = written("a: create k v1\na = ok 1\na: patch k v2\na = ok 2\na: delete k\na = ok 3")
    whole = {1: ordering.Fact("k", "v1"), 2: ordering.Fact("k", "v2"), 3: ordering.Fact("k", None)}
    assert ordering.lost(calls, whole) == []
    for revision, other in (
        (1, None),
        (2, ordering.Fact("k", "v9")),
        (3, ordering.Fact("j", None)),
    ):
        broken = dict(whole)
        broken.pop(revision)
        if other:
            broken[revision] = other
        (said,) = ordering.lost(calls, broken)
        assert f"at revision {revision} the store has" in said


def test_what_was_refused_or_told_no_revision_is_not_asked_of_the_store():
    calls = written("a: create k v\na = fail AlreadyExists\na: delete k\na = ok\nb: patch k w")
    assert ordering.lost(calls, {}) == []


def test_writes_of_which_the_store_knows_nothing_are_left_out():
    calls = written("a: create k v1\na = ok 1\nb: patch k v2\nb = lost\nc: patch k v3\nc = lost")
    facts = {1: ordering.Fact("k", "v1"), 2: ordering.Fact("k", "v3")}
    assert [call.value for call in ordering.settled(calls, facts)] == ["v1", "v3"]
