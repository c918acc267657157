"""Walks a decoded document along its schema: checks types, prunes what is unknown, copies.

One function a struct is made when it is first needed. The walk gives a new document; where it meets
a value of the wrong JSON type it raises Malformed, worded as Go's decoder words it. null means
absent, as it does there.
"""

import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, Final

from cluster.api import causes, quantity, schema

# A path is the pair (path above, key or index); () is the root.
Path = tuple[Any, ...]
Walk = Callable[[Any, Path, "Unknown"], Any]

UNKNOWN_LIMIT: Final = 100  # complaints kept, as Kubernetes' strict decoder keeps them


class Malformed(ValueError):
    """A value that Go could not decode; the message is the decoder's.

    `converter` is the message of Kubernetes' converter of unstructured objects
    (k8s.io/apimachinery/pkg/runtime/converter.go), which knows neither fields nor JSON.
    """

    def __init__(self, message: str, converter: str = "") -> None:
        super().__init__(message)
        self.converter = converter or message


class Unknown:
    """Collects the paths of fields that the schema does not have."""

    __slots__ = ("paths",)

    def __init__(self) -> None:
        self.paths: list[str] = []

    def add(self, path: Path) -> None:
        """Note one path; those beyond the limit are dropped."""
        if len(self.paths) < UNKNOWN_LIMIT:
            self.paths.append(shown(path))


class _Mismatch(Exception):
    """A value of the wrong type, before its struct is known."""

    def __init__(self, found: str, go: str, path: Path) -> None:
        super().__init__(found)
        self.found, self.go, self.path = found, go, path


def walk(node: schema.Node, document: Any, unknown: Unknown) -> Any:
    """The document as the schema sees it. Malformed."""
    try:
        return _walk_of(node)(document, (), unknown)
    except _Mismatch as error:
        raise Malformed(_unmarshal_message(node, error), _converter_message(error)) from None


def shown(path: Path) -> str:
    """`spec.containers[0].image`."""
    text = ""
    for step in _steps(path):
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def _steps(path: Path) -> list[Any]:
    steps = []
    while path:
        path, step = path
        steps.append(step)
    return steps[::-1]


def _unmarshal_message(root: schema.Node, error: _Mismatch) -> str:
    """Go names the innermost struct, and the path without list indices and map keys."""
    struct, names, node = "", [], root
    for step in _steps(error.path):
        if node.kind == "struct":
            struct = node.go.rpartition(".")[2]
            names.append(step)
            node = node.fields[step].node
        elif node.element is not None:
            node = node.element
    if not names:
        return f"json: cannot unmarshal {error.found} into Go value of type {error.go}"
    field = f"{struct}.{'.'.join(names)}"
    return f"json: cannot unmarshal {error.found} into Go struct field {field} of type {error.go}"


_GO_KINDS: Final = {"object": "map", "array": "slice", "number": "int64"}


def _converter_message(error: _Mismatch) -> str:
    found = _GO_KINDS.get(error.found, error.found)
    if error.go.startswith("[]"):
        return f"cannot restore slice from {found}"
    if error.go.startswith("map["):
        return f"cannot restore map from {found}"
    if "." in error.go:
        return f"cannot restore struct from: {found}"
    return f"unrecognized type: {error.go}"


def json_type(value: Any) -> str:
    """The JSON type of a value, as Go's decoder calls it."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "array"
    return "string" if isinstance(value, str) else "number"


# Walks are kept with the node: nodes live as long as the process.
def _walk_of(node: schema.Node) -> Walk:
    if node.kind == "struct":
        return _struct_walk(node)
    if node.kind == "list":
        return _list_walk(node)
    if node.kind == "map":
        return _map_walk(node)
    return _SCALAR_WALKS[node.kind](node)


@cache
def _struct_walk(node: schema.Node) -> Walk:
    # What a field's value must be exactly to be taken as it is, and what to do otherwise.
    rules: dict[str, tuple[type | None, Walk]] = {}
    go = node.go

    def fill() -> None:
        for name, field in node.fields.items():
            rules[name] = (_PLAIN.get(field.node.kind), _walk_of(field.node))

    def walk_struct(value: Any, path: Path, unknown: Unknown) -> Any:
        if type(value) is not dict:
            if value is None:
                return {}
            raise _Mismatch(json_type(value), go, path)
        if not rules:
            fill()
        result = {}
        for key, item in value.items():
            rule = rules.get(key)
            if rule is None:
                unknown.add((path, key))
            elif type(item) is rule[0]:
                result[key] = item
            elif item is not None:
                result[key] = rule[1](item, (path, key), unknown)
        return result

    return walk_struct


_PLAIN: Final[dict[str, type]] = {"string": str, "boolean": bool}


def _list_walk(node: schema.Node) -> Walk:
    element = node.element
    assert element is not None
    plain, inner, go = _PLAIN.get(element.kind), _walk_of(element), node.go
    empty = _zero(element)

    def walk_list(value: Any, path: Path, unknown: Unknown) -> Any:
        if type(value) is not list:
            raise _Mismatch(json_type(value), go, path)
        return [
            item
            if type(item) is plain
            else empty()
            if item is None
            else inner(item, (path, index), unknown)
            for index, item in enumerate(value)
        ]

    return walk_list


def _map_walk(node: schema.Node) -> Walk:
    element = node.element
    assert element is not None
    plain, inner, go = _PLAIN.get(element.kind), _walk_of(element), node.go
    empty = _zero(element)

    def walk_map(value: Any, path: Path, unknown: Unknown) -> Any:
        if type(value) is not dict:
            raise _Mismatch(json_type(value), go, path)
        return {
            key: item
            if type(item) is plain
            else empty()
            if item is None
            else inner(item, (path, key), unknown)
            for key, item in value.items()
        }

    return walk_map


def _zero(node: schema.Node) -> Callable[[], Any]:
    """What a null among the elements stands for: the Go type's zero value."""
    zeros: dict[str, Callable[[], Any]] = {
        "struct": dict, "map": dict, "json-object": dict, "list": list, "boolean": bool,
        "integer": int, "number": int, "int-or-string": int,
        "quantity": lambda: "0", "any": lambda: None, "time": lambda: None,
    }  # fmt: skip
    return zeros.get(node.kind, str)


