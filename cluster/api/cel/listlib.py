"""Kubernetes' functions of lists: isSorted, sum, min, max, indexOf, lastIndexOf."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.overloads import Overload, declare, list_cost
from cluster.api.cel.standard import span, unsigned, whole
from cluster.api.cel.values import Duration, Frame, Uint, equal, kind_of, no_such_overload

_NUMBERS: Final = frozenset(("int", "uint", "double"))
_ORDERED: Final = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")


def _comparable(items: list[Any]) -> None:
    kinds = {kind_of(item) for item in items}
    if not kinds <= set(_ORDERED) or (len(kinds) > 1 and not kinds <= _NUMBERS):
        raise no_such_overload()


def _is_sorted(items: list[Any]) -> bool:
    _comparable(items)
    return all(one <= other for one, other in pairwise(items))


def _least(items: list[Any]) -> Any:
    if not items:
        raise EvaluationError("min called on empty list")
    _comparable(items)
    return min(items)


def _most(items: list[Any]) -> Any:
    if not items:
        raise EvaluationError("max called on empty list")
    _comparable(items)
    return max(items)


def _sum(empty: Any) -> Callable[[list[Any]], Any]:
    def run(items: list[Any]) -> Any:
        if not items:
            return empty
        kinds = {kind_of(item) for item in items}
        if len(kinds) > 1:
            raise no_such_overload()
        kind = kinds.pop()
        if kind == "duration":
            return span(sum(item.nanos for item in items))
        if kind not in _NUMBERS:
            raise no_such_overload()
        total = sum(items)
        if kind == "double":
            return total
        return whole(total) if kind == "int" else unsigned(total)

    return run


def _index_of(frame: Frame, items: list[Any], wanted: Any) -> int:
    for place, item in enumerate(items):
        if equal(item, wanted, frame):
            return place
    return -1


def _last_index_of(frame: Frame, items: list[Any], wanted: Any) -> int:
    for place in range(len(items) - 1, -1, -1):
        if equal(items[place], wanted, frame):
            return place
    return -1


def overloads() -> list[Overload]:
    """What the library declares."""
    made = []
    for kind in _ORDERED:
        made.append(declare(f"list({kind}).isSorted() -> bool", _is_sorted, list_cost))
        made.append(declare(f"list({kind}).min() -> {kind}", _least, list_cost))
        made.append(declare(f"list({kind}).max() -> {kind}", _most, list_cost))
    zeros = {"int": 0, "uint": Uint(0), "double": 0.0, "duration": Duration(0)}
    for kind, zero in zeros.items():
        made.append(declare(f"list({kind}).sum() -> {kind}", _sum(zero), list_cost))
    made.append(declare("list(A).indexOf(A) -> int", _index_of, list_cost, framed=True))
    made.append(declare("list(A).lastIndexOf(A) -> int", _last_index_of, list_cost, framed=True))
    return made
