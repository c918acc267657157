"""Reads what stands in `${…}`: a name, an element of an array, and what is to be done with it."""

import re
from collections.abc import Callable
from typing import Final

from cluster.runtime.vos.shell.syntax import Parameter, Word

Inside = Callable[[str], Word]
"""Makes a word of a text that may have blanks in it."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[?$#@*!-]")
_LENGTH: Final = re.compile(r"#(?=[A-Za-z0-9_@*?$!#-])")
_OPERATION: Final = re.compile(r":?[-=+?]|##?|%%?|//|/#|/%|/|:|\^\^?|,,?")
_OPENERS: Final = {"{": "}", "(": ")", "[": "]"}
BAD: Final = "bad substitution"


def read(text: str, inside: Inside, *, quoted: bool, bash: bool) -> Parameter | None:
    """The parameter of the text between the braces; None where it is none."""
    name, length = text, _LENGTH.match(text)
    if length is not None and not _operates(text):
        name = text[1:]
    indirect = bash and not length and re.match(r"![A-Za-z_]", text) is not None
    if indirect:
        name = text[1:]
    found = _NAME.match(name)
    if found is None:
        return None
    rest = name[found.end() :]
    index: Word | None = None
    if bash and rest.startswith("["):
        within = _closed(rest)
        if within is None:
            return None
        index, rest = inside(rest[1:within]), rest[within + 1 :]
    if name is not text:
        if rest:
            return None
        every = index is not None and index.literal in ("@", "*")
        operation = "length" if length else "keys" if every else "indirect"
        return Parameter(found[0], operation, None, quoted, index)
    return _operated(found[0], rest, index, inside, quoted)


def _operates(text: str) -> bool:
    """Whether `#…` is the number of the positional parameters with an operation: `${#:-x}`."""
    return len(text) > 1 and text[1] in "-?#" and len(text) > 2


def _operated(
    name: str, rest: str, index: Word | None, inside: Inside, quoted: bool
) -> Parameter | None:
    if not rest:
        return Parameter(name, quoted=quoted, index=index)
    operation = _OPERATION.match(rest)
    if operation is None:
        return None
    kind, after = operation[0], rest[operation.end() :]
    second: Word | None = None
    if kind[0] == "/" or kind == ":":
        after, cut, behind = parted(after, "/" if kind[0] == "/" else ":")
        second = inside(behind) if cut else None
    return Parameter(name, kind, inside(after), quoted, index, second)


def parted(text: str, letter: str) -> tuple[str, str, str]:
    """As `str.partition`, at a letter that is neither quoted nor within brackets."""
    at = 0
    while at < len(text):
        if text[at] == letter:
            return text[:at], letter, text[at + 1 :]
        at = _past(text, at)
    return text, "", ""


def _past(text: str, at: int) -> int:
    """The place behind a letter, a quoted text or an expansion."""
    letter = text[at]
    if letter == "\\":
        return at + 2
    if letter in "'\"":
        quote = text.find(letter, at + 1)
        return len(text) if quote < 0 else quote + 1
    if letter == "$" and text[at + 1 : at + 2] in ("{", "("):
        end = _closed(text, at + 1)
        return len(text) if end is None else end + 1
    return at + 1


def _closed(text: str, start: int = 0) -> int | None:
    """Where the bracket closes that stands at `start`; those of its kind are counted."""
    opener, closer = text[start], _OPENERS[text[start]]
    depth, at = 0, start
    while at < len(text):
        if text[at] == opener:
            depth += 1
        elif text[at] == closer:
            depth -= 1
            if not depth:
                return at
        quoted = text[at] in "\\'\""
        at = _past(text, at) if quoted else at + 1
    return None
