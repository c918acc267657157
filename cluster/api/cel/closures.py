"""What the parts of the interpreter share: the shape of compiled code and values by their types."""

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from cluster.api.cel import timetext
from cluster.api.cel.ast import Expr
from cluster.api.cel.faults import CostExceeded, EvaluationError
from cluster.api.cel.types import Type
from cluster.api.cel.values import Frame, no_such_overload

Run = Callable[[Frame], Any]
Test = Callable[[Frame], bool]


class Code(NamedTuple):
    """A part of an expression, ready to run, and what it costs whenever it runs.

    The cost of all parts that always run together is charged at once, by whoever decides that
    they run: the program, a branch, a loop. Only what depends on sizes is charged by the part.
    """

    run: Run
    cost: int


Build = Callable[[Expr], Code]


class _Unbound:
    __slots__ = ()


UNBOUND: Final = _Unbound()
"""Stands in the slot of a variable that was not given."""


def boolean(code: Code, type: Type) -> Code:
    """Code whose value is surely a bool: others are an error where the type does not tell."""
    if type.kind == "bool":
        return code
    inner = code.run

    def run(frame: Frame) -> bool:
        value = inner(frame)
        if value is True or value is False:
            return value
        raise no_such_overload()

    return Code(run, code.cost)


def charge(frame: Frame, cost: int) -> None:
    """Add to the cost, and stop where it is too much."""
    frame[0] += cost
    if frame[0] > frame[1]:
        raise CostExceeded


def converter(type: Type) -> Callable[[Any], Any] | None:
    """What makes values of a type out of JSON; None where JSON has them as they are.

    Objects are left alone: their fields are converted as they are selected.
    """
    simple = _CONVERTERS.get(type.kind)
    if simple is not None:
        return simple
    if type.kind not in ("list", "map"):
        return None
    inner = converter(type.params[-1])
    if inner is None:
        return None
    return _each(inner)


def _each(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def convert(items: Any) -> Any:
        if isinstance(items, list):
            return [inner(item) for item in items]
        if isinstance(items, dict):
            return {key: inner(item) for key, item in items.items()}
        return items

    return convert


def _to_double(value: Any) -> Any:
    return float(value) if type(value) is int else value


def _to_bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise EvaluationError("illegal base64 data") from None


_CONVERTERS: Final[dict[str, Callable[[Any], Any]]] = {
    "double": _to_double,
    "bytes": _to_bytes,
    "timestamp": lambda value: timetext.parse_any(value) if isinstance(value, str) else value,
    "duration": lambda value: timetext.parse_duration(value) if isinstance(value, str) else value,
}
