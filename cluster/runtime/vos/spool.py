"""Large files of containers, kept in a folder of the real disk instead of in memory.

Names there mean nothing: what the folder held is lost with the process, as the memory of a machine
is, and `Spool.clear` sweeps it out at the next start.
"""

import contextlib
import errno
import os
from pathlib import Path
from typing import Final

NAME: Final = "files"
"""Of the folder, in that of a machine's state."""
LIMIT: Final = 8 << 30
"""Bytes of all files of a spool."""
SPILL: Final = 1 << 20
"""A file that grows past this is kept there."""


class Spool:
    """A folder for large files; made when the first one comes."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.used = 0
        self._folder = folder
        self._limit = limit
        self._made = 0

    def clear(self) -> None:
        """Remove what an earlier process left."""
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                path.unlink()

    def file(self, data: bytes) -> "Spooled":
        """A new file that begins with this. OSError ENOSPC."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._made += 1
        made = Spooled(self, self._folder / str(self._made))
        made.append(data)
        return made

    def charge(self, size: int) -> None:
        """Take room. OSError ENOSPC."""
        if self.used + size > self._limit:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.used += size


class Spooled:
    """One file of a spool. No descriptor is held."""

    def __init__(self, spool: Spool, path: Path) -> None:
        self.size = 0
        self._spool = spool
        self._path = path

    def append(self, data: bytes) -> None:
        """Add to its end. OSError ENOSPC."""
        self._spool.charge(len(data))
        with self._path.open("ab", buffering=0) as file:
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]
        self.size += len(data)

    def read(self, offset: int, size: int) -> bytes:
        """Bytes from a place; fewer at its end. OSError."""
        with self._path.open("rb", buffering=0) as file:
            file.seek(offset)
            return file.read(size)

    def remove(self) -> None:
        """Let go of it."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        self._spool.used -= self.size
        self.size = 0
