"""awk's values: numbers, strings, and strings that look like numbers. Pure."""

import math
import re
from typing import Any, Final

from cluster.runtime.vos.kernel import decoded, encoded
from cluster.runtime.vos.programs import regular
from cluster.runtime.vos.programs.awk.syntax import Wrong

_PREFIX: Final = re.compile(
    r"[ \t\n\r]*([-+]?(?:\d{1,300}\.?\d{0,300}|\.\d{1,300})(?:[eE][-+]?\d{1,3})?)"
)
_WHOLE: Final = re.compile(_PREFIX.pattern + r"[ \t\n\r]*")
_DIRECTIVE: Final = re.compile(
    r"%([-+ #0']*)(\*|\d{0,6})(?:\.(\*|\d{0,6}))?[hlLqjzt]*(.)", re.DOTALL
)
_MOST: Final = 4096
MAX_STRING: Final = 4 << 20

Value = float | str | None
"""None is a variable that nobody has set: "" and 0."""


class Input(str):
    """A string that came from outside: if it looks like a number it compares as one."""

    __slots__ = ()


def number(value: Value) -> float:
    """A value as a number."""
    if isinstance(value, float):
        return value
    if value is None:
        return 0.0
    found = _PREFIX.match(value)
    return float(found[1]) if found else 0.0


def text(value: Value, form: str = "%.6g") -> str:
    """A value as a string; `form` is CONVFMT or OFMT."""
    if isinstance(value, str):
        return str(value)
    if value is None:
        return ""
    if value == value and abs(value) < 1e16 and value == int(value):  # noqa: PLR0124
        return str(int(value))
    if math.isnan(value) or math.isinf(value):
        return ("-" if math.copysign(1, value) < 0 else "") + ("nan" if value != value else "inf")  # noqa: PLR0124
    return formatted(form, [value]) if form != "%.6g" else f"{value:.6g}"


def true(value: Value) -> bool:
    """Whether a value is true."""
    if isinstance(value, Input) and looks_numeric(value):
        return number(value) != 0
    return value != 0 if isinstance(value, float) else bool(value)


def looks_numeric(value: Value) -> bool:
    """Whether it compares as a number."""
    if isinstance(value, Input):
        return _WHOLE.fullmatch(value) is not None
    return not isinstance(value, str)


def compared(left: Value, right: Value, form: str) -> int:
    """Less than 0, 0 or more than 0."""
    if looks_numeric(left) and looks_numeric(right):
        one, other = number(left), number(right)
        return (one > other) - (one < other)
    first, second = text(left, form), text(right, form)
    return (first > second) - (first < second)


def pattern(source: str) -> Any:
    """A regular expression. Wrong."""
    try:
        return regular.compiled(source, extended=True)
    except regular.Bad as bad:
        raise Wrong(str(bad)) from bad


def fits(source: str, value: str) -> bool:
    """Whether a pattern is found in a string. Wrong."""
    return pattern(source).search(encoded(value)) is not None


def split(value: str, separator: str) -> list[str]:
    """The fields of a string. Wrong."""
    if separator == " ":
        return value.split()
    if not value:
        return []
    if separator == "":
        return list(value)
    if len(separator) == 1 and separator not in "\\|.*+?()[]{}^$":
        return value.split(separator)
    if len(separator) == 1:
        return value.split(separator)
    data, at, made = encoded(value), 0, []
    for found in pattern(separator).finditer(data):
        if found.end() == found.start():
            continue
        made.append(decoded(data[at : found.start()]))
        at = found.end()
    return [*made, decoded(data[at:])]


def formatted(form: str, values: list[Value]) -> str:
    """`sprintf`."""
    left = list(values)
    made: list[str] = []
    at = 0
    for found in _DIRECTIVE.finditer(form):
        made.append(form[at : found.start()])
        at = found.end()
        made.append(_directive(found, left))
    return "".join([*made, form[at:]])


def _size(told: str | None, left: list[Value]) -> int:
    if told == "*":
        return int(max(-_MOST, min(number(left.pop(0) if left else None), _MOST)))
    return min(int(told or "0"), _MOST)


def _directive(found: re.Match[str], left: list[Value]) -> str:
    flags, width, precision, kind = found.groups()
    if kind == "%":
        return "%"
    size = _size(width, left)
    if size < 0:
        flags, size = flags + "-", -size
    cut = None if precision is None else max(_size(precision, left), 0)
    flags = flags.replace("'", "")
    if kind not in "diouxXeEfFgGcsaA":
        return found[0]
    value = left.pop(0) if left else None
    dot = "" if cut is None else f".{cut}"
    if kind in "cs":
        shown = text(value)
        if kind == "c":
            shown = chr(int(number(value)) & 0x10FFFF) if isinstance(value, float) else shown[:1]
            shown = "" if 0xD800 <= ord(shown or "x") < 0xE000 else shown
            dot = ""
        return f"%{flags.replace('0', '').replace('+', '')}{size or ''}{dot}s" % shown
    real = number(value)
    if kind in "eEfFgG" or not math.isfinite(real):
        return f"%{flags}{size or ''}{dot}{kind if kind in 'eEfFgG' else 'g'}" % real
    kind = "d" if kind in "iu" else "x" if kind in "aA" else kind
    return f"%{flags}{size or ''}{dot}{kind}" % int(real)
