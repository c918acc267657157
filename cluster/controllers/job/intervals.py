"""Sets of completion indexes as intervals: `0,2-4,7`, as completedIndexes has them.

A set is a tuple of (first, last) in rising order, none of which touch. A job of 100,000 indexes
that succeed in order is one pair.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

Intervals = tuple[tuple[int, int], ...]

EMPTY: Final[Intervals] = ()


def parse(text: str, limit: int) -> Intervals:
    """The indexes below `limit` that the text names; a part that is no interval is left out."""
    found: list[tuple[int, int]] = []
    for part in text.split(",") if text else ():
        first, dash, last = part.partition("-")
        if not _digits(first) or (dash and not _digits(last)):
            continue
        start = int(first)
        end = int(last) if dash else start
        if start < limit and end >= start:
            found.append((start, min(end, limit - 1)))
    return union(tuple(found), EMPTY)


def text(of: Intervals) -> str:
    """The text of a set: two neighbours are `3,4`, three are `3-5`."""
    return ",".join(
        str(first) if first == last else f"{first}{',' if last == first + 1 else '-'}{last}"
        for first, last in of
    )


def total(of: Intervals) -> int:
    """How many indexes are in it."""
    return sum(last - first + 1 for first, last in of)


def has(of: Intervals, index: int) -> bool:
    """Whether the index is in it."""
    at = bisect_left(of, index, key=lambda pair: pair[1])
    return at < len(of) and of[at][0] <= index


def singles(numbers: Iterable[int]) -> Intervals:
    """The set of these indexes, in any order."""
    return union(tuple((number, number) for number in sorted(numbers)), EMPTY)


def union(one: Intervals, other: Intervals) -> Intervals:
    """What is in either of them. They may be any lists of pairs, touching or not."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(one + other) if other else sorted(one):
        if merged and first <= merged[-1][1] + 1:
            if last > merged[-1][1]:
                merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return tuple(merged)


def overlap(one: Intervals, other: Intervals) -> int:
    """How many indexes are in both."""
    common, i, j = 0, 0, 0
    while i < len(one) and j < len(other):
        common += max(0, min(one[i][1], other[j][1]) - max(one[i][0], other[j][0]) + 1)
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return common


def missing(of: Intervals, limit: int, count: int) -> list[int]:
    """The lowest `count` indexes below `limit` that are not in it."""
    found: list[int] = []
    candidate = 0
    for first, last in (*of, (limit, limit)):
        end = min(first, limit, candidate + count - len(found))
        found.extend(range(candidate, end))
        if len(found) >= count:
            break
        candidate = max(candidate, last + 1)
    return found


def _digits(part: str) -> bool:
    return bool(part) and len(part) <= 10 and part.isascii() and part.isdigit()
