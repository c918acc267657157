"""A container's log in the CRI log format: in files that turn over by size, or in memory.

    2026-01-01T00:00:00.000000000Z stdout F text of a line
    2026-01-01T00:00:00.000000000Z stdout P a piece of a line longer than 16 KiB

Source: k8s.io/cri-api, "CRI: Log Management". Places in a log are counted from its first byte, also
when that is long gone.
"""

import asyncio
import contextlib
import datetime
import itertools
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

from cluster.runtime.vos.waiting import Waiters

LINE_BYTES: Final = 16 << 10
READ_BYTES: Final = 256 << 10
MEMORY_BYTES: Final = 256 << 10
HELD_BYTES: Final = 256 << 20
"""Bytes of files that have turned over and are kept for who follows and lags, without names."""
AWAY_SECONDS: Final = 60.0
"""Who has not asked for so long does not follow any more: a question waits for half of it."""
_FOLLOWERS: Final = 64


class Kept(Protocol):
    """Where formatted lines are kept."""

    @property
    def start(self) -> int:
        """The place of the oldest byte that is kept."""

    @property
    def end(self) -> int:
        """The place after the newest."""

    def add(self, data: bytes) -> None:
        """Keep whole lines."""

    def read(self, offset: int, limit: int) -> bytes:
        """Bytes from a place that is kept; not always as many as asked for."""

    def follow(self, asked: int, place: int) -> None:
        """Hear that one who follows had come to `asked`, and reads to `place` now."""

    def unfollow(self) -> None:
        """Hear that nobody follows any more."""

    def hold(self) -> None:
        """Take its names away: what is kept can be read until `remove`, as of an open file."""

    def remove(self) -> None:
        """Forget all."""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes from place `offset` of a log, which is kept from `start` to `end`; `ended` where a
    driver says that no more will come.
    """

    data: bytes
    offset: int
    start: int
    end: int
    ended: bool = False


def part(kept: Kept, offset: int, limit: int) -> Part:
    """At most `limit` bytes from a place, or from the nearest that is kept. A negative offset
    counts from the end.
    """
    asked = offset if offset >= 0 else kept.end + offset
    found = min(max(asked, kept.start), kept.end)
    return Part(kept.read(found, limit), found, kept.start, kept.end)


class InMemory:
    """Keeps the newest lines, `limit` bytes of them."""

    def __init__(self, limit: int = MEMORY_BYTES) -> None:
        self.start = self.end = 0
        self._limit = limit
        self._pieces: deque[bytes] = deque()

    def add(self, data: bytes) -> None:
        """See `Kept`."""
        self._pieces.append(data)
        self.end += len(data)
        while self.end - self.start > self._limit and len(self._pieces) > 1:
            self.start += len(self._pieces.popleft())

    def read(self, offset: int, limit: int) -> bytes:
        """See `Kept`."""
        at, found, size = self.start, [], 0
        for piece in self._pieces:
            if at + len(piece) > offset and size < limit:
                part = piece[max(offset - at, 0) :][: limit - size]
                found.append(part)
                size += len(part)
            at += len(piece)
        return b"".join(found)

    def follow(self, asked: int, place: int) -> None:
        """See `Kept`: what is in memory is kept for nobody."""

    def unfollow(self) -> None:
        """See `Kept`."""

    def hold(self) -> None:
        """See `Kept`: it has none."""

    def remove(self) -> None:
        """See `Kept`."""
        self._pieces.clear()
        self.start = self.end


def make(path: Path) -> None:
    """Make an empty log of a container that has said nothing yet: crictl opens it by its path."""
    with contextlib.suppress(OSError):  # whoever writes to it will tell
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def unmake(path: Path) -> None:
    """Remove what `make` has made, and the folders that are left empty."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        path.parent.rmdir()
        path.parent.parent.rmdir()


def clear(folder: Path) -> None:
    """Remove the container logs in a pod's folder, those of an earlier runtime too."""
    for path in (*folder.glob("*/[0-9]*.log"), *folder.glob("*/[0-9]*.log.*")):
        with contextlib.suppress(OSError):
            path.unlink()
    for inner in (*folder.glob("*"), folder):
        with contextlib.suppress(OSError):
            inner.rmdir()


