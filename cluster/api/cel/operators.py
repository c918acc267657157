"""Comparisons, equality and arithmetic, each as direct as the types that are known allow."""

import operator
from collections.abc import Callable
from typing import Any, Final

from cluster.api.cel.ast import Call, Expr, Literal
from cluster.api.cel.closures import Build, Code, Run, charge
from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.types import Type
from cluster.api.cel.values import (
    INT_MAX,
    INT_MIN,
    Frame,
    Uint,
    equal,
    map_equal,
    no_such_overload,
    set_equal,
)

Compare = Callable[[Any, Any], bool]
_COMPARE: Final[dict[str, Compare]] = {
    "_<_": operator.lt, "_<=_": operator.le, "_>_": operator.gt, "_>=_": operator.ge,
}  # fmt: skip
_FAST: Final = frozenset(("int", "uint", "double", "bool"))
_SIZED: Final = frozenset(("string", "bytes"))
_ORDERED: Final = frozenset((bool, str, bytes))
_NUMBERS: Final = frozenset((int, float, Uint))


def comparison(tree: Call, build: Build) -> Code:
    """`<`, `<=`, `>`, `>=`."""
    left, right = build(tree.args[0]), build(tree.args[1])
    compare = _COMPARE[tree.function]
    one, other = tree.args[0].type.kind, tree.args[1].type.kind
    cost = left.cost + right.cost + 1
    if one in _FAST and other in _FAST:
        if isinstance(tree.args[1], Literal):
            return Code(_with_constant(compare, left.run, tree.args[1].value), cost)
        return Code(_plain(compare, left.run, right.run), cost)
    if one == other and one in ("timestamp", "duration"):
        return Code(_plain(compare, left.run, right.run), cost)
    return Code(_dynamic(compare, left.run, right.run), cost)


# Each operator is written out where it runs: a call of `operator.lt` would cost as much again.
def _plain(compare: Compare, left: Run, right: Run) -> Run:
    if compare is operator.lt:
        return lambda frame: left(frame) < right(frame)
    if compare is operator.le:
        return lambda frame: left(frame) <= right(frame)
    if compare is operator.gt:
        return lambda frame: left(frame) > right(frame)
    return lambda frame: left(frame) >= right(frame)


def _with_constant(compare: Compare, left: Run, value: Any) -> Run:
    if compare is operator.lt:
        return lambda frame: left(frame) < value
    if compare is operator.le:
        return lambda frame: left(frame) <= value
    if compare is operator.gt:
        return lambda frame: left(frame) > value
    return lambda frame: left(frame) >= value


