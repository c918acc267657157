"""Estimates: at least so much, at most so much, within 64 bits."""

from collections.abc import Iterable
from typing import Final, NamedTuple

UNBOUNDED: Final = 2**64 - 1


class Range(NamedTuple):
    """A size or a cost between two bounds."""

    least: int
    most: int

    def plus(self, other: "Range") -> "Range":
        """Both together."""
        return Range(_within(self.least + other.least), _within(self.most + other.most))

    def times(self, other: "Range") -> "Range":
        """One for each of the other."""
        return Range(_within(self.least * other.least), _within(self.most * other.most))

    def part(self, divisor: int, factor: int = 1) -> "Range":
        """`factor` for each `divisor`, rounded up: a tenth a character."""
        return Range(
            _within(-(-self.least * factor // divisor)), _within(-(-self.most * factor // divisor))
        )


def _within(value: int) -> int:
    return min(value, UNBOUNDED)


def fixed(value: int) -> Range:
    """Exactly so much."""
    return Range(value, value)


FREE: Final = fixed(0)
ONE: Final = fixed(1)
UNKNOWN: Final = Range(0, UNBOUNDED)


def total(items: Iterable[Range]) -> Range:
    """All together."""
    result = FREE
    for item in items:
        result = result.plus(item)
    return result


def union(items: Iterable[Range]) -> Range:
    """Any of them. There is at least one."""
    found = list(items)
    return Range(min(item.least for item in found), max(item.most for item in found))
