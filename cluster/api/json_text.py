"""JSON text of others: decoded, with the words of Go's decoder where that fails."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode

_TRUNCATED: Final = "unexpected end of JSON input"
_PLACE: Final = re.compile(r"JSON is malformed: (.*) \(byte (\d+)\)", re.DOTALL)
# What msgspec says of a letter, and where Go says that it stands.
_WHERE: Final = {
    "expected ':'": "after object key",
    "expected ',' or '}'": "after object key:value pair",
    "expected ',' or ']'": "after array element",
    "object keys must be strings": "looking for beginning of object key string",
    "trailing comma in object": "looking for beginning of object key string",
    "trailing comma in array": "looking for beginning of value",
    "trailing characters": "after top-level value",
    "invalid character": "looking for beginning of value",
    "invalid escape character in string": "in string escape code",
    "invalid number": "in numeric literal",
}


class Malformed(ValueError):
    """Text that is no JSON; the message is Go's (encoding/json)."""


def reader(kind: type[T]) -> Callable[[bytes], T]:
    """Reads JSON text into `kind` (for msgspec): a function that raises nothing but Malformed."""
    decode = msgspec.json.Decoder(kind).decode

    def read(body: bytes) -> T:
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            raise Malformed(str(error)) from None
        except msgspec.DecodeError as error:
            raise Malformed(_go_words(body, str(error))) from None
        except UnicodeDecodeError:
            raise Malformed("invalid UTF-8 in string literal") from None
        except RecursionError:
            raise Malformed("exceeded max depth") from None

    return read


decoded: Callable[[bytes], Any] = reader(Any)
"""The document of JSON text. Malformed."""


def repeated(body: bytes, document: Any) -> tuple[str, ...]:
    """Paths of the fields that `body` gives more than once; `document` is what it decodes to.

    Written out anew, a document has as many quotation marks as its body, unless a field that is
    repeated, and so lost, took its own along; or unless some are written as numbers (`\\u0022`).
    """
    if _encode(document).count(b'"') == body.count(b'"') and b"\\u0022" not in body:
        return ()
    found: dict[int, tuple[str, ...]] = {}
    kept: list[dict[str, Any]] = []

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            kept.append(result)  # so that no other object gets its id
            found[id(result)] = _twice(pairs)
        return result

    try:
        root = json.loads(body, object_pairs_hook=made)
        return tuple(_paths(root, "", found)) if found else ()
    except (ValueError, RecursionError):  # more than Python reads, but not more than msgspec does
        return ()


def _twice(pairs: list[tuple[str, Any]]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    for name, _ in pairs:
        seen[name] = seen.get(name, 0) + 1
    return tuple(name for name, count in seen.items() if count > 1)


def _paths(value: Any, path: str, found: dict[int, tuple[str, ...]]) -> Iterator[str]:
    if isinstance(value, dict):
        twice = found.get(id(value), ())
        for name, inner in value.items():
            here = f"{path}.{name}" if path else name
            if name in twice:
                yield here
            yield from _paths(inner, here, found)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, f"{path}[{index}]", found)


def _go_words(body: bytes, said: str) -> str:
    place = _PLACE.fullmatch(said)
    if place is None:
        return _TRUNCATED if "truncated" in said else said
    at, where = int(place[2]), _WHERE.get(place[1])
    if where is None:
        return said
    if place[1] == "trailing characters":
        at -= 1  # here msgspec tells of the place behind the letter
    if at >= len(body):
        return _TRUNCATED
    return f"invalid character {chr(body[at])!a} {where}"
