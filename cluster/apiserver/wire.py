"""The answers of `cluster.v1.Resources`, written straight from ready bytes.

An object's JSON is copied once, into the message that is sent; building protobuf objects first
would copy it twice and cost more than everything else about a watch. The field numbers are those
of proto/cluster/v1/resources.proto; a test reads what this writes with the generated code.
"""

from collections.abc import Iterator, Sequence

from cluster.api import errors
from cluster.apiserver import codec, outside
from cluster.apiserver.pages import Page
from cluster.apiserver.watchcache.entry import Entry
from cluster.apiserver.watchcache.events import Event

CHUNK = 768 << 10
"""Bytes of objects in one message of a list, as long as one object is no larger."""

_TYPES = {"ADDED": b"\x08\x01", "MODIFIED": b"\x08\x02", "DELETED": b"\x08\x03"}
_BOOKMARK = b"\x08\x04"
_ALONE = b"\x0a\x02\x22\x00"  # results { alone {} }
_EMPTY_DONE = b"\x0a\x02\x1a\x00"  # results { done {} }


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    if number < 0x80:
        return bytes((number,))
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def watch_response(events: Sequence[Event]) -> bytes:
    """A WatchResponse."""
    parts: list[bytes] = []
    for event in events:
        revision = varint(event.revision)
        kind = _TYPES.get(event.type)
        if kind is None:
            parts += (b"\x0a", varint(3 + len(revision)), _BOOKMARK, b"\x18", revision)
            continue
        size = varint(len(event.json))
        length = varint(4 + len(size) + len(event.json) + len(revision))
        parts += (b"\x0a", length, kind, b"\x12", size, event.json, b"\x18", revision)
    return b"".join(parts)


def get_response(entry: Entry) -> bytes:
    """A GetResponse."""
    return _field(b"\x0a", _object(entry))


def list_responses(page: Page) -> Iterator[bytes]:
    """The ListResponses of a page, each under 1 MB unless one object alone is larger."""
    revision = b"\x10" + varint(page.revision)
    token = page.token.encode()
    last = b"\x1a" + varint(len(token)) + token if token else b""
    parts: list[bytes] = []
    size = 0
    for entry in page.items:
        if size and size + len(entry.json) > CHUNK:
            yield b"".join((*parts, revision))
            parts, size = [], 0
        parts.append(_field(b"\x0a", _object(entry)))
        size += len(entry.json)
    yield b"".join((*parts, revision, last))


def write_response(
    results: Sequence[Entry | errors.StatusError | outside.Deferred | None],
) -> bytes:
    """A WriteResponse."""
    parts: list[bytes] = []
    for result in results:
        if result is None:
            parts.append(_EMPTY_DONE)
        elif isinstance(result, outside.Deferred):
            parts.append(_ALONE)
        elif isinstance(result, errors.StatusError):
            parts.append(_field(b"\x0a", _field(b"\x12", codec.document(result.status()))))
        else:
            parts.append(_field(b"\x0a", _field(b"\x0a", _object(result))))
    return b"".join(parts)


def read_response(json: bytes) -> bytes:
    """A ReadResponse."""
    return _field(b"\x0a", json)


def _object(entry: Entry) -> bytes:
    revision = varint(entry.revision) if entry.revision else b""
    tail = b"\x10" + revision if revision else b""
    return b"".join((b"\x0a", varint(len(entry.json)), entry.json, tail))


def _field(tag: bytes, content: bytes) -> bytes:
    return b"".join((tag, varint(len(content)), content))