def _expecting(accepts: tuple[type, ...]) -> Callable[[schema.Node], Walk]:
    def made(node: schema.Node) -> Walk:
        def walk_scalar(value: Any, path: Path, unknown: Unknown) -> Any:
            if type(value) in accepts:
                return value
            raise _Mismatch(json_type(value), node.go, path)

        return walk_scalar

    return made


def _integer_walk(node: schema.Node) -> Walk:
    bits = 32 if node.go == "int32" else 64
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def walk_integer(value: Any, path: Path, unknown: Unknown) -> Any:
        if type(value) is int and low <= value <= high:
            return value
        number = isinstance(value, int | float) and not isinstance(value, bool)
        raise _Mismatch(f"number {value!r}" if number else json_type(value), node.go, path)

    return walk_integer


def _quantity_walk(node: schema.Node) -> Walk:
    def walk_quantity(value: Any, path: Path, unknown: Unknown) -> Any:
        try:
            return quantity.canonical(value)
        except ValueError as error:
            raise Malformed(str(error)) from None

    return walk_quantity


def _int_or_string_walk(node: schema.Node) -> Walk:
    def walk_int_or_string(value: Any, path: Path, unknown: Unknown) -> Any:
        if type(value) is str or (type(value) is int and -(2**31) <= value < 2**31):
            return value
        number = isinstance(value, int | float) and not isinstance(value, bool)
        found = f"number {value!r}" if number else json_type(value)
        raise Malformed(f"json: cannot unmarshal {found} into Go value of type int32")

    return walk_int_or_string


_BASE64: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")


def _bytes_walk(node: schema.Node) -> Walk:
    def walk_bytes(value: Any, path: Path, unknown: Unknown) -> Any:
        if type(value) is not str:
            raise _Mismatch(json_type(value), "[]uint8", path)
        raw = value.replace("\r", "").replace("\n", "").encode()
        try:
            binascii.a2b_base64(raw, strict_mode=True)
        except binascii.Error:
            wrong = (at for at, byte in enumerate(raw) if byte not in _BASE64)
            at = next(wrong, max(len(raw) - 1, 0) // 4 * 4)
            raise Malformed(f"illegal base64 data at input byte {at}") from None
        return raw.decode()

    return walk_bytes


def _time_walk(node: schema.Node) -> Walk:
    micro = node.kind == "micro-time"

    def walk_time(value: Any, path: Path, unknown: Unknown) -> Any:
        if type(value) is not str:
            raise Malformed(
                f"json: cannot unmarshal {json_type(value)} into Go value of type string"
            )
        return _canonical_time(value, micro)

    return walk_time


_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII
)


# Times as they are written back, of days that every calendar has.
_DAY: Final = (
    r"(?!0000)\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
)
_TIME: Final = r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_CANONICAL: Final = {
    False: re.compile(rf"{_DAY}{_TIME}Z", re.ASCII).fullmatch,
    True: re.compile(rf"{_DAY}{_TIME}\.\d{{6}}Z", re.ASCII).fullmatch,
}


@lru_cache(4096)
def _canonical_time(text: str, micro: bool) -> str:
    return text if _CANONICAL[micro](text) is not None else _rewritten_time(text, micro)


def _rewritten_time(text: str, micro: bool) -> str:
    layout = "2006-01-02T15:04:05.000000Z07:00" if micro else "2006-01-02T15:04:05Z07:00"
    try:
        if _RFC3339.fullmatch(text) is None:
            raise ValueError(text)
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        told = causes.quoted(text)
        message = f'parsing time {told} as "{layout}": cannot parse {told} as "2006"'
        raise Malformed(message) from None
    plain = moment.replace(tzinfo=None)
    return plain.isoformat(timespec="microseconds" if micro else "seconds") + "Z"


def _as_it_is(node: schema.Node) -> Walk:
    def walk_raw(value: Any, path: Path, unknown: Unknown) -> Any:
        return value

    return walk_raw


_SCALAR_WALKS: Final[dict[str, Callable[[schema.Node], Walk]]] = {
    "string": _expecting((str,)),
    "boolean": _expecting((bool,)),
    "number": _expecting((int, float)),
    "json-object": _expecting((dict,)),
    "integer": _integer_walk,
    "quantity": _quantity_walk,
    "int-or-string": _int_or_string_walk,
    "bytes": _bytes_walk,
    "time": _time_walk,
    "micro-time": _time_walk,
    "any": _as_it_is,
}
