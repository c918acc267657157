"""A document as the protobuf message that Go clients read.

One function a message is made when it is first needed. What a document has and the message has not
(apiVersion and kind, which the envelope tells, and the few newest fields whose numbers are not
known) is left out.
"""

import binascii
import struct
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from typing import Any, Final

import msgspec

from cluster.api import timestamps
from cluster.api.protobuf import messages, wire
from cluster.api.protobuf.messages import MAGIC

Write = Callable[[Any], bytes]
"""Writes a value without what stands before it."""

_encode_json = msgspec.json.Encoder().encode
_SCALARS: Final = {"bool": wire.VARINT, "double": wire.I64, "int32": wire.VARINT,
                   "int64": wire.VARINT}  # fmt: skip


class Unencodable(ValueError):
    """The document does not fit its message, or there is no message for its kind."""


def encode(document: Mapping[str, Any]) -> bytes:
    """An object, with its envelope. Unencodable."""
    version, kind = str(document.get("apiVersion", "")), str(document.get("kind", ""))
    return enveloped(version, kind, body(version, kind, document))


def body(api_version: str, kind: str, document: Mapping[str, Any]) -> bytes:
    """The message of an object of a kind, alone. Unencodable."""
    name = messages.named(api_version, kind)
    if name is None:
        raise Unencodable(f'no kind "{kind}" of version "{api_version}" is known in protobuf form')
    try:
        return _message(name)(document)
    except RecursionError:
        raise Unencodable(f"{kind} is nested too deeply for its protobuf form") from None
    except (TypeError, ValueError, AttributeError, KeyError, struct.error) as error:
        raise Unencodable(f"{kind} in protobuf form: {error}") from error


def list_body(api_version: str, kind: str, metadata: Mapping[str, Any],
              items: Iterable[bytes]) -> bytes:  # fmt: skip
    """The message of a list of a kind (`PodList`), whose items are encoded already. Unencodable."""
    head = body(api_version, kind, {"metadata": metadata})
    return b"".join((head, *(_ITEM + wire.varint(len(item)) + item for item in items)))


def enveloped(api_version: str, kind: str, message: bytes) -> bytes:
    """A message in the envelope that tells its kind."""
    return b"%b%b%b%b%b" % (
        MAGIC, _about(api_version, kind), _RAW, wire.varint(len(message)), message,
    ) + _NO_ENCODING  # fmt: skip


def watch_event(type: str, object: bytes) -> bytes:
    """A WatchEvent of an encoded object, in the frame of a watch: its length stands first."""
    raw = _text(_first, object)
    event = _text(_first, type.encode()) + _text(_second, raw)
    return struct.pack(">I", len(event)) + event


_first, _second = wire.tag(1, wire.LEN), wire.tag(2, wire.LEN)
_ITEM = _RAW = _second
_NO_ENCODING: Final = wire.tag(3, wire.LEN) + b"\0" + wire.tag(4, wire.LEN) + b"\0"


def _text(tag: bytes, value: bytes) -> bytes:
    return b"%b%b%b" % (tag, wire.varint(len(value)), value)


@lru_cache(256)
def _about(api_version: str, kind: str) -> bytes:
    meta = _text(_first, api_version.encode()) + _text(_second, kind.encode())
    return _text(_first, meta)


@cache
def _message(name: str) -> Write:
    puts: dict[str, Write] = {}
    inlined: list[tuple[bytes, Write]] = []

    def fill() -> None:
        for number, (label, kind, shape) in messages.table()[name].items():
            if shape == "inline":
                inlined.append((wire.tag(int(number), wire.LEN), _message(kind)))
            else:
                puts[label] = _put(int(number), kind, shape)

    def write(document: Any) -> bytes:
        if not puts and not inlined:
            fill()
        parts = [
            puts[label](value)
            for label, value in document.items()
            if value is not None and label in puts
        ]
        for tag, inner in inlined:
            message = inner(document)
            if message:
                parts.append(_text(tag, message))
        return b"".join(parts)

    return write


