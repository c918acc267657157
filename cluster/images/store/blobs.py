"""Blobs by digest, in files: there whole and true, or not there.

What is written goes to `ingest/` first, and is renamed to its place when it is complete, of the
right digest and on disk: a process killed at any instant leaves nothing that is half a blob, only
a file in `ingest/` that is swept later.
"""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from cluster.images import digests, faults

CHUNK: Final = 1 << 20


class Blobs:
    """The blobs under `root` (`blobs/sha256/` and `ingest/`)."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "blobs" / "sha256"
        self._ingest = root / "ingest"

    def path(self, digest: str) -> Path:
        """Where a blob is or would be. ValueError for what is no digest."""
        return self._folder / digests.hex_of(digest)

    def has(self, digest: str) -> bool:
        """Whether it is here."""
        return self.path(digest).exists()

    def size(self, digest: str) -> int:
        """Its bytes. faults.NotFound."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            raise _missing(digest) from None

    def open(self, digest: str) -> BinaryIO:
        """The file, to be read. faults.NotFound."""
        try:
            return self.path(digest).open("rb")
        except FileNotFoundError:
            raise _missing(digest) from None

    def read(self, digest: str, limit: int) -> bytes:
        """The content, looked over again. faults.NotFound, faults.Corrupt where it has changed on
        disk or has more than `limit` bytes.
        """
        with self.open(digest) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise faults.Corrupt(f"{digest} has more than {limit} bytes")
        if digests.of(data) != digest:
            raise faults.Corrupt(f"{self.path(digest)} is damaged: it has another digest")
        return data

    def writer(self) -> "Writer":
        """Begin a blob; use it in `with`."""
        return Writer(self)

    def put(self, data: bytes) -> str:
        """Write a whole blob; its digest."""
        digest = digests.of(data)
        if not self.has(digest):
            with self.writer() as writer:
                writer.write(data)
                writer.commit(digest)
        return digest

    def delete(self, digest: str) -> bool:
        """Remove a blob; whether it was here."""
        with contextlib.suppress(FileNotFoundError):
            self.path(digest).unlink()
            return True
        return False

    def touch(self, digest: str, now: float) -> bool:
        """Say that it is wanted still; whether it is here."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.path(digest), (now, now))
            return True
        return False

    def written(self, digest: str) -> float:
        """When it was written or touched, in seconds since the epoch. faults.NotFound."""
        try:
            return self.path(digest).stat().st_mtime
        except FileNotFoundError:
            raise _missing(digest) from None

    def all(self) -> Iterator[str]:
        """The digests of all that is here, in order."""
        names = (
            sorted(path.name for path in self._folder.glob("*")) if self._folder.exists() else []
        )
        return (f"sha256:{name}" for name in names if digests.is_digest(f"sha256:{name}"))

    def sweep(self, before: float) -> int:
        """Remove what was begun and not touched since `before`; how many."""
        gone = 0
        for path in self._ingest.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()
                    gone += 1
        return gone

    def begin(self) -> tuple[BinaryIO, Path]:
        """A new file in `ingest/`."""
        self._ingest.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._ingest)
        return os.fdopen(descriptor, "wb"), Path(name)

    def place(self, path: Path, digest: str) -> None:
        """Give a complete file its place."""
        target = self.path(digest)
        self._folder.mkdir(parents=True, exist_ok=True)
        path.chmod(0o644)
        path.replace(target)
        sync_folder(self._folder)


class Writer:
    """A blob in the making. Leaving its `with` before `commit` forgets it."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._hash = hashlib.sha256()
        self._file, self._path = blobs.begin()
        self.size = 0

    @property
    def digest(self) -> str:
        """That of what was written so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def write(self, data: bytes) -> int:
        """Add bytes; how many (as a file does, so that a tar can be written to it)."""
        self._hash.update(data)
        self._file.write(data)
        self.size += len(data)
        return len(data)

    def commit(self, expected: str = "", size: int | None = None) -> str:
        """Make it a blob; its digest. faults.Corrupt where it is not what was expected."""
        digest = self.digest
        if size is not None and self.size != size:
            raise faults.Corrupt(f"{expected or 'the blob'} has {self.size} bytes, not {size}")
        if expected and digest != expected:
            raise faults.Corrupt(f"the content has the digest {digest}, not {expected}")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._blobs.place(self._path, digest)
        return digest

    def close(self) -> None:
        """Forget what was not committed."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()


def sync_folder(folder: Path) -> None:
    """Let a rename in a folder outlive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one step: readers see the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _missing(digest: str) -> faults.NotFound:
    return faults.NotFound(f"{digest} is not in the store")
