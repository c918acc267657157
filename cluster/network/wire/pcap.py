"""Captures in libpcap's format, which Wireshark and tcpdump read; written as a stream.

`header()` first, then a `record()` a frame. Times in microseconds, or in nanoseconds.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

ETHERNET = 1
SNAPLEN = 262144
_MICRO = 0xA1B2C3D4
_NANO = 0xA1B23C4D
_FILE = struct.Struct("=IHHiIII")
_RECORD = struct.Struct("=IIII")


class Record(NamedTuple):
    """A frame of a capture."""

    time: float
    """Seconds since the epoch."""
    data: bytes
    length: int
    """Bytes that it had on the wire; `data` may be cut."""


def header(*, nanoseconds: bool = False, snaplen: int = SNAPLEN) -> bytes:
    """What a capture of Ethernet frames begins with."""
    return _FILE.pack(_NANO if nanoseconds else _MICRO, 2, 4, 0, 0, snaplen, ETHERNET)


def record(
    time: float, data: bytes, *, nanoseconds: bool = False, snaplen: int = SNAPLEN, length: int = 0
) -> bytes:
    """A frame that was seen at `time`, cut to `snaplen` bytes. `length`: what it had before it was
    cut by others.
    """
    units = 1_000_000_000 if nanoseconds else 1_000_000
    seconds, part = divmod(round(time * units), units)
    kept = data if len(data) <= snaplen else data[:snaplen]
    return _RECORD.pack(seconds & 0xFFFFFFFF, part, len(kept), length or len(data)) + kept


def read(data: bytes) -> Iterator[Record]:
    """The records of a capture, in either byte order. ValueError where it is none, or is cut."""
    if len(data) < _FILE.size:
        raise ValueError("no capture: it is too short for a header")
    order = "="
    if _FILE.unpack_from(data)[0] not in (_MICRO, _NANO):
        order = ">" if _RECORD.pack(1, 0, 0, 0)[0] else "<"
    (magic,) = struct.unpack_from(order + "I", data)
    if magic not in (_MICRO, _NANO):
        raise ValueError(f"no capture: it begins with {data[:4].hex()}")
    layout = struct.Struct(order + "IIII")
    units = 1e9 if magic == _NANO else 1e6
    at = _FILE.size
    while at < len(data):
        if at + layout.size > len(data):
            raise ValueError(f"the capture is cut at byte {at}")
        seconds, part, kept, length = layout.unpack_from(data, at)
        at += layout.size
        if at + kept > len(data):
            raise ValueError(f"the capture is cut at byte {at}")
        yield Record(seconds + part / units, data[at : at + kept], length)
        at += kept
