"""The standard operators and functions that are no conversions and not about time."""

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from cluster.api import regexes
from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.overloads import Overload, declare, strings_cost
from cluster.api.cel.timetext import checked
from cluster.api.cel.values import (
    INT_MAX,
    INT_MIN,
    UINT_MAX,
    Duration,
    Frame,
    Timestamp,
    TypeName,
    Uint,
    spend,
    type_name,
)


def whole(value: int) -> int:
    """An int within 64 bits. EvaluationError."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


def unsigned(value: int) -> Uint:
    """A uint within 64 bits. EvaluationError."""
    if 0 <= value <= UINT_MAX:
        return Uint(value)
    raise EvaluationError("unsigned integer overflow")


def span(nanos: int) -> Duration:
    """A duration within 64 bits of nanoseconds. EvaluationError."""
    if INT_MIN <= nanos <= INT_MAX:
        return Duration(nanos)
    raise EvaluationError("duration overflow")


def _quotient(one: int, other: int) -> int:
    if other == 0:
        raise EvaluationError("division by zero")
    size = abs(one) // abs(other)
    return whole(size if (one < 0) == (other < 0) else -size)


def _remainder(one: int, other: int) -> int:
    if other == 0:
        raise EvaluationError("modulus by zero")
    if one == INT_MIN and other == -1:
        raise EvaluationError("integer overflow")
    size = abs(one) % abs(other)
    return -size if one < 0 else size


def _double_quotient(one: float, other: float) -> float:
    if other != 0:
        return one / other
    if one == 0 or math.isnan(one):
        return float("nan")
    negative = (one < 0) != str(other).startswith("-")
    return float("-inf") if negative else float("inf")


def _joined_lists(frame: Frame, one: list[Any], other: list[Any]) -> list[Any]:
    # cel-go links lists without copying, at a cost of 1; a copy is charged for what it takes.
    spend(frame, (len(one) + len(other)) // 10)
    return one + other


def _arithmetic() -> list[Overload]:
    both = strings_cost(places=(0, 1))
    return [
        declare("(int, int) -> int", lambda a, b: whole(a + b), name="_+_"),
        declare("(uint, uint) -> uint", lambda a, b: unsigned(a + b), name="_+_"),
        declare("(double, double) -> double", operator.add, name="_+_"),
        declare("(string, string) -> string", operator.add, both, name="_+_"),
        declare("(bytes, bytes) -> bytes", operator.add, both, name="_+_"),
        declare("(list(A), list(A)) -> list(A)", _joined_lists, framed=True, name="_+_"),
        declare("(int, int) -> int", lambda a, b: whole(a - b), name="_-_"),
        declare("(uint, uint) -> uint", lambda a, b: unsigned(a - b), name="_-_"),
        declare("(double, double) -> double", operator.sub, name="_-_"),
        declare("(int, int) -> int", lambda a, b: whole(a * b), name="_*_"),
        declare("(uint, uint) -> uint", lambda a, b: unsigned(a * b), name="_*_"),
        declare("(double, double) -> double", operator.mul, name="_*_"),
        declare("(int, int) -> int", _quotient, name="_/_"),
        declare("(uint, uint) -> uint", lambda a, b: Uint(_quotient_of(a, b)), name="_/_"),
        declare("(double, double) -> double", _double_quotient, name="_/_"),
        declare("(int, int) -> int", _remainder, name="_%_"),
        declare("(uint, uint) -> uint", lambda a, b: Uint(_remainder(a, b)), name="_%_"),
        declare("(int) -> int", lambda a: whole(-a), name="-_"),
        declare("(double) -> double", operator.neg, name="-_"),
        declare("(bool) -> bool", operator.not_, name="!_"),
    ]


def _quotient_of(one: int, other: int) -> int:
    if other == 0:
        raise EvaluationError("division by zero")
    return one // other


def _moments() -> list[Overload]:
    def moved(moment: Timestamp, by: Duration) -> Timestamp:
        return checked(moment.nanos + by.nanos)

    return [
        declare("(timestamp, duration) -> timestamp", moved, name="_+_"),
        declare("(duration, timestamp) -> timestamp", lambda a, b: moved(b, a), name="_+_"),
        declare("(duration, duration) -> duration", lambda a, b: span(a.nanos + b.nanos),
                name="_+_"),
        declare("(timestamp, timestamp) -> duration", lambda a, b: span(a.nanos - b.nanos),
                name="_-_"),
        declare("(timestamp, duration) -> timestamp", lambda a, b: checked(a.nanos - b.nanos),
                name="_-_"),
        declare("(duration, duration) -> duration", lambda a, b: span(a.nanos - b.nanos),
                name="_-_"),
    ]  # fmt: skip


def _comparisons() -> list[Overload]:
    numbers = ("int", "uint", "double")
    pairs = [(one, other) for one in numbers for other in numbers]
    pairs += [(kind, kind) for kind in ("bool", "string", "bytes", "timestamp", "duration")]
    signs: dict[str, Callable[..., Any]] = {
        "_<_": operator.lt, "_<=_": operator.le, "_>_": operator.gt, "_>=_": operator.ge,
    }  # fmt: skip
    return [
        declare(f"({one}, {other}) -> bool", run, name=name)
        for name, run in signs.items()
        for one, other in pairs
    ]


def _contains_cost(args: Sequence[Any]) -> int:
    return -(-len(args[0]) // 10) * -(-len(args[1]) // 10)


def pattern_cost(args: Sequence[Any]) -> int:
    """A tenth a character of the text, times a quarter a character of the pattern."""
    return -(-(len(args[0]) + 1) // 10) * -(-len(args[1]) // 4)


def _matches(text: str, pattern: str) -> bool:
    fault = regexes.fault(pattern)
    if fault:
        raise EvaluationError(fault)
    return regexes.found(pattern, text)


def _texts() -> list[Overload]:
    start = strings_cost()
    return [
        declare("string.contains(string) -> bool", lambda a, b: b in a, _contains_cost),
        declare("string.startsWith(string) -> bool", str.startswith, start),
        declare("string.endsWith(string) -> bool", str.endswith, start),
        declare("string.matches(string) -> bool", _matches, pattern_cost),
        declare("matches(string, string) -> bool", _matches, pattern_cost),
    ]


def _sizes() -> list[Overload]:
    made = []
    for kind in ("string", "bytes", "list(A)", "map(A, B)"):
        made.append(declare(f"size({kind}) -> int", len))
        made.append(declare(f"{kind}.size() -> int", len))
    return made


def overloads() -> list[Overload]:
    """What the library declares."""
    return [
        *_arithmetic(), *_moments(), *_comparisons(), *_texts(), *_sizes(),
        declare("type(A) -> type(A)", lambda value: TypeName(type_name(value))),
        declare("dyn(A) -> dyn", lambda value: value),
    ]  # fmt: skip
