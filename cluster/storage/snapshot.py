"""A store in one file: everything as of one revision, checked by a checksum.

    kubemu snapshot 1\\n                   what it is, and the version of the format
    {"revision": …, "taken": …, …}\\n      a `Header` as JSON
    key length, value length, revision, created (big-endian, 4+4+8+8), key, value     a record
    …
    0xFFFFFFFF 0xFFFFFFFF count 0, then SHA-256 of all before     the end

Reading checks all of it; a file that is cut off, changed or foreign is `Damaged`, with a sentence.
"""

import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from cluster.storage.interface import Record

_MAGIC: Final = b"kubemu snapshot "
_FORMAT: Final = b"1\n"
_HEAD: Final = struct.Struct(">IIQQ")
_END: Final = 0xFFFFFFFF
_LONGEST_HEADER: Final = 65_536
_MOST_KEY: Final = 4096
_MOST_VALUE: Final = 64 << 20


class Damaged(Exception):
    """The file is no snapshot, or not a whole one; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a snapshot says of itself: the revision it is of, when it was taken (Unix seconds), and
    the Kubernetes version that was emulated.
    """

    revision: int
    taken: float
    kubernetes: str


class Writer:
    """Writes a snapshot beside `path`, and puts it there when it is whole: readers never see half
    of one. Use as a context manager; leaving it by an error leaves nothing behind. OSError.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        self._beside = path.with_name(f".{path.name}.new")
        self._header = header
        self._hash = hashlib.sha256()
        self._file: IO[bytes] | None = None
        self.records = 0

    def __enter__(self) -> "Writer":
        self._beside.unlink(missing_ok=True)
        # Secrets are in it.
        descriptor = os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._put(_MAGIC + _FORMAT + msgspec.json.encode(asdict(self._header)) + b"\n")
        return self

    def add(self, record: Record) -> None:
        """One more record, in key order."""
        key = record.key.encode()
        head = _HEAD.pack(len(key), len(record.value), record.revision, record.created)
        self._put(head + key + record.value)
        self.records += 1

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        assert self._file is not None
        with self._file as file:
            if error is None:
                self._put(_HEAD.pack(_END, _END, self.records, 0))
                file.write(self._hash.digest())
                file.flush()
                os.fsync(file.fileno())
        if error is not None:
            self._beside.unlink(missing_ok=True)
            return
        self._beside.replace(self._path)
        _sync_folder(self._path.parent)

    def _put(self, content: bytes) -> None:
        assert self._file is not None
        self._hash.update(content)
        self._file.write(content)


class Reader:
    """Reads a snapshot. Damaged, OSError."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self._hash = hashlib.sha256()
        self.header = self._begin()

    def records(self) -> Iterator[Record]:
        """The records in key order. Who has read them all knows that the file is whole; before that
        nothing of it is to be believed.
        """
        count, before = 0, ""
        while True:
            key_size, value_size, revision, created = _HEAD.unpack(self._take(_HEAD.size))
            if key_size == _END:
                self._finish(revision, count)
                return
            if key_size > _MOST_KEY or value_size > _MOST_VALUE:
                raise Damaged(f"{self._name} is damaged: a record of impossible size")
            key = self._text(self._take(key_size))
            record = Record(key, self._take(value_size), revision, created)
            if key <= before or not 0 < created <= revision <= self.header.revision:
                raise Damaged(f"{self._name} is damaged: the record of {key!r} cannot be")
            count, before = count + 1, key
            yield record

    def _begin(self) -> Header:
        line = self._file.readline(64)
        if not line.startswith(_MAGIC):
            raise Damaged(f"{self._name} is no snapshot of kubemu")
        if line != _MAGIC + _FORMAT:
            version = line[len(_MAGIC) :].strip().decode("ascii", "replace")
            raise Damaged(f"{self._name} is a snapshot of format {version}; this kubemu reads 1")
        self._hash.update(line)
        line = self._file.readline(_LONGEST_HEADER)
        self._hash.update(line)
        try:
            return msgspec.json.decode(line, type=Header)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Damaged(f"{self._name} is damaged: its header cannot be read") from error

    def _take(self, size: int) -> bytes:
        found = self._file.read(size)
        if len(found) < size:
            raise Damaged(f"{self._name} is damaged: it ends too early")
        self._hash.update(found)
        return found

    def _text(self, content: bytes) -> str:
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise Damaged(f"{self._name} is damaged: a key is no text") from None

    def _finish(self, told: int, count: int) -> None:
        if told != count:
            raise Damaged(f"{self._name} is damaged: {count} records instead of {told}")
        expected = self._hash.digest()
        found = self._file.read(len(expected) + 1)
        if found != expected:
            raise Damaged(f"{self._name} is damaged: its checksum is another")


def checked(path: Path) -> tuple[Header, int]:
    """The header of a snapshot and how many records it has, after all of it was read and checked.
    Damaged, OSError.
    """
    with path.open("rb") as file:
        reader = Reader(file, str(path))
        return reader.header, sum(1 for _ in reader.records())


def _sync_folder(folder: Path) -> None:
    descriptor: Any = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
