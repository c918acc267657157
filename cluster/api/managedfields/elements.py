"""Path elements: the keys of a FieldsV1 document, their texts, their order and their display.

`f:name` is a field, `k:{"name":"web"}` an item by its keys, `v:"x"` a value of a set, `i:0` a place
in a list, `.` the thing itself. Source: fieldpath/serialize-pe.go and element.go.
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import msgspec

SELF: Final = "."

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Malformed(ValueError):
    """A text that is no path element, or no set of them."""


def field(name: str) -> str:
    """The element of a property or of a map's entry."""
    return "f:" + name


def of_value(value: Any) -> str:
    """The element of a value in a set."""
    return "v:" + _encode(value).decode()


def of_keys(pairs: Iterable[tuple[str, Any]]) -> str:
    """The element of a list's item, by its keys."""
    return "k:" + _encode(dict(sorted(pairs))).decode()


def canonical(text: str) -> str | None:
    """The element as it is always written; None for one of a kind that nobody knows. Malformed."""
    kind, rest = text[:2], text[2:]
    if kind == "f:" or text == SELF:
        return text
    try:
        if kind == "k:":
            return _canonical_keys(rest)
        if kind == "v:":
            return of_value(_decode(rest))
        if kind == "i:":
            return f"i:{int(rest[:20])}"
    except (ValueError, RecursionError, msgspec.DecodeError):
        raise Malformed(f"parsing path element {text[:100]!r}") from None
    if len(text) < 2 or text[1] != ":":
        raise Malformed(f"missing colon in path element {text[:100]!r}")
    return None


def _canonical_keys(text: str) -> str:
    found = _decode(text)
    if not isinstance(found, dict) or not found:
        raise Malformed(f"the keys of an item are no object: {text[:100]!r}")
    return of_keys(found.items())


_LONG: Final = 256  # letters; longer elements, which a user may well send, are not remembered


def in_order(texts: list[str]) -> list[str]:
    """Elements sorted: itself, fields, keys, values, places; each kind by what it holds."""
    long = max(map(len, texts), default=0) > _LONG
    return sorted(texts, key=_order if long else _known_order)


def _order(text: str) -> tuple[Any, ...]:
    kind, rest = text[:2], text[2:]
    if kind == "f:":
        return (1, rest)
    if kind == "k:":
        pairs: dict[str, Any] = _decode(rest)
        return (2, tuple((name, _rank(value)) for name, value in pairs.items()))
    if kind == "v:":
        return (3, _rank(_decode(rest)))
    return (4, int(rest)) if kind == "i:" else (0,)


_known_order = lru_cache(8192)(_order)


def _rank(value: Any) -> tuple[Any, ...]:
    """Numbers, strings, truths, lists, maps, null: the order of value.Compare."""
    if value is None:
        return (5,)
    if isinstance(value, bool):
        return (2, value)
    if isinstance(value, int | float):
        return (0, value)
    if isinstance(value, str):
        return (1, value)
    if isinstance(value, list):
        return (3, tuple(_rank(item) for item in value))
    return (4, tuple((name, _rank(value[name])) for name in sorted(value)))


def shown(text: str) -> str:
    """An element in a path that people read: `.spec`, `[name="web"]`, `[="x"]`, `[0]`."""
    kind, rest = text[:2], text[2:]
    if kind == "f:":
        return f".{rest}"
    if kind == "k:":
        pairs: dict[str, Any] = _decode(rest)
        return f"[{','.join(f'{name}={_text(value)}' for name, value in pairs.items())}]"
    return f"[={_text(_decode(rest))}]" if kind == "v:" else f"[{rest}]"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
