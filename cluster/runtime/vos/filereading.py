"""Reading files as streams: small ones whole, large ones piece by piece."""

import errno
from typing import Final

from cluster.runtime.vos.devices import Device
from cluster.runtime.vos.files import File, FileSystem, error
from cluster.runtime.vos.streams import PIPE_BYTES, Bytes, Reader

_WHOLE: Final = 1 << 20
_PIECE: Final = 1 << 18


def opened(files: FileSystem, path: str) -> Reader:
    """What reads the file at a path. OSError."""
    found = files.open(path)
    if isinstance(found, Device):
        return found.reader()
    if isinstance(found, File) and found.size > _WHOLE:
        return FileReader(found)
    return Bytes(files.read(path))


def regular(files: FileSystem, path: str) -> File:
    """The file at a path. OSError EISDIR."""
    found = files.open(path)
    if not isinstance(found, File):
        raise error(errno.EISDIR, path)
    return found


class FileReader:
    """Reads a file from its begin."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._at = 0
        self._ahead = b""

    async def read(self, limit: int = PIPE_BYTES) -> bytes:
        """See `Reader`. OSError."""
        if not self._ahead:
            self._fill()
        return self._taken(limit)

    async def read_line(self) -> bytes:
        """See `Reader`. A line that is longer than a piece comes in parts. OSError."""
        end = self._ahead.find(b"\n")
        if end < 0 and len(self._ahead) < _PIECE:
            self._fill()
            end = self._ahead.find(b"\n")
        return self._taken(end + 1 if end >= 0 else len(self._ahead))

    def _fill(self) -> None:
        data = self._file.piece(self._at, _PIECE)
        self._at += len(data)
        self._ahead += data

    def _taken(self, size: int) -> bytes:
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        return data