def _dynamic(compare: Compare, left: Run, right: Run) -> Run:
    def run(frame: Frame) -> bool:
        one, other = left(frame), right(frame)
        first, second = type(one), type(other)
        if first in _NUMBERS and second in _NUMBERS:
            return compare(one, other)
        if first is second:
            if first in _ORDERED:
                if first is not bool:
                    charge(frame, min(len(one), len(other)) // 10)
                return compare(one, other)
            if hasattr(one, "nanos"):
                return compare(one, other)
        raise no_such_overload()

    return run


def equality(tree: Call, build: Build) -> Code:
    """`==` and `!=`."""
    same = tree.function == "_==_"
    first, second = tree.args
    left, right = build(first), build(second)
    cost = left.cost + right.cost + 1
    one, other = first.type.kind, second.type.kind
    if one == other and (one in _FAST or one in _SIZED):
        if isinstance(second, Literal):
            return Code(_equals_constant(left.run, second.value, same), cost)
        if one in _FAST:
            return Code(_equals(left.run, right.run, same), cost)
        return Code(_equals_sized(left.run, right.run, same), cost)
    if isinstance(second, Literal) and second.value is None:
        null = left.run
        return Code(lambda frame: (null(frame) is None) is same, cost)
    return Code(_equals_any(left.run, right.run, comparer(first.type), same), cost)


def _equals(left: Run, right: Run, same: bool) -> Run:
    if same:
        return lambda frame: left(frame) == right(frame)
    return lambda frame: left(frame) != right(frame)


def _equals_constant(left: Run, value: Any, same: bool) -> Run:
    if same:
        return lambda frame: left(frame) == value
    return lambda frame: left(frame) != value


def _equals_sized(left: Run, right: Run, same: bool) -> Run:
    def run(frame: Frame) -> bool:
        one, other = left(frame), right(frame)
        if len(one) > 10 and len(other) > 10:
            frame[0] += min(len(one), len(other)) // 10
        return (one == other) is same

    return run


def _equals_any(
    left: Run, right: Run, compare: Callable[[Any, Any, Frame], bool] | None, same: bool
) -> Run:
    compare = compare or equal
    return lambda frame: compare(left(frame), right(frame), frame) is same


def comparer(type: Type) -> Callable[[Any, Any, Frame], bool] | None:
    """How values of a type compare, where lists of type `set` or `map` have a say; else None."""
    return _comparer(type, frozenset())


def _comparer(type: Type, within: frozenset[str]) -> Callable[[Any, Any, Frame], bool] | None:
    if type.kind == "list":
        return _list_comparer(type, within)
    if type.kind == "map":
        inner = _comparer(type.params[1], within)
        return None if inner is None else _by_key({}, inner)
    if type.kind != "object" or type.name in within:
        return None
    within |= {type.name}
    inside = {
        field.name: found
        for field in type.fields.values()
        if (found := _comparer(field.type, within)) is not None
    }
    return _by_key(inside, equal) if inside else None


def _list_comparer(type: Type, within: frozenset[str]) -> Callable[[Any, Any, Frame], bool] | None:
    inner = _comparer(type.params[0], within)
    if type.listing == "set":
        return lambda one, other, frame: _both_lists(one, other) and set_equal(one, other, frame)
    if type.listing == "map":
        keys, compare = type.keys, inner or equal
        return lambda one, other, frame: (
            _both_lists(one, other) and map_equal(one, other, keys, frame, compare)
        )
    if inner is None:
        return None

    def run(one: Any, other: Any, frame: Frame) -> bool:
        if not _both_lists(one, other) or len(one) != len(other):
            return False
        charge(frame, len(one) // 10 + 1)
        return all(inner(a, b, frame) for a, b in zip(one, other, strict=True))

    return run


def _both_lists(one: Any, other: Any) -> bool:
    return isinstance(one, list) and isinstance(other, list)


def _by_key(
    inside: dict[str, Callable[[Any, Any, Frame], bool]],
    otherwise: Callable[[Any, Any, Frame], bool],
) -> Callable[[Any, Any, Frame], bool]:
    def run(one: Any, other: Any, frame: Frame) -> bool:
        if not isinstance(one, dict) or not isinstance(other, dict) or len(one) != len(other):
            return equal(one, other, frame)
        charge(frame, len(one) // 10 + 1)
        return all(
            key in other and inside.get(key, otherwise)(value, other[key], frame)
            for key, value in one.items()
        )

    return run


_ARITHMETIC: Final = {"_+_": operator.add, "_-_": operator.sub, "_*_": operator.mul}


def arithmetic(tree: Call, build: Build) -> Code | None:
    """`+`, `-`, `*` of integers known to be such; None for all else."""
    compute = _ARITHMETIC.get(tree.function)
    if compute is None or len(tree.args) != 2 or not all(map(_is_int, tree.args)):
        return None
    left, right = build(tree.args[0]), build(tree.args[1])
    one, other = left.run, right.run

    def run(frame: Frame) -> int:
        value = compute(one(frame), other(frame))
        if INT_MIN <= value <= INT_MAX:
            return int(value)
        raise EvaluationError("integer overflow")

    return Code(run, left.cost + right.cost + 1)


def _is_int(tree: Expr) -> bool:
    return tree.type.kind == "int"
