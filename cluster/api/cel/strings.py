"""The extended strings library (version 2 of cel-go's ext.Strings, without `format`)."""

from collections.abc import Sequence
from typing import Any, Final

from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.overloads import Overload, declare, strings_cost
from cluster.api.cel.values import Frame, spend

_LOWER: Final = {upper: upper + 32 for upper in range(65, 91)}
_UPPER: Final = {lower: lower - 32 for lower in range(97, 123)}
_QUOTED: Final = str.maketrans({
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
    "\\": "\\\\", '"': '\\"',
})  # fmt: skip


def _out_of_range(place: int) -> EvaluationError:
    return EvaluationError(f"index out of range: {place}")


def _char_at(text: str, place: int) -> str:
    if not 0 <= place <= len(text):
        raise _out_of_range(place)
    return text[place : place + 1]


def _index_of(text: str, part: str, start: int = 0) -> int:
    if start < 0:
        raise _out_of_range(start)
    if part == "":
        return min(start, len(text))
    return text.find(part, start)


def _last_index_of(text: str, part: str, start: int | None = None) -> int:
    if start is None:
        return text.rfind(part)
    if start < 0:
        raise _out_of_range(start)
    if start >= len(text):
        return len(text) if part == "" else -1
    return text.rfind(part, 0, start + len(part))


def _substring(text: str, start: int, end: int | None = None) -> str:
    if not 0 <= start <= len(text):
        raise _out_of_range(start)
    if end is None:
        return text[start:]
    if not 0 <= end <= len(text):
        raise _out_of_range(end)
    if start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    return text[start:end]


def _replace(frame: Frame, text: str, old: str, new: str, limit: int = -1) -> str:
    # What is made may be far longer than what there was: count before making it.
    if len(new) > len(old):
        found = len(text) + 1 if old == "" else text.count(old)
        found = found if limit < 0 else min(found, limit)
        spend(frame, found * (len(new) - len(old)) // 10)
    return text.replace(old, new, limit)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if separator == "":
        if limit < 0 or limit >= len(text):
            return list(text)
        return [*text[: limit - 1], text[limit - 1 :]]
    return text.split(separator, -1 if limit < 0 else limit - 1)


def _join(frame: Frame, items: list[Any], separator: str = "") -> str:
    size = len(separator) * len(items)
    for item in items:
        if not isinstance(item, str):
            raise EvaluationError("no such overload")
        size += len(item)
    spend(frame, max(1, -(-size // 5)))
    return separator.join(items)


def _quote(text: str) -> str:
    return f'"{text.translate(_QUOTED)}"'


def _free(args: Sequence[Any]) -> int:
    return 0


def overloads() -> list[Overload]:
    """What the library declares."""
    once, twice = strings_cost(), strings_cost(0.2)
    return [
        declare("string.charAt(int) -> string", _char_at),
        declare("string.indexOf(string) -> int", _index_of, once),
        declare("string.indexOf(string, int) -> int", _index_of, once),
        declare("string.lastIndexOf(string) -> int", _last_index_of, once),
        declare("string.lastIndexOf(string, int) -> int", _last_index_of, once),
        declare("string.lowerAscii() -> string", lambda text: text.translate(_LOWER), once),
        declare("string.upperAscii() -> string", lambda text: text.translate(_UPPER), once),
        declare("string.substring(int) -> string", _substring, once),
        declare("string.substring(int, int) -> string", _substring, once),
        declare("string.trim() -> string", str.strip, once),
        declare("string.replace(string, string) -> string", _replace, twice, framed=True),
        declare("string.replace(string, string, int) -> string", _replace, twice, framed=True),
        declare("string.split(string) -> list(string)", _split, twice),
        declare("string.split(string, int) -> list(string)", _split, twice),
        declare("list(string).join() -> string", _join, _free, framed=True),
        declare("list(string).join(string) -> string", _join, _free, framed=True),
        declare("(string) -> string", _quote, once, name="strings.quote"),
    ]