def _put(number: int, kind: str, shape: str) -> Write:
    """Writes a field whole."""
    if kind in _SCALARS:
        put = _scalar(wire.tag(number, _SCALARS[kind]), _NUMBERS[kind])
    else:
        put = _framed(wire.tag(number, wire.LEN), _SPECIAL.get(kind) or _message(kind))
    if shape == "repeated":
        return lambda values: b"".join([put(value) for value in values if value is not None])
    if shape == "map":
        entry = _put(2, kind, "optional")
        return _map(wire.tag(number, wire.LEN), entry)
    return put


def _scalar(tag: bytes, write: Write) -> Write:
    return lambda value: tag + write(value)


def _framed(tag: bytes, write: Write) -> Write:
    def put(value: Any) -> bytes:
        data = write(value)
        return b"%b%b%b" % (tag, wire.varint(len(data)), data)

    return put


def _map(tag: bytes, entry: Write) -> Write:
    def put(values: Any) -> bytes:
        return b"".join(
            [
                _text(tag, _text(_first, key.encode()) + entry(value))
                for key, value in values.items()
                if value is not None
            ]
        )

    return put


def _message_of_text(write: Callable[[Any], bytes]) -> Write:
    """A message whose first field is all there is to it."""
    return lambda value: _text(_first, write(value))


@lru_cache(4096)
def _time(text: str) -> bytes:
    """Seconds and nanoseconds, as google.protobuf.Timestamp has them."""
    micros = round(timestamps.decode(text) * 1_000_000)
    seconds, rest = divmod(micros, 1_000_000)
    found = wire.tag(1, wire.VARINT) + wire.varint(seconds)
    return found + wire.tag(2, wire.VARINT) + wire.varint(rest * 1000)


def _int_or_string(value: Any) -> bytes:
    if isinstance(value, str):
        return b"\x08\x01" + _text(wire.tag(3, wire.LEN), value.encode())
    return b"\x08\x00" + wire.tag(2, wire.VARINT) + wire.varint(value)


def _strings(values: Any) -> bytes:
    return b"".join([_text(_first, value.encode()) for value in values])


def _schema(value: Any) -> bytes:
    return _message("apiextensions.v1.JSONSchemaProps")(value)


def _schema_or_bool(value: Any) -> bytes:
    if isinstance(value, bool):
        return b"\x08\x01" if value else b"\x08\x00"
    return b"\x08\x01" + _text(_second, _schema(value))


def _schema_or_list(value: Any) -> bytes:
    if isinstance(value, list):
        return b"".join([_text(_second, _schema(each)) for each in value])
    return _text(_first, _schema(value))


def _schema_or_names(value: Any) -> bytes:
    if isinstance(value, list):
        return b"".join([_text(_second, each.encode()) for each in value])
    return _text(_first, _schema(value))


_NUMBERS: Final[dict[str, Write]] = {
    "bool": lambda value: b"\x01" if value else b"\x00",
    "double": lambda value: struct.pack("<d", value),
    "int32": wire.varint,
    "int64": wire.varint,
}
_SPECIAL: Final[dict[str, Write]] = {
    "string": str.encode,
    "bytes": binascii.a2b_base64,
    "meta.v1.Time": _time,
    "meta.v1.MicroTime": _time,
    "meta.v1.FieldsV1": _message_of_text(_encode_json),
    "runtime.RawExtension": _message_of_text(_encode_json),
    "util.intstr.IntOrString": _int_or_string,
    "api.resource.Quantity": _message_of_text(lambda value: str(value).encode()),
    "apiextensions.v1.JSON": _message_of_text(_encode_json),
    "apiextensions.v1.JSONSchemaPropsOrArray": _schema_or_list,
    "apiextensions.v1.JSONSchemaPropsOrBool": _schema_or_bool,
    "apiextensions.v1.JSONSchemaPropsOrStringArray": _schema_or_names,
    "authentication.v1.ExtraValue": _strings,
    "authorization.v1.ExtraValue": _strings,
    "certificates.v1.ExtraValue": _strings,
    "meta.v1.Verbs": _strings,
}
