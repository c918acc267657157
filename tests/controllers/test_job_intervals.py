"""Sets of completion indexes, against Python's own sets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.controllers.job import intervals

INDEXES = st.sets(st.integers(0, 60))


def _members(of):
    return {index for first, last in of for index in range(first, last + 1)}


@pytest.mark.parametrize(
    ("indexes", "text"),
    [
        ((), ""),
        ((4,), "4"),
        ((3, 4), "3,4"),
        ((0, 2, 3, 4, 7), "0,2-4,7"),
        (range(100_000), "0-99999"),
    ],
)
def test_the_text_is_that_of_kubernetes(indexes, text):
    assert intervals.text(intervals.singles(indexes)) == text
    assert intervals.parse(text, 100_000) == intervals.singles(indexes)


@pytest.mark.parametrize(
    ("text", "limit", "found"),
    [
        ("0-9", 5, ((0, 4),)),
        ("2,7-9", 5, ((2, 2),)),
        ("x,1", 9, ((1, 1),)),
        ("1-x,3", 9, ((3, 3),)),
        ("-1", 9, ()),
        ("5-2", 9, ()),
        ("99999999999999999999", 9, ()),
        ("²", 9, ()),
    ],
)
def test_what_is_no_index_of_the_job_is_left_out(text, limit, found):
    assert intervals.parse(text, limit) == found


@given(INDEXES, INDEXES)
def test_sets_are_joined_and_compared(one, other):
    a, b = intervals.singles(one), intervals.singles(other)
    joined = intervals.union(a, b)
    assert _members(joined) == one | other
    assert joined == intervals.singles(one | other)
    assert intervals.overlap(a, b) == len(one & other)
    assert intervals.total(joined) == len(one | other)
    assert all(intervals.has(a, index) == (index in one) for index in range(62))


@given(INDEXES, st.integers(0, 70), st.integers(0, 20))
def test_the_lowest_that_are_missing_are_found(present, limit, count):
    expected = [index for index in range(limit) if index not in present][:count]
    assert intervals.missing(intervals.singles(present), limit, count) == expected
