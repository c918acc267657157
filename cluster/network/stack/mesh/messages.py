"""How nodes of a mesh talk: one message a frame on the cable, of a local experimental type.

A message is a byte that says its kind, and:

- HELLO: whether the sender hears the receiver (a byte), and a digest of all reports it has.
- SUMMARY: names and versions of the reports that the sender has.
- REPORTS: reports, one after another.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from cluster.network.stack.mesh import reports
from cluster.network.stack.mesh.reports import Report

TYPE: Final = 0x88B5
"""Of the frames (IEEE 802, local experimental ethertype 1)."""
LARGEST: Final = 1400
"""Bytes of a message that is put together of parts."""
_HELLO: Final = 1
_SUMMARY: Final = 2
_REPORTS: Final = 3
_GREETING = struct.Struct("!BBI")
_VERSION = struct.Struct("!I")


class Hello(NamedTuple):
    """The sender is there."""

    hears: bool
    digest: int


class Summary(NamedTuple):
    """What the sender has."""

    versions: dict[str, int]


class Reports(NamedTuple):
    """What the receiver lacks, or is new."""

    reports: list[Report]


Message = Hello | Summary | Reports


def hello(message: Hello) -> bytes:
    """Its bytes."""
    return _GREETING.pack(_HELLO, message.hears, message.digest)


def summaries(versions: Mapping[str, int]) -> Iterator[bytes]:
    """The messages of a summary, which may be several."""
    parts = (
        reports.text(name) + _VERSION.pack(version) for name, version in sorted(versions.items())
    )
    return _joined(_SUMMARY, parts)


def carrying(told: Iterable[Report]) -> Iterator[bytes]:
    """The messages that carry reports."""
    return _joined(_REPORTS, (reports.encode(report) for report in told))


def _joined(kind: int, parts: Iterable[bytes]) -> Iterator[bytes]:
    whole = bytes((kind,))
    for part in parts:
        if len(whole) > 1 and len(whole) + len(part) > LARGEST:
            yield whole
            whole = bytes((kind,))
        whole += part
    if len(whole) > 1:
        yield whole


def parse(data: bytes) -> Message | None:
    """The message of a frame's payload; None where it is malformed."""
    kind = data[0] if data else 0
    if kind == _HELLO and len(data) >= _GREETING.size:
        _, hears, digest = _GREETING.unpack_from(data)
        return Hello(bool(hears), digest)
    if kind == _SUMMARY:
        return _summary(data)
    if kind == _REPORTS:
        return _reports(data)
    return None


def _summary(data: bytes) -> Summary | None:
    versions: dict[str, int] = {}
    at = 1
    while at < len(data):
        name, at = reports.text_at(data, at)
        if at < 0 or at + 4 > len(data):
            return None
        (versions[name],) = _VERSION.unpack_from(data, at)
        at += 4
    return Summary(versions)


def _reports(data: bytes) -> Reports | None:
    told: list[Report] = []
    at = 1
    while at < len(data):
        found = reports.decode(data, at)
        if found is None:
            return None
        told.append(found[0])
        at = found[1]
    return Reports(told)


def digest(versions: Mapping[str, int]) -> int:
    """Of a set of reports: equal where names and versions are."""
    value = 0
    for name, version in versions.items():
        value ^= zlib.crc32(reports.text(name) + _VERSION.pack(version))
    return value
