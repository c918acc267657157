"""Lists taken as sets: sets.contains, sets.equivalent, sets.intersects."""

from collections.abc import Sequence
from typing import Any

from cluster.api.cel.overloads import Overload, declare
from cluster.api.cel.values import Frame, contains


def _contains(frame: Frame, one: list[Any], other: list[Any]) -> bool:
    return all(contains(one, item, frame) for item in other)


def _equivalent(frame: Frame, one: list[Any], other: list[Any]) -> bool:
    return _contains(frame, one, other) and _contains(frame, other, one)


def _intersects(frame: Frame, one: list[Any], other: list[Any]) -> bool:
    return any(contains(one, item, frame) for item in other)


def _cost(args: Sequence[Any]) -> int:
    return max(1, len(args[0]) * len(args[1]))


def _double_cost(args: Sequence[Any]) -> int:
    return 2 * _cost(args)


def overloads() -> list[Overload]:
    """What the library declares."""
    shape = "(list(A), list(A)) -> bool"
    return [
        declare(shape, _contains, _cost, framed=True, name="sets.contains"),
        declare(shape, _equivalent, _double_cost, framed=True, name="sets.equivalent"),
        declare(shape, _intersects, _cost, framed=True, name="sets.intersects"),
    ]
