"""A protobuf request body as the JSON document that it stands for.

The body is the four bytes `k8s\\0` and a runtime.Unknown with apiVersion, kind and the object's
own message. Go writes scalars that are not pointers even when they are zero; as in Go's JSON, the
empty ones are dropped, but for the few where empty means something.
"""

import base64
import functools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from cluster.api import errors, json_text, objects, timestamps
from cluster.api.protobuf import wire

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\0"

# Pointers to strings: "" is a value of its own there.
_EMPTY_STRING_KEPT = {"storageClassName", "runtimeClassName", "volumeName"}
# Numbers and booleans that Go writes although nobody set them, being no pointers.
_ZERO_DROPPED = {
    "count", "failureThreshold", "generation", "healthCheckNodePort", "hostPort",
    "initialDelaySeconds", "minReadySeconds", "nodePort", "observedGeneration", "periodSeconds",
    "successThreshold", "timeoutSeconds",
    "hostIPC", "hostNetwork", "hostPID", "paused", "publishNotReadyAddresses", "readOnly", "stdin",
    "stdinOnce", "tty", "unschedulable",
}  # fmt: skip

# Versions that are gone, but in which Kubernetes still takes this kind; the numbers are the same.
_OLD = {"policy.v1beta1.Eviction": "policy.v1.Eviction"}

_Fields = dict[str, tuple[str, str, str]]  # number: (JSON name, type, shape)


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


@functools.cache
def _messages() -> dict[str, _Fields]:
    text = Path(__file__).with_name("fields.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, dict[str, tuple[str, str, str]]])


def _name(api_version: str, kind: str) -> str:
    group, _, version = api_version.rpartition("/")
    name = f"{group.partition('.')[0] or 'core'}.{version}.{kind}"
    name = _OLD.get(name, name)
    if name in _messages():
        return name
    if f"meta.v1.{kind}" in _messages():
        return f"meta.v1.{kind}"
    raise errors.BadRequest(
        f'no kind "{kind}" of version "{api_version}" is known in protobuf form: send it as JSON'
    )


def _message(name: str, data: bytes) -> objects.Object:
    known = _messages()[name]
    document: objects.Object = {}
    for number, raw in wire.fields(data):
        field = known.get(str(number))
        if field is None:
            raise wire.Malformed(f"{name} has no field {number} that kubemu knows")
        label, kind, shape = field
        if shape == "inline":
            document |= _message(kind, _bytes(raw))
        elif shape == "map":
            key, value = _entry(kind, _bytes(raw))
            document.setdefault(label, {})[key] = value
        elif shape == "repeated":
            document.setdefault(label, []).append(_value(kind, raw))
        else:
            value = _value(kind, raw)
            if not _dropped(label, value):
                document[label] = value
    return document


def _dropped(label: str, value: Any) -> bool:
    if value is None:
        return True
    if value == "":
        return label not in _EMPTY_STRING_KEPT
    if label in _ZERO_DROPPED:
        return not value
    return value == {} and label in ("status", "resources", "strategy", "metadata", "source")


def _entry(kind: str, data: bytes) -> tuple[str, Any]:
    entry = dict(wire.fields(data))
    value = _value(kind, entry[2]) if 2 in entry else "" if kind in ("string", "bytes") else None
    return _bytes(entry.get(1, b"")).decode(), value


def _value(kind: str, raw: int | float | bytes) -> Any:
    special = _SPECIAL.get(kind)
    return special(raw) if special is not None else _message(kind, _bytes(raw))


def _bytes(raw: int | float | bytes) -> bytes:
    if not isinstance(raw, bytes):
        raise wire.Malformed("a number stands where a message or a text should")
    return raw


def _integer(raw: int | float | bytes) -> int:
    if not isinstance(raw, int):
        raise wire.Malformed("something else stands where a number should")
    return wire.signed(raw)


def _time(raw: int | float | bytes, encode: Callable[[float], str]) -> str | None:
    parts = dict(wire.fields(_bytes(raw)))
    if not parts:
        return None
    seconds, nanos = _integer(parts.get(1, 0)), _integer(parts.get(2, 0))
    if seconds < datetime(1, 1, 2, tzinfo=UTC).timestamp():
        return None  # Go's zero time
    return encode(seconds + nanos / 1e9)


def _int_or_string(raw: int | float | bytes) -> int | str:
    parts = dict(wire.fields(_bytes(raw)))
    if parts.get(1, 0) == 1:
        return _bytes(parts.get(3, b"")).decode()
    return _integer(parts.get(2, 0))


def _json(raw: int | float | bytes) -> Any:
    text = _bytes(dict(wire.fields(_bytes(raw))).get(1, b""))
    try:
        return json_text.decoded(text) if text else None
    except json_text.Malformed as error:
        raise wire.Malformed(f"embedded JSON: {error}") from error


def _list_of_strings(raw: int | float | bytes) -> list[str]:
    return [_bytes(value).decode() for _, value in wire.fields(_bytes(raw))]


_SPECIAL: dict[str, Callable[[int | float | bytes], Any]] = {
    "string": lambda raw: _bytes(raw).decode(),
    "bytes": lambda raw: base64.b64encode(_bytes(raw)).decode(),
    "bool": lambda raw: bool(_integer(raw)),
    "int32": _integer,
    "int64": _integer,
    "double": float,
    "meta.v1.Time": lambda raw: _time(raw, timestamps.encode),
    "meta.v1.MicroTime": lambda raw: _time(raw, timestamps.encode_micro),
    "meta.v1.FieldsV1": _json,
    "runtime.RawExtension": _json,
    "util.intstr.IntOrString": _int_or_string,
    "api.resource.Quantity": lambda raw: _bytes(
        dict(wire.fields(_bytes(raw))).get(1, b"0")
    ).decode(),
    "authentication.v1.ExtraValue": _list_of_strings,
    "authorization.v1.ExtraValue": _list_of_strings,
    "certificates.v1.ExtraValue": _list_of_strings,
}