@dataclass(slots=True)
class _Segment:
    """A file, and the place of its first byte. `held` where it has no name any more."""

    path: Path
    start: int
    size: int = 0
    held: IO[bytes] | None = None


class InFiles:
    """Keeps a file of at most about `size` bytes, and `files` of them in all.

    A full one is renamed after the time, as the kubelet names rotated logs. What cannot be written
    is lost, which is said once. A file that goes while somebody who follows has not read it yet is
    kept open for him, as his open descriptor would on a node: HELD_BYTES at most, the newest.
    """

    def __init__(self, path: Path, *, size: int, files: int, now: Callable[[], float]) -> None:
        self.end = 0
        self._path = path
        self._size = size
        self._files = files
        self._now = now
        self._segments: deque[_Segment] = deque()
        self._failed = False
        self._gone: deque[_Segment] = deque()
        """Files that have no name any more, and are read still."""
        self._places: list[tuple[int, float]] = []
        """How far each follower has come, and when: two may have come to the same place."""
        self._nameless = False

    @property
    def start(self) -> int:
        """See `Kept`."""
        if self._gone:
            return self._gone[0].start
        return self._segments[0].start if self._segments else self.end

    def adopt(self) -> None:
        """Go on with the files that are there: an earlier runtime kept them for the container."""
        rotated = self._path.parent.glob(f"{self._path.name}.[0-9]*")
        found = [*sorted(rotated, key=_age), self._path]
        for path in found:
            with contextlib.suppress(OSError):
                size = path.stat().st_size
                self._segments.append(_Segment(path, self.end, size))
                self.end += size
        if self._segments and not _ends_well(self._segments[-1]):
            self.add(b"\n")

    def add(self, data: bytes) -> None:
        """See `Kept`."""
        try:
            current = self._current(len(data))
            with current.path.open("ab", buffering=0) as file:
                written = file.write(data) or 0
            current.size += written
            self.end += written
        except OSError as error:
            if not self._failed:
                self._failed = True
                import structlog  # here: not all who write logs have one of their own

                log = structlog.get_logger()
                log.warning(
                    "a container's log cannot be written", path=str(self._path), error=error
                )

    def read(self, offset: int, limit: int) -> bytes:
        """See `Kept`."""
        for segment in itertools.chain(self._gone, self._segments):
            if segment.start <= offset < segment.start + segment.size:
                place, most = offset - segment.start, segment.start + segment.size - offset
                with contextlib.suppress(OSError):
                    if segment.held is not None:
                        return os.pread(segment.held.fileno(), min(limit, most), place)
                    with segment.path.open("rb") as file:
                        file.seek(place)
                        return file.read(min(limit, most))
        return b""

    def follow(self, asked: int, place: int) -> None:
        """See `Kept`."""
        now = self._now()
        known = [one for one in self._places if now - one[1] < AWAY_SECONDS]
        mine = next((at for at, (to, _) in enumerate(known) if to == asked), None)
        if mine is not None:
            del known[mine]
        self._places = [*known, (place, now)][-_FOLLOWERS:]
        self._let_go()

    def unfollow(self) -> None:
        """See `Kept`."""
        self._places.clear()
        self._let_go()

    def hold(self) -> None:
        """See `Kept`."""
        self._nameless = True
        for segment in self._segments:
            with contextlib.suppress(OSError):
                segment.held = segment.path.open("rb", buffering=0)
        self._unlink()

    def remove(self) -> None:
        """See `Kept`."""
        self.unfollow()
        for segment in self._segments:
            if segment.held is not None:
                segment.held.close()
        if not self._nameless:
            self._unlink()
        self._segments.clear()

    def _unlink(self) -> None:
        for segment in self._segments:
            segment.path.unlink(missing_ok=True)
        for folder in (self._path.parent, self._path.parent.parent):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def reopen(self) -> None:
        """The file was renamed by somebody else: begin another one."""
        if self._segments and not self._segments[-1].path.exists():
            self._segments.clear()

    def _current(self, more: int) -> _Segment:
        segments = self._segments
        if segments and segments[-1].size and segments[-1].size + more > self._size:
            self._turn_over()
        if not segments or segments[-1].path != self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(b"")
            segments.append(_Segment(self._path, self.end))
        return segments[-1]

    def _turn_over(self) -> None:
        full = self._segments[-1]
        moment = datetime.datetime.fromtimestamp(self._now(), datetime.UTC)
        name = f"{self._path.name}.{moment:%Y%m%d-%H%M%S}"
        target, number = self._path.with_name(name), 1
        while target.exists():
            target, number = self._path.with_name(f"{name}.{number}"), number + 1
        os.replace(self._path, target)  # noqa: PTH105
        full.path = target
        while len(self._segments) > self._files - 1:
            self._drop(self._segments.popleft())
        self._let_go()

    def _drop(self, segment: _Segment) -> None:
        """A file goes; it is held where somebody has not read it to its end."""
        if self._needed() < segment.start + segment.size:
            with contextlib.suppress(OSError):
                segment.held = segment.path.open("rb", buffering=0)
                self._gone.append(segment)
        segment.path.unlink(missing_ok=True)

    def _needed(self) -> int:
        """The place of the one who lags most; the log's end where nobody follows."""
        return min((place for place, _ in self._places), default=self.end)

    def _let_go(self) -> None:
        """Close what has been read, and what is too much."""
        if not self._gone:
            return
        need = self._needed()
        held = sum(segment.size for segment in self._gone)
        while self._gone:
            first = self._gone[0]
            if first.start + first.size > need and held <= HELD_BYTES:
                return
            self._gone.popleft()
            held -= first.size
            if first.held is not None:
                first.held.close()


