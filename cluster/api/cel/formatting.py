"""`"%d of %s".format([1, "x"])`: the clauses of cel-go's string.format."""

import math
import re
from collections.abc import Callable
from typing import Any, Final

from cluster.api.cel.conversions import double_text
from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.overloads import Overload, declare
from cluster.api.cel.timetext import duration_text, timestamp_text
from cluster.api.cel.values import Frame, kind_of, spend

_CLAUSE: Final = re.compile(r"%(?:(%)|(?:\.(\d{1,4}))?(.)|\Z)", re.DOTALL)
_DEFAULT_PRECISION: Final = 6
_LARGEST_PRECISION: Final = 1000


def _format(frame: Frame, text: str, values: list[Any]) -> str:
    pieces: list[str] = []
    place = used = 0
    for found in _CLAUSE.finditer(text):
        pieces.append(text[place : found.start()])
        place = found.end()
        if found[1]:
            pieces.append("%")
            continue
        if not found[3]:
            raise EvaluationError("unexpected end of string")
        if used >= len(values):
            raise EvaluationError(f"index {used} out of range")
        shown = _clause(frame, found[3], found[2], values[used])
        spend(frame, len(shown) // 10)
        pieces.append(shown)
        used += 1
    pieces.append(text[place:])
    return "".join(pieces)


def _clause(frame: Frame, letter: str, precision: str | None, value: Any) -> str:
    writer = _CLAUSES.get(letter)
    if writer is None:
        raise EvaluationError(
            f'could not parse formatting clause: unrecognized formatting clause "{letter}"'
        )
    digits = _DEFAULT_PRECISION if precision is None else int(precision)
    if digits > _LARGEST_PRECISION:
        raise EvaluationError(f"precision {digits} is too large")
    return writer(frame, value, digits)


def _wrong(clause: str, takes: str, value: Any) -> EvaluationError:
    return EvaluationError(
        f"error during formatting: {clause} clause can only be used on {takes}, "
        f"was given {kind_of(value)}"
    )


def shown(frame: Frame, value: Any) -> str:
    """A value as `%s` writes it."""
    spend(frame, 1)
    kind = kind_of(value)
    if kind == "string":
        return str(value)
    if kind in ("map", "object"):
        parts = sorted((_key(key), shown(frame, item)) for key, item in value.items())
        return "{" + ", ".join(f"{key}: {item}" for key, item in parts) + "}"
    if kind == "list":
        return "[" + ", ".join(shown(frame, item) for item in value) + "]"
    writer = _SCALARS.get(kind)
    if writer is None:
        raise _wrong("string", "strings, bools, bytes, ints, doubles, maps, lists, types, "
                     "durations, and timestamps", value)  # fmt: skip
    return writer(value)


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)


def _double(value: float) -> str:
    text = double_text(value)
    return {"+Inf": "Infinity", "-Inf": "-Infinity"}.get(text, text)


_SCALARS: Final[dict[str, Callable[[Any], str]]] = {
    "int": str, "uint": str, "double": _double, "bool": _key,
    "null_type": lambda _: "null",
    "bytes": lambda value: value.decode("utf-8", "replace"),
    "timestamp": timestamp_text,
    "duration": duration_text,
    "type": lambda value: value.name,
}  # fmt: skip


def _decimal(frame: Frame, value: Any, digits: int) -> str:
    if kind_of(value) in ("int", "uint"):
        return str(value)
    if kind_of(value) == "double" and _special(value):
        return _double(value)
    raise _wrong("decimal", "integers", value)


def _special(value: float) -> bool:
    return not math.isfinite(value)


def _number(clause: str, letter: str) -> Callable[[Frame, Any, int], str]:
    def run(frame: Frame, value: Any, digits: int) -> str:
        if kind_of(value) not in ("double", "int", "uint"):
            raise _wrong(clause, "doubles", value)
        number = float(value)
        return _double(number) if _special(number) else f"{number:.{digits}{letter}}"

    return run


def _based(clause: str, letter: str, takes: str) -> Callable[[Frame, Any, int], str]:
    def run(frame: Frame, value: Any, digits: int) -> str:
        kind = kind_of(value)
        if kind == "bool" and letter == "b":
            return "1" if value else "0"
        if kind in ("int", "uint"):
            return f"{value:{letter}}"
        if letter in "xX" and kind in ("string", "bytes"):
            octets = value.encode("utf-8", "replace") if kind == "string" else value
            return str(octets.hex() if letter == "x" else octets.hex().upper())
        raise _wrong(clause, takes, value)

    return run


_CLAUSES: Final[dict[str, Callable[[Frame, Any, int], str]]] = {
    "s": lambda frame, value, digits: shown(frame, value),
    "d": _decimal,
    "f": _number("fixed-point", "f"),
    "e": _number("scientific", "e"),
    "b": _based("binary", "b", "integers and bools"),
    "x": _based("hex", "x", "integers, byte buffers, and strings"),
    "X": _based("hex", "X", "integers, byte buffers, and strings"),
    "o": _based("octal", "o", "integers"),
}


def overloads() -> list[Overload]:
    """What the library declares."""
    return [declare("string.format(list(dyn)) -> string", _format, framed=True)]
