"""Objects as stored bytes, and the revision spliced into them.

Stored bytes are JSON with apiVersion, kind and metadata first and without resourceVersion, for a
revision is known only when a write is made. Readers get the same bytes with the revision as the
first property of metadata: two slices and no second encoding.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from cluster.api import objects, resources

PREFIX = "/registry/"

_encode = msgspec.json.Encoder().encode
_MARK = b'"metadata":{'
_HEAD = re.compile(rb'\{"apiVersion":"[^"\\]*","kind":"[^"\\]*",' + _MARK)
_VERSION = b'"resourceVersion":"'


class _Meta(msgspec.Struct):
    """What everybody who looks at an object takes for granted: of another type it is none."""

    resourceVersion: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: list[str] | None = None
    ownerReferences: list[dict[str, Any]] | None = None


class _Seen(msgspec.Struct):
    metadata: _Meta


_glance = msgspec.json.Decoder(_Seen).decode
"""Reads all of a value, and keeps next to nothing of it: 3 µs for a pod."""

decode = msgspec.json.Decoder().decode
"""The document of JSON text. msgspec.DecodeError."""


def key(resource: str, namespace: str, name: str) -> str:
    """The storage key of an object: `/registry/pods/default/web`, `/registry/nodes/a`."""
    if namespace:
        return f"{PREFIX}{resource}/{namespace}/{name}"
    return f"{PREFIX}{resource}/{name}"


def prefix(resource: str, namespace: str = "") -> str:
    """What the keys of a resource, or of its objects in one namespace, start with."""
    return f"{PREFIX}{resource}/{namespace}/" if namespace else f"{PREFIX}{resource}/"


@lru_cache(4096)
def split(stored: str) -> tuple[str, str, str]:
    """The (resource id, namespace, name) of a storage key."""
    resource, _, rest = stored[len(PREFIX) :].partition("/")
    namespace, name = objects.split_key(rest)
    return resource, namespace, name


def encode(obj: Mapping[str, Any]) -> bytes:
    """The stored bytes of an object that has apiVersion, kind and metadata."""
    metadata = dict(obj["metadata"])
    metadata.pop("resourceVersion", None)
    ordered = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}
    for field, value in obj.items():
        if field not in ordered:
            ordered[field] = value
    return _encode(ordered)


def spelled(value: bytes) -> bytes | None:
    """A stored value as this module writes it, which others than API servers may not have done
    (`etcdctl put`); None where it is no object.
    """
    try:
        seen = _glance(value)
        if not value.isascii():
            value.decode()
        if _HEAD.match(value) and seen.metadata.resourceVersion is None:
            return value
        obj = decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    match obj:
        case {"apiVersion": str(), "kind": str(), "metadata": {"name": str()}}:
            return encode(obj)
    return None


def with_revision(value: bytes, revision: int) -> bytes:
    """Stored bytes as readers get them, at `revision`."""
    at = value.index(_MARK) + len(_MARK)
    if value[at] == 0x7D:  # "}": metadata is empty
        return b'%b"resourceVersion":"%d"%b' % (value[:at], revision, value[at:])
    return b'%b"resourceVersion":"%d",%b' % (value[:at], revision, value[at:])


def without_revision(json: bytes, revision: int) -> bytes:
    """A reader's bytes of `revision` as they are stored."""
    said = b'%b%d"' % (_VERSION, revision)
    at = json.index(_MARK) + len(_MARK)
    end = at + len(said)
    return json[:at] + json[end + (json[end] == 0x2C) :]


def at_revision(json: bytes, revision: int) -> bytes:
    """A reader's bytes, told of another revision: the last state of a deleted object."""
    start = json.index(_VERSION) + len(_VERSION)
    return b"%b%d%b" % (json[:start], revision, json[json.index(b'"', start) :])


def bookmark(row: resources.Resource, revision: int, *, initial_end: bool = False) -> bytes:
    """The object of a BOOKMARK event on the REST face: its kind and the revision, no more.

    `initial_end` marks the end of the initial events of a `sendInitialEvents` watch.
    """
    metadata: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
    if initial_end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return _encode({"kind": row.kind, "apiVersion": row.api_version, "metadata": metadata})


def document(value: Any) -> bytes:
    """Any other document (a Status, a Scale) as JSON text."""
    return _encode(value)