def _age(path: Path) -> tuple[str, int]:
    """What rotated files are sorted by: `0.log.20260101-000000`, and then `….1`."""
    stamp, _, number = path.name.rpartition(".log.")[2].partition(".")
    return stamp, int(number) if number.isdigit() else 0


def _ends_well(segment: _Segment) -> bool:
    """Whether the last line of a file was written to its end."""
    if not segment.size:
        return True
    with contextlib.suppress(OSError), segment.path.open("rb") as file:
        file.seek(segment.size - 1)
        return file.read(1) == b"\n"
    return True


class Log:
    """Formats what a container writes, and keeps it. A line is kept once it has ended."""

    def __init__(self, kept: Kept, now: Callable[[], float]) -> None:
        self.kept = kept
        self._now = now
        self._open: dict[str, bytes] = {}
        self._followers = Waiters()

    def write(self, stream: str, data: bytes) -> None:
        """Take what was written to `stdout` or `stderr`."""
        self.write_at(self._now(), stream, data)

    def write_at(self, at: float, stream: str, data: bytes) -> None:
        """The same, written at a moment that is given (seconds since the epoch)."""
        text = self._open.pop(stream, b"") + data
        lines = text.split(b"\n")
        rest = lines.pop()
        prefix = f"{stamp(at)} {stream} ".encode()
        made = [one for line in lines for one in _formatted(prefix, line)]
        while len(rest) >= LINE_BYTES:
            made.append(prefix + b"P " + rest[:LINE_BYTES] + b"\n")
            rest = rest[LINE_BYTES:]
        if rest:
            self._open[stream] = rest
        if made:
            self._keep(made)

    def close(self) -> None:
        """The container has ended: what it began to write is a line."""
        for stream in list(self._open):
            self.write(stream, b"\n")
        self.wake()

    async def grown(self, seconds: float) -> None:
        """Until something is kept or the container has ended; so many seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._followers.wait()

    def wake(self) -> None:
        """Who follows is to look again."""
        self._followers.wake()

    def _keep(self, lines: list[bytes]) -> None:
        batch: list[bytes] = []
        size = 0
        for line in lines:
            batch.append(line)
            size += len(line)
            if size >= LINE_BYTES:
                self.kept.add(b"".join(batch))
                batch, size = [], 0
        if batch:
            self.kept.add(b"".join(batch))
        self._followers.wake()


def _formatted(prefix: bytes, line: bytes) -> list[bytes]:
    made: list[bytes] = []
    while len(line) > LINE_BYTES:
        made.append(prefix + b"P " + line[:LINE_BYTES] + b"\n")
        line = line[LINE_BYTES:]
    made.append(prefix + b"F " + line + b"\n")
    return made


def stamp(seconds: float) -> str:
    """A moment as CRI logs have it: RFC 3339 with nanoseconds."""
    whole = int(seconds)
    nanos = round((seconds - whole) * 1e9)
    moment = datetime.datetime.fromtimestamp(whole, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{min(nanos, 999_999_999):09d}Z"
