"""A protobuf request body as the JSON document that it stands for.

The body is the four bytes `k8s\\0` and a runtime.Unknown with apiVersion, kind and the object's
own message. Go writes scalars that are not pointers even when they are zero; what Go's JSON would
leave out is left out. Fields of unknown numbers are skipped, as Go skips them.
"""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cluster.api import errors, json_text, objects, timestamps
from cluster.api.protobuf import messages, wire
from cluster.api.protobuf.messages import MAGIC, MEDIA_TYPE

__all__ = ["MAGIC", "MEDIA_TYPE", "decode"]

_Raw = int | float | bytes


def decode(body: bytes) -> objects.Object:
    """The document of `body`. errors.BadRequest where it is malformed or of an unknown kind."""
    if not body.startswith(MAGIC):
        raise errors.BadRequest("the body does not begin as a Kubernetes protobuf message does")
    try:
        envelope = dict(wire.fields(body[len(MAGIC) :]))
        about = dict(wire.fields(_bytes(envelope.get(1, b""))))
        version, kind = (_bytes(about.get(number, b"")).decode() for number in (1, 2))
        document = _message(_name(version, kind), _bytes(envelope.get(2, b"")))
    except (wire.Malformed, UnicodeDecodeError, TypeError, RecursionError) as error:
        raise errors.BadRequest(f"the protobuf body cannot be read: {error}") from error
    return {"apiVersion": version, "kind": kind, **document}


def _name(api_version: str, kind: str) -> str:
    name = messages.named(api_version, kind)
    if name is None:
        raise errors.BadRequest(
            f'no kind "{kind}" of version "{api_version}" is known in protobuf form: '
            "send it as JSON"
        )
    return name


def _message(name: str, data: bytes) -> objects.Object:
    known = messages.table()[name]
    document: objects.Object = {}
    for number, raw in wire.fields(data):
        field = known.get(str(number))
        if field is not None:
            _put(document, field, raw)
    return document


def _put(document: objects.Object, field: messages.Field, raw: _Raw) -> None:
    label, kind, shape = field
    if shape == "inline":
        document |= _message(kind, _bytes(raw))
    elif shape == "map":
        key, value = _entry(kind, _bytes(raw))
        document.setdefault(label, {})[key] = value
    elif shape == "repeated":
        found = document.setdefault(label, [])
        if kind in _NUMBERS and isinstance(raw, bytes):
            found += [wire.signed(value) for value in wire.packed(raw)]
        else:
            found.append(_value(kind, raw))
    else:
        value = _value(kind, raw)
        if value is not None and (shape != "zero" or value not in _EMPTY):
            document[label] = value


_NUMBERS = ("int32", "int64")
_EMPTY: tuple[Any, ...] = ("", 0, {}, [])


def _entry(kind: str, data: bytes) -> tuple[str, Any]:
    entry = dict(wire.fields(data))
    value = _value(kind, entry[2]) if 2 in entry else "" if kind in ("string", "bytes") else None
    return _bytes(entry.get(1, b"")).decode(), value


def _value(kind: str, raw: _Raw) -> Any:
    special = _SPECIAL.get(kind)
    return special(raw) if special is not None else _message(kind, _bytes(raw))


def _bytes(raw: _Raw) -> bytes:
    if not isinstance(raw, bytes):
        raise wire.Malformed("a number stands where a message or a text should")
    return raw


def _integer(raw: _Raw) -> int:
    if not isinstance(raw, int):
        raise wire.Malformed("something else stands where a number should")
    return wire.signed(raw)


def _double(raw: _Raw) -> float:
    if isinstance(raw, bytes):
        raise wire.Malformed("something else stands where a number should")
    return float(raw)


def _time(raw: _Raw, encode: Callable[[float], str]) -> str | None:
    parts = dict(wire.fields(_bytes(raw)))
    if not parts:
        return None
    seconds, nanos = _integer(parts.get(1, 0)), _integer(parts.get(2, 0))
    if seconds < _FIRST:
        return None  # Go's zero time
    try:
        return encode(seconds + nanos / 1e9)
    except (ValueError, OverflowError, OSError) as error:
        raise wire.Malformed(f"a time out of range: {error}") from error


_FIRST = datetime(1, 1, 2, tzinfo=UTC).timestamp()


def _int_or_string(raw: _Raw) -> int | str:
    parts = dict(wire.fields(_bytes(raw)))
    if parts.get(1, 0) == 1:
        return _bytes(parts.get(3, b"")).decode()
    return _integer(parts.get(2, 0))


def _quantity(raw: _Raw) -> str:
    return _bytes(dict(wire.fields(_bytes(raw))).get(1, b"")).decode() or "0"


def _json(raw: _Raw) -> Any:
    text = _bytes(dict(wire.fields(_bytes(raw))).get(1, b""))
    try:
        return json_text.decoded(text) if text else None
    except json_text.Malformed as error:
        raise wire.Malformed(f"embedded JSON: {error}") from error


def _list_of_strings(raw: _Raw) -> list[str]:
    return [_bytes(value).decode() for _, value in wire.fields(_bytes(raw))]


_SCHEMA = "apiextensions.v1.JSONSchemaProps"


def _schema_or_bool(raw: _Raw) -> Any:
    parts = dict(wire.fields(_bytes(raw)))
    return _message(_SCHEMA, _bytes(parts[2])) if 2 in parts else bool(parts.get(1, 0))


def _schema_or_list(raw: _Raw) -> Any:
    parts = list(wire.fields(_bytes(raw)))
    alone = [value for number, value in parts if number == 1]
    if alone:
        return _message(_SCHEMA, _bytes(alone[-1]))
    return [_message(_SCHEMA, _bytes(value)) for _, value in parts]


def _schema_or_names(raw: _Raw) -> Any:
    parts = list(wire.fields(_bytes(raw)))
    alone = [value for number, value in parts if number == 1]
    if alone:
        return _message(_SCHEMA, _bytes(alone[-1]))
    return [_bytes(value).decode() for _, value in parts]


_SPECIAL: dict[str, Callable[[_Raw], Any]] = {
    "string": lambda raw: _bytes(raw).decode(),
    "bytes": lambda raw: base64.b64encode(_bytes(raw)).decode(),
    "bool": lambda raw: bool(_integer(raw)),
    "int32": _integer,
    "int64": _integer,
    "double": _double,
    "meta.v1.Time": lambda raw: _time(raw, timestamps.encode),
    "meta.v1.MicroTime": lambda raw: _time(raw, timestamps.encode_micro),
    "meta.v1.FieldsV1": _json,
    "runtime.RawExtension": _json,
    "util.intstr.IntOrString": _int_or_string,
    "api.resource.Quantity": _quantity,
    "apiextensions.v1.JSON": _json,
    "apiextensions.v1.JSONSchemaPropsOrArray": _schema_or_list,
    "apiextensions.v1.JSONSchemaPropsOrBool": _schema_or_bool,
    "apiextensions.v1.JSONSchemaPropsOrStringArray": _schema_or_names,
    "authentication.v1.ExtraValue": _list_of_strings,
    "authorization.v1.ExtraValue": _list_of_strings,
    "certificates.v1.ExtraValue": _list_of_strings,
    "meta.v1.Verbs": _list_of_strings,
}
