"""Words of an instruction: quotes, escapes, variables, JSON arrays. Pure.

Source: the Dockerfile reference, "Environment replacement" and the exec form.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def split(text: str, escape: str = "\\") -> list[str]:
    """The words of a line; quotes and escapes stay in them. ValueError."""
    found: list[str] = []
    word, quote, skip = "", "", False
    for char in text:
        if skip:
            word, skip = word + char, False
        elif char == escape and quote != "'":
            word, skip = word + char, True
        elif quote:
            word += char
            quote = "" if char == quote else quote
        elif char.isspace():
            if word:
                found.append(word)
            word = ""
        else:
            word += char
            quote = char if char in "'\"" else ""
    if quote:
        raise ValueError(f"unexpected end of statement while looking for matching {quote}-quote")
    return [*found, word] if word else found


def array(text: str) -> list[str] | None:
    """The words of the exec form, `["a", "b"]`; None where it is the shell form."""
    if not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(x, str) for x in found) else None


def expanded(text: str, values: Mapping[str, str], escape: str = "\\") -> str:
    """Replace variables, and take quotes and escapes away. ValueError."""
    out, _ = _walk(text, 0, values, escape, "")
    return out


def _walk(
    text: str, at: int, values: Mapping[str, str], escape: str, until: str
) -> tuple[str, int]:
    """Up to `until` or the end: what it says, and where it ended."""
    out, quote = "", ""
    while at < len(text):
        char = text[at]
        if until and not quote and char == until:
            return out, at
        if char == quote:
            quote, at = "", at + 1
        elif char in "'\"" and not quote:
            quote, at = char, at + 1
        elif quote == "'":
            out, at = out + char, at + 1
        elif char == escape and at + 1 < len(text):
            following = text[at + 1]
            keeps = bool(quote) and following not in f'"${escape}'
            out, at = out + (char if keeps else "") + following, at + 2
        elif char == "$":
            said, at = _variable(text, at + 1, values, escape)
            out += said
        else:
            out, at = out + char, at + 1
    if until:
        raise ValueError("syntax error: missing '}'")
    return out, at


def _variable(text: str, at: int, values: Mapping[str, str], escape: str) -> tuple[str, int]:
    braced = text[at : at + 1] == "{"
    name = _NAME.match(text, at + braced)
    if name is None:
        if braced:
            raise ValueError("syntax error: bad substitution")
        return "$", at
    value, at = values.get(name[0]), name.end()
    if not braced:
        return value or "", at
    if text[at : at + 1] == "}":
        return value or "", at + 1
    if at >= len(text):
        raise ValueError("syntax error: missing '}'")
    operator = re.compile(r":?[-+?]").match(text, at)
    if operator is None:
        raise ValueError(f"unsupported modifier ({text[at : at + 1]}) in substitution")
    word, end = _walk(text, operator.end(), values, escape, "}")
    there = bool(value) if operator[0].startswith(":") else value is not None
    if operator[0].endswith("+"):
        return (word if there else ""), end + 1
    if operator[0].endswith("?") and not there:
        raise ValueError(f"{name[0]}: {word or 'not set'}")
    return (value or "" if there else word), end + 1
