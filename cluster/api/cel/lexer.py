"""Tokens of an expression."""

import re
from typing import Any, Final, NamedTuple

from cluster.api.cel.faults import Fault
from cluster.api.cel.values import INT_MAX, UINT_MAX, Uint

_TOKEN: Final = re.compile(
    r"""[ \t\r\n\f]*(?:
      (?P<comment>//[^\n]*)
    | (?P<string>(?:[rR][bB]?|[bB][rR]?)?(?:'|\"))
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>0[xX][0-9a-fA-F]+[uU]?
        |(?:[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)
        |[0-9]+[uU]?)
    | (?P<quoted>`[A-Za-z0-9_./\- ]+`)
    | (?P<op>&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}])
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.ASCII,
)
_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\'\"`?])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})"
    r"|([0-3][0-7]{2})|(.|\n|\Z))"
)
_SIMPLE: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip
_NUMBER_LENGTH: Final = 400


class Token(NamedTuple):
    """A token: `kind` is `name`, `op`, `quoted`, `int`, `uint`, `double`, `string`, `bytes`, `end`.

    `text` is what was written and `value` what it means.
    """

    kind: str
    text: str
    offset: int
    value: Any = None


def tokens(text: str, faults: list[Fault]) -> list[Token]:
    """All tokens, ending with `end`. What is no token goes to `faults` and is left out."""
    found: list[Token] = []
    place = 0
    while True:
        match = _TOKEN.match(text, place)
        if match is None:
            place = _unknown(text, place, faults)
            continue
        kind = match.lastgroup or ""
        start, place = match.start(kind), match.end()
        word = match[kind]
        if kind in ("name", "op", "quoted"):
            found.append(Token(kind, word, start))
        elif kind == "string":
            place = _string(text, start, word, found, faults)
        elif kind == "number":
            found.append(_number(word, start, faults))
        elif kind == "end":
            found.append(Token("end", "<EOF>", start))
            return found


def _unknown(text: str, place: int, faults: list[Fault]) -> int:
    while text[place] in " \t\r\n\f":
        place += 1
    faults.append(Fault(place, f"Syntax error: token recognition error at: '{text[place]}'"))
    return place + 1


def _number(word: str, start: int, faults: list[Fault]) -> Token:
    if len(word) > _NUMBER_LENGTH:
        faults.append(Fault(start, "invalid numeric literal"))
        return Token("int", word, start, 0)
    lower = word.lower()
    if not lower.startswith("0x") and any(mark in lower for mark in ".e"):
        value = float(word)
        if value in (float("inf"), float("-inf")):
            faults.append(Fault(start, "invalid double literal"))
        return Token("double", word, start, value)
    unsigned = lower.endswith("u")
    digits = lower[:-1] if unsigned else lower
    whole = int(digits, 16 if digits.startswith("0x") else 10)
    if unsigned:
        if whole > UINT_MAX:
            faults.append(Fault(start, "invalid uint literal"))
        return Token("uint", word, start, Uint(whole))
    # One more than the greatest may follow a minus sign: the parser looks.
    if whole > INT_MAX + 1:
        faults.append(Fault(start, "invalid int literal"))
        whole = 0
    return Token("int", word, start, whole)


def _string(text: str, start: int, head: str, found: list[Token], faults: list[Fault]) -> int:
    """Read a string literal; gives the place after it."""
    prefix, quote = head[:-1].lower(), head[-1]
    body = start + len(head)
    triple = text.startswith(quote * 2, body)
    if triple:
        quote *= 3
        body += 2
    end = _closing(text, body, quote, raw="r" in prefix, lines=triple)
    if end < 0:
        if triple:  # an empty string after all, as `''` followed by something else
            quote, body, end = quote[0], body - 2, body - 2
        else:
            shown = text[start:].split("\n", 1)[0]
            faults.append(Fault(start, f"Syntax error: token recognition error at: '{shown}'"))
            return start + len(shown)
    after = end + len(quote)
    found.append(_literal(text[start:after], text[body:end], prefix, start, faults))
    return after


def _closing(text: str, place: int, quote: str, *, raw: bool, lines: bool) -> int:
    while place < len(text):
        char = text[place]
        if char == "\\" and not raw:
            place += 2
            continue
        if text.startswith(quote, place):
            return place
        if char in "\r\n" and not lines:
            return -1
        place += 1
    return -1


def _literal(written: str, body: str, prefix: str, start: int, faults: list[Fault]) -> Token:
    octets = "b" in prefix
    if octets:
        body = _as_octets(body)
    if "r" not in prefix and "\\" in body:
        fault: list[str] = []
        value = _ESCAPE.sub(lambda match: _escaped(match, octets, fault), body)
        if fault:
            faults.append(Fault(start, fault[0]))
    else:
        value = body
    if not octets:
        return Token("string", written, start, value)
    return Token("bytes", written, start, value.encode("latin-1", "replace"))


def _as_octets(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _escaped(match: re.Match[str], octets: bool, fault: list[str]) -> str:
    simple, pair, four, eight, octal, other = match.groups()
    if simple:
        return _SIMPLE.get(simple, simple)
    if pair or octal:
        return chr(int(pair, 16) if pair else int(octal, 8))
    if other is not None:
        fault.append(f"Syntax error: token recognition error at: '\\{other}'")
        return ""
    code = int(four or eight, 16)
    if octets or code > 0x10FFFF or 0xD800 <= code < 0xE000:
        fault.append("invalid unicode code point")
        return ""
    return chr(code)
