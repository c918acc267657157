"""Conversions between the standard types: `int("3")`, `string(1.5)`, `timestamp("…")`."""

import math
import re
from typing import Any, Final

from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.overloads import Overload, declare, strings_cost
from cluster.api.cel.standard import unsigned, whole
from cluster.api.cel.timetext import (
    SECOND,
    checked,
    duration_text,
    parse_duration,
    parse_timestamp,
    timestamp_text,
)
from cluster.api.cel.values import INT_MAX, INT_MIN, UINT_MAX, Timestamp, Uint

_DIGITS: Final = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_BARE: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_DOUBLE: Final = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity|nan)",
    re.ASCII | re.IGNORECASE,
)
_TRUE: Final = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "false", "FALSE", "False"))


def double_text(value: float) -> str:
    """A double as Go's `%g` prints it: `1.5`, `1e+06`, `NaN`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    mantissa, _, power = f"{value:.17e}".partition("e")
    for digits in range(17):
        shorter = f"{value:.{digits}e}"
        if float(shorter) == value:
            mantissa, _, power = shorter.partition("e")
            break
    exponent = int(power)
    if -4 <= exponent < 6:
        places = max(0, len(mantissa.lstrip("-").replace(".", "")) - 1 - exponent)
        return f"{value:.{places}f}"
    return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _failed(kind: str) -> EvaluationError:
    return EvaluationError(f"type conversion error from 'string' to '{kind}'")


def _int_of(text: str) -> int:
    if not _DIGITS.fullmatch(text) or not INT_MIN <= int(text) <= INT_MAX:
        raise _failed("int")
    return int(text)


def _uint_of(text: str) -> Uint:
    if not _BARE.fullmatch(text) or int(text) > UINT_MAX:
        raise _failed("uint")
    return Uint(text)


def _double_of(text: str) -> float:
    if len(text) > 400 or not _DOUBLE.fullmatch(text):
        raise _failed("double")
    return float(text)


def _bool_of(text: str) -> bool:
    if text not in _TRUE and text not in _FALSE:
        raise _failed("bool")
    return text in _TRUE


def _truncated(value: float) -> int:
    if math.isnan(value) or not -(2.0**63) < value < 2.0**63:
        raise EvaluationError("integer overflow")
    return int(value)


def _truncated_unsigned(value: float) -> Uint:
    if math.isnan(value) or not -1 < value < 2.0**64:
        raise EvaluationError("unsigned integer overflow")
    return Uint(int(value))


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None


def _seconds(value: Timestamp) -> int:
    return value.nanos // SECOND


def _same(value: Any) -> Any:
    return value


def overloads() -> list[Overload]:
    """What the library declares."""
    long = strings_cost()
    return [
        declare("int(int) -> int", _same),
        declare("int(uint) -> int", lambda value: whole(int(value))),
        declare("int(double) -> int", _truncated),
        declare("int(string) -> int", _int_of),
        declare("int(timestamp) -> int", _seconds),
        declare("int(duration) -> int", lambda value: value.nanos),
        declare("uint(uint) -> uint", _same),
        declare("uint(int) -> uint", unsigned),
        declare("uint(double) -> uint", _truncated_unsigned),
        declare("uint(string) -> uint", _uint_of),
        declare("double(double) -> double", _same),
        declare("double(int) -> double", float),
        declare("double(uint) -> double", float),
        declare("double(string) -> double", _double_of),
        declare("bool(bool) -> bool", _same),
        declare("bool(string) -> bool", _bool_of),
        declare("string(string) -> string", _same),
        declare("string(bool) -> string", lambda value: "true" if value else "false"),
        declare("string(int) -> string", str),
        declare("string(uint) -> string", str),
        declare("string(double) -> string", double_text),
        declare("string(bytes) -> string", _decoded, long),
        declare("string(timestamp) -> string", timestamp_text),
        declare("string(duration) -> string", duration_text),
        declare("bytes(bytes) -> bytes", _same),
        declare("bytes(string) -> bytes", lambda text: text.encode("utf-8", "replace"), long),
        declare("timestamp(timestamp) -> timestamp", _same),
        declare("timestamp(string) -> timestamp", parse_timestamp),
        declare("timestamp(int) -> timestamp", lambda value: checked(value * SECOND)),
        declare("duration(duration) -> duration", _same),
        declare("duration(string) -> duration", parse_duration),
    ]
