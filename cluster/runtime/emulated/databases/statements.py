"""The few statements that a database server answers without data: constants and its own settings.

`SELECT 1, 'a', version()` is true whatever a database holds. Everything else is not emulated, and
the caller says so. Pure.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Value = int | str | bool | None
MOST: Final = 64 << 10
"""Bytes of a statement that are looked at."""
_COLUMNS: Final = 100
_STATEMENTS: Final = 50

_ITEM: Final = re.compile(
    r"""\s*(?P<item>(?P<number>-?\d{1,18})|'(?P<text>(?:[^'\\]|'')*)'|(?P<parameter>\$\d{1,2})"""
    r"""|(?P<word>[A-Za-z@_][\w.@]{0,100}))\s*(?P<call>\(\s*\))?"""
    r"""(?:::(?P<cast>\w+))?"""
    r"""(?:\s+(?:as\s+)?(?!limit\b)(?P<alias>"[^"]{1,60}"|`[^`]{1,60}`|'[^']{1,60}'|[A-Za-z_]\w{0,60}))?"""
    r"""\s*(?P<end>,|$)""",
    re.IGNORECASE,
)
_COMMENT: Final = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_LITERALS: Final[Mapping[str, Value]] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the one row of an answer. `parameter`: its value is told when it is run."""

    name: str
    value: Value = None
    parameter: int = 0


def split(text: str) -> list[str]:
    """The statements of a text, at semicolons that are in no quotes. Empty ones are left out."""
    text = _COMMENT.sub(" ", text[:MOST])
    found: list[str] = []
    begin, quote = 0, ""
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"`":
            quote = letter
        elif letter == ";":
            found.append(text[begin:at].strip())
            begin = at + 1
    found.append(text[begin:].strip())
    return [one for one in found if one][:_STATEMENTS]


def verb(statement: str) -> str:
    """Its first word, in lower case."""
    found = re.match(r"[A-Za-z]{1,20}", statement)
    return found[0].lower() if found else ""


def row(
    statement: str, known: Mapping[str, Value], name: Callable[[str, str], str]
) -> Sequence[Column] | None:
    """The columns of `SELECT item, …`; None for what is no such statement, or not `known`.

    `known` has functions (`version()`) and variables (`@@version`) in lower case. `name` gives the
    name of a column without an alias, of the item as it was written and the word in it ("" where
    it is a constant).
    """
    if verb(statement) != "select":
        return None
    rest = re.sub(r"\s+limit\s+\d{1,9}\s*$", "", statement[6:], flags=re.IGNORECASE)
    try:
        return list(_columns(rest, known, name))
    except LookupError:
        return None


def _columns(
    text: str, known: Mapping[str, Value], name: Callable[[str, str], str]
) -> Iterator[Column]:
    """LookupError for what is not known."""
    at = 0
    for _ in range(_COLUMNS):
        found = _ITEM.match(text, at)
        if found is None:
            raise LookupError(text[at:])
        whole = found["item"] + (found["call"] or "")
        called = (found["alias"] or "").strip("\"`'") or name(whole, found["word"] or "")
        if found["parameter"]:
            yield Column(called, parameter=int(found["parameter"][1:]))
        else:
            yield Column(called, _value(found, known))
        at = found.end()
        if found["end"] != ",":
            return
    raise LookupError("too many columns")


def _value(found: re.Match[str], known: Mapping[str, Value]) -> Value:
    if found["call"] and found["word"] is None:
        raise LookupError(found[0])
    if found["number"] is not None:
        return int(found["number"])
    if found["text"] is not None:
        return found["text"].replace("''", "'")
    word = found["word"].lower()
    if word in _LITERALS and not found["call"]:
        return _LITERALS[word]
    for prefix in ("@@global.", "@@session.", "@@local.", "pg_catalog."):
        if word.startswith(prefix):
            word = ("@@" if prefix[0] == "@" else "") + word[len(prefix) :]
    return known[f"{word}()" if found["call"] else word]
