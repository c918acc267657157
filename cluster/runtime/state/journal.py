"""A file of records that is only ever added to: each is whole, or the file ends before it.

    kubemu runtime state 1\\n
    length (4 bytes) crc32 (4 bytes) payload
    …

A record is one write(2), without fsync: what is written outlives the process however it ends, which
is all that a machine made of processes needs; the newest records may be lost with the computer.
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEADER: Final = b"kubemu runtime state 1\n"
MOST: Final = 64 << 20
"""Bytes of a record."""
_FRAME: Final = struct.Struct("<II")


class InUse(Exception):
    """Another process has the folder; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds. `damage` says what is wrong with it after these records; "": nothing."""

    records: tuple[bytes, ...]
    damage: str = ""


def framed(payload: bytes) -> bytes:
    """A record as it stands in the file."""
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def parse(data: bytes) -> Content:
    """What the bytes of a file hold: the records before the first that is not whole."""
    if not data.startswith(HEADER):
        return Content((), "it does not begin as the state of a runtime does")
    found: list[bytes] = []
    at = len(HEADER)
    while at < len(data):
        start = at + _FRAME.size
        if start > len(data):
            return Content(tuple(found), f"the record at byte {at} is cut off")
        length, checksum = _FRAME.unpack_from(data, at)
        payload = data[start : start + length]
        if length > MOST or len(payload) < length:
            return Content(tuple(found), f"the record at byte {at} is cut off")
        if zlib.crc32(payload) != checksum:
            return Content(tuple(found), f"the record at byte {at} is not what was written")
        found.append(payload)
        at = start + length
    return Content(tuple(found))


def lock(folder: Path) -> int:
    """Have a folder for this process alone, until it ends or closes the descriptor. InUse."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise InUse(f"{folder} is in use by another runtime; give each its own") from error
    return descriptor


class Journal:
    """The file at `path`, open for adding to. Errors are OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        """Bytes of the file."""
        self._descriptor = -1

    @property
    def open(self) -> bool:
        """Whether it can be added to."""
        return self._descriptor >= 0

    def add(self, payload: bytes) -> None:
        """Write a record at the end. OSError: the file is closed, and may end with half of it."""
        data = framed(payload)
        try:
            written = os.write(self._descriptor, data)
            if written != len(data):
                raise OSError(f"only {written} of {len(data)} bytes were written")
        except OSError:
            self.close()
            raise
        self.size += len(data)

    def replace(self, payloads: Iterable[bytes]) -> None:
        """Put a file of these records in the place of the present one, in one step."""
        self.close()
        beside = self.path.with_name(f".{self.path.name}.new")
        data = HEADER + b"".join(map(framed, payloads))
        descriptor = os.open(
            beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
            beside.replace(self.path)
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor, self.size = descriptor, len(data)

    def close(self) -> None:
        """Write no more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
