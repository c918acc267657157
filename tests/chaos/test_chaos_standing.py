"""What the end of a fault asks for where others did something to the same process or link."""

import pytest

from cluster.chaos import acts
from cluster.chaos import experiment as ex
from cluster.chaos.acts import Act, LinkState
from cluster.chaos.standing import Standing

STOP, START = Act("stop", "x"), Act("start", "x")
QUICK = Act("slow", "x")


def slow(cpu: float, seconds: float = 60.0) -> Act:
    return Act("slow", "x", cpu=cpu, seconds=seconds)


def cut(*links: str) -> Act:
    return Act("links", "a", links=tuple(LinkState(link, cut=True) for link in links))


def whole(*links: str) -> Act:
    return Act("links", "a", links=tuple(LinkState(link, cut=False) for link in links))


def bad(**links: float) -> Act:
    states = (LinkState(link, how=ex.Link(delay=delay)) for link, delay in links.items())
    return Act("links", "a", links=tuple(states))


@pytest.mark.parametrize(
    ("first", "second", "first_ends", "second_ends"),
    [
        (STOP, STOP, None, START),
        (STOP, Act("stop", "y"), START, Act("start", "y")),
        (STOP, Act("pause", "x"), START, Act("resume", "x")),
        (slow(0.1), slow(0.5), None, QUICK),
        (cut("b", "c"), cut("b", "c"), None, whole("b", "c")),
        (cut("b", "c"), cut("c", "d"), whole("b"), whole("c", "d")),
        (cut("b"), bad(b=0.1), whole("b"), bad(b=0.0)),
        (bad(b=0.1, c=0.1), bad(c=0.2), bad(b=0.0), bad(c=0.0)),
    ],
)
def test_what_another_has_begun_since_stays_until_its_end(
    first, second, first_ends, second_ends
) -> None:
    standing = Standing()
    (one,), (two,) = standing.begin(1, [first]), standing.begin(2, [second])
    assert standing.ending(one) == first_ends
    standing.end(one)
    assert (standing.has(1), standing.has(2)) == (False, True)
    assert standing.ending(two) == second_ends
    standing.end(two)
    assert standing.undoings() == []


@pytest.mark.parametrize(
    ("first", "second", "second_ends"),
    [
        (STOP, STOP, None),
        (slow(0.1, 90.0), slow(0.5), slow(0.1, 90.0)),
        # The second was to be forgotten sooner.
        (slow(0.1, 90.0), slow(0.1, 60.0), slow(0.1, 90.0)),
        (cut("b", "c"), cut("c", "d"), whole("d")),
        (bad(b=0.1, c=0.1), bad(c=0.2, d=0.2), bad(c=0.1, d=0.0)),
    ],
)
def test_what_another_began_before_is_as_that_one_made_it(first, second, second_ends) -> None:
    standing = Standing()
    (one,), (two,) = standing.begin(1, [first]), standing.begin(2, [second])
    assert standing.ending(two) == second_ends
    standing.end(two)
    assert standing.ending(one) == acts.undoing(first)


def test_what_undoes_it_all_begins_with_the_newest_and_says_nothing_twice() -> None:
    standing = Standing()
    standing.begin(1, [STOP, Act("stop", "y")])
    standing.begin(2, [STOP, Act("resume", "z")])
    standing.begin(3, [cut("b")])
    assert standing.undoings() == [whole("b"), START, Act("start", "y")]
    standing.ended_by(START)
    assert standing.undoings() == [whole("b"), Act("start", "y")]
    assert (standing.has(1), standing.has(2), standing.has(3)) == (True, False, True)
