"""Compares an answer with what a document says of it, field by field.

An expected mapping names the fields that the document specifies; others may be there too, unless
it says `$exactly: true`. A list has to have as many elements, each as expected. Where a document
says only what kind of value a field has, the expectation is a word in angle brackets: `<any>`,
`<absent>`, `<uid>`, `<time>`, `<number>` (as text or not), or a regular expression between slashes.
"""

import re
from collections.abc import Iterator
from typing import Any

_WORDS = {
    "<uid>": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "<time>": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
    "<number>": re.compile(r"-?\d+"),
}


def differences(expected: Any, found: Any, path: str = "") -> Iterator[str]:
    """What is not as expected, a line each."""
    if isinstance(expected, dict):
        yield from _of_mapping(expected, found, path)
    elif isinstance(expected, list):
        yield from _of_list(expected, found, path)
    elif not _same(expected, found):
        yield f"{path or 'the answer'}: expected {expected!r}, got {_short(found)}"


def _of_mapping(expected: dict[str, Any], found: Any, path: str) -> Iterator[str]:
    if not isinstance(found, dict):
        yield f"{path or 'the answer'}: expected an object, got {_short(found)}"
        return
    exactly = expected.get("$exactly", False)
    for key, value in expected.items():
        at = f"{path}.{key}" if path else str(key)
        if key == "$exactly":
            continue
        if value == "<absent>":
            if key in found:
                yield f"{at}: expected no such field, got {_short(found[key])}"
        elif key not in found:
            yield f"{at}: expected {_short(value)}, got no such field"
        else:
            yield from differences(value, found[key], at)
    if exactly:
        for key in found:
            if key not in expected:
                yield f"{path}.{key}: expected no such field, got {_short(found[key])}"


def _of_list(expected: list[Any], found: Any, path: str) -> Iterator[str]:
    if not isinstance(found, list) or len(found) != len(expected):
        yield f"{path}: expected a list of {len(expected)}, got {_short(found)}"
        return
    for index, (one, other) in enumerate(zip(expected, found, strict=True)):
        yield from differences(one, other, f"{path}[{index}]")


def _same(expected: Any, found: Any) -> bool:
    if not isinstance(expected, str):
        return type(expected) is type(found) and bool(expected == found)
    if expected == "<any>":
        return True
    if expected in _WORDS:
        return _WORDS[expected].fullmatch(str(found)) is not None
    if len(expected) > 1 and expected[0] == expected[-1] == "/":
        return isinstance(found, str) and re.search(expected[1:-1], found) is not None
    return bool(expected == found)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 300 else f"{text[:300]}…"
