"""Reading the log files that a runtime writes, over their turns.

Places are counted from the first byte of the file that was current when somebody first asked, as
`kubectl logs` begins there. Files are known by their inode: when the current one was renamed, its
rest is read under its new name before the next one.
"""

import contextlib
import os
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

_MOST: Final = 256
"""Containers whose files are known at once."""
_SEGMENTS: Final = 8


@dataclass(slots=True)
class _Segment:
    """A file that holds the bytes of a log from place `start` on."""

    inode: int
    start: int
    size: int = 0
    """As far as it is known: a file that was turned over has its last size."""
    held: IO[bytes] | None = None
    """It itself, where its container is about to be removed and somebody reads it still."""


@dataclass(slots=True)
class _Known:
    """The files of one log, the oldest first."""

    segments: list[_Segment] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a log from place `offset`; it can be read from `start` to `end`."""

    data: bytes
    offset: int
    start: int
    end: int


class LogFiles:
    """The logs of a node's containers, by the path that the runtime tells."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def read(self, path: str, offset: int, limit: int) -> Part:
        """At most `limit` bytes; a negative offset counts from the end."""
        known = self._known.setdefault(path, _Known())
        self._known.move_to_end(path)
        while len(self._known) > _MOST:
            self.forget(next(iter(self._known)))
        self._look(Path(path), known)
        if not known.segments:
            return Part(b"", 0, 0, 0)
        first, last = known.segments[0], known.segments[-1]
        end = last.start + last.size
        place = end + offset if offset < 0 else offset
        place = min(max(place, first.start), end)
        for segment in known.segments:
            if segment.start <= place < segment.start + segment.size:
                most = min(limit, segment.start + segment.size - place)
                data = _bytes(Path(path), segment, place - segment.start, most)
                if data:
                    return Part(data, place, first.start, end)
                # It is gone, or packed: what was not read of it is lost.
                place = segment.start + segment.size
        return Part(b"", place, first.start, end)

    def grown(self, path: str) -> bool:
        """Whether there is more, or another file, than at the last reading."""
        known = self._known.get(path)
        if known is None or not known.segments:
            return Path(path).exists()
        last = known.segments[-1]
        try:
            now = Path(path).stat()
        except OSError:
            return False
        return (now.st_ino, now.st_size) != (last.inode, last.size)

    def hold(self, path: str) -> None:
        """Keep the files open: they are about to be removed, and somebody reads them."""
        known = self._known.get(path)
        if known is None:
            return
        self._look(Path(path), known)
        for segment in known.segments:
            found = _named(Path(path), segment.inode)
            if found is not None and segment.held is None:
                with contextlib.suppress(OSError):
                    segment.held = found.open("rb", buffering=0)

    def forget(self, path: str) -> None:
        """The container is gone."""
        known = self._known.pop(path, None)
        for segment in known.segments if known is not None else ():
            if segment.held is not None:
                segment.held.close()

    @staticmethod
    def _look(path: Path, known: _Known) -> None:
        """See how far the current file is, and whether it is another one."""
        segments = known.segments
        if segments and segments[-1].held is not None:
            segments[-1].size = os.fstat(segments[-1].held.fileno()).st_size
            return
        try:
            now = path.stat()
        except OSError:
            return  # between two turns, or not there yet
        start = 0
        if segments and segments[-1].inode == now.st_ino:
            last = segments[-1]
            if now.st_size >= last.size:
                last.size = now.st_size
                return
            # It was emptied in place: what it had is nowhere any more.
            start = last.start + last.size
            segments.pop()
        elif segments:
            last = segments[-1]
            old = _named(path, last.inode)
            if old is not None:
                last.size = max(last.size, old.stat().st_size)
            start = last.start + last.size
        segments.append(_Segment(now.st_ino, start, now.st_size))
        del segments[:-_SEGMENTS]


def _named(path: Path, inode: int) -> Path | None:
    """The file of an inode: under the log's own name, or under one that it was renamed to."""
    try:
        for entry in os.scandir(path.parent):
            if entry.name.startswith(path.name) and entry.inode() == inode:
                return path.parent / entry.name
    except OSError:
        return None
    return None


def _bytes(path: Path, segment: _Segment, offset: int, size: int) -> bytes:
    if segment.held is not None:
        return os.pread(segment.held.fileno(), size, offset)
    found = _named(path, segment.inode)
    if found is None:
        return b""
    try:
        with found.open("rb") as file:
            file.seek(offset)
            return file.read(size)
    except OSError:
        return b""


def remove(path: str) -> None:
    """Remove a container's log with all its turns, and the folders that it leaves empty."""
    own = Path(path)
    for each in (own, *own.parent.glob(f"{own.name}.*")):
        each.unlink(missing_ok=True)
    for folder in (own.parent, own.parent.parent):
        try:
            folder.rmdir()
        except OSError:
            return
