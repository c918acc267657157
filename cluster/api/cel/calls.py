"""Calls of functions: straight to the one overload that fits, or by the values' kinds."""

from collections.abc import Callable
from typing import Any

from cluster.api.cel import operators
from cluster.api.cel.ast import Call, Expr
from cluster.api.cel.closures import Build, Code, Run, charge
from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.overloads import Overload
from cluster.api.cel.values import (
    Frame,
    Optional,
    kind_of,
    map_joined,
    no_such_overload,
    set_joined,
)

_OPEN = frozenset(("dyn", "param"))


def call(tree: Call, build: Build) -> Code:
    """Any call that is no index, comparison, equality or `in`."""
    if tree.function == "!_" and tree.args[0].type.kind == "bool":
        inner = build(tree.args[0])
        negated = inner.run
        return Code(lambda frame: not negated(frame), inner.cost + 1)
    quick = operators.arithmetic(tree, build) or _joined(tree, build) or _or_else(tree, build)
    if quick is not None:
        return quick
    operands = tree.operands()
    parts = [build(item) for item in operands]
    runs = [part.run for part in parts]
    cost = sum(part.cost for part in parts)
    only = tree.overloads[0] if len(tree.overloads) == 1 else None
    if only is not None and _fits(only, operands):
        return Code(_direct(only, runs), cost + (1 if only.cost is None else 0))
    return Code(_dispatched(tree, runs), cost)


def _fits(overload: Overload, operands: list[Expr]) -> bool:
    """Whether the types that are known leave no doubt that the overload is the right one."""
    return all(
        wanted.kind in _OPEN or wanted.kind == given.type.kind
        for wanted, given in zip(overload.params, operands, strict=True)
    )


def _direct(overload: Overload, runs: list[Run]) -> Run:
    function, cost = overload.run, overload.cost
    if cost is None and not overload.framed:
        if len(runs) == 1:
            only = runs[0]
            return lambda frame: function(only(frame))
        if len(runs) == 2:
            first, second = runs
            return lambda frame: function(first(frame), second(frame))
        return lambda frame: function(*[run(frame) for run in runs])
    return _charged(overload, runs)


def _charged(overload: Overload, runs: list[Run]) -> Run:
    def run(frame: Frame) -> Any:
        return _applied(overload, [part(frame) for part in runs], frame)

    return run


def _applied(overload: Overload, values: list[Any], frame: Frame) -> Any:
    if overload.cost is not None:
        charge(frame, overload.cost(values))
    return overload.run(frame, *values) if overload.framed else overload.run(*values)


def _dispatched(tree: Call, runs: list[Run]) -> Run:
    overloads, function = tree.overloads, tree.function
    kept: dict[tuple[type, ...], Overload] = {}

    def run(frame: Frame) -> Any:
        values = [part(frame) for part in runs]
        classes = tuple(map(type, values))
        overload = kept.get(classes)
        if overload is None:
            overload = _chosen(overloads, tuple(map(kind_of, values)), function)
            if len(kept) < 64:
                kept[classes] = overload
        if overload.cost is None:
            frame[0] += 1
        return _applied(overload, values, frame)

    return run


def _chosen(overloads: list[Overload], kinds: tuple[str, ...], function: str) -> Overload:
    for overload in overloads:
        wanted = [item.kind for item in overload.params]
        if all(one in _OPEN or one == kind for one, kind in zip(wanted, kinds, strict=True)):
            return overload
    if function[0] in "_!-@":
        raise no_such_overload()
    raise EvaluationError(f"no such overload: {function}({', '.join(kinds)})")


def _joined(tree: Call, build: Build) -> Code | None:
    """`+` of lists that are of type `set` or `map`."""
    first = tree.args[0].type if tree.args else None
    if tree.function != "_+_" or first is None or first.kind != "list":
        return None
    if first.listing == "atomic" or tree.args[1].type.kind != "list":
        return None
    left, right = build(tree.args[0]), build(tree.args[1])
    one, other, keys = left.run, right.run, first.keys
    join: Callable[[Frame], list[Any]]
    if first.listing == "set":
        join = lambda frame: set_joined(one(frame), other(frame), frame)  # noqa: E731
    else:
        join = lambda frame: map_joined(one(frame), other(frame), keys, frame)  # noqa: E731
    return Code(join, left.cost + right.cost + 1)


def _or_else(tree: Call, build: Build) -> Code | None:
    """`a.orValue(b)` and `a.or(b)`: the second is only evaluated where the first is none."""
    if tree.function not in ("or", "orValue") or tree.target is None or len(tree.args) != 1:
        return None
    left, right = build(tree.target), build(tree.args[0])
    one, other, cost = left.run, right.run, right.cost
    unwrap = tree.function == "orValue"

    def run(frame: Frame) -> Any:
        value = one(frame)
        if not isinstance(value, Optional):
            raise EvaluationError(f"no such overload: {tree.function}({kind_of(value)})")
        if value.there:
            return value.value if unwrap else value
        frame[0] += cost
        return other(frame)

    return Code(run, left.cost + 1)
