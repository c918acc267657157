"""Where audit events go: a file that is rotated, or standard output.

Events are gathered and written a few at a time by `os.write` on the loop. To a file that is a copy
into the kernel's cache; to a pipe it happens only when poll says that there is room. What cannot be
written waits, up to a bound; past it events are dropped, counted and told of in the log: the API
goes on, for a full disk must not stop the cluster.
"""

import asyncio
import datetime
import os
import select
import stat
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog

from cluster.aio.clock import Clock

STDOUT = "-"
FLUSH_SECONDS = 0.05
RETRY_SECONDS = 1.0
HELD_BYTES = 8 << 20
_AT_ONCE = 1 << 18
_PIPE_AT_ONCE = select.PIPE_BUF
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file is begun anew and old ones go; 0: never. ValueError."""

    days: int = 0
    backups: int = 0
    megabytes: int = 100

    def __post_init__(self) -> None:
        if min(self.days, self.backups, self.megabytes) < 0:
            raise ValueError("audit-log-maxage, -maxbackup and -maxsize must not be negative")


class LogFile:
    """Lines to `path` (`-`: standard output). Between `open` and `close`; on one event loop."""

    def __init__(self, path: str, clock: Clock, rotation: Rotation | None = None) -> None:
        self._path = path
        self._clock = clock
        self._rotation = rotation if rotation is not None else Rotation()
        self._lines: deque[bytes] = deque()
        self._held = 0
        self._written = 0
        self._file = -1
        self._pipe = False
        self._timer: asyncio.TimerHandle | None = None
        self._failing = False
        self.taken = 0
        self.dropped = 0
        self._log = structlog.get_logger().bind(component="apiserver")

    def open(self) -> None:
        """OSError where the file cannot be written."""
        if self._path == STDOUT:
            self._file = os.dup(1)
            self._pipe = not stat.S_ISREG(os.fstat(self._file).st_mode)
            return
        self._file = os.open(
            self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        self._written = os.fstat(self._file).st_size

    def close(self) -> None:
        """Write what is held, as far as that goes at once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._file >= 0:
            self._flush()
            os.close(self._file)
            self._file = -1

    def add(self, line: bytes) -> None:
        """Take a line; it is written soon."""
        if self._held + len(line) > HELD_BYTES:
            if not self.dropped:
                self._log.warning("audit events are dropped: the log does not take them")
            self.dropped += 1
            return
        self.taken += 1
        self._lines.append(line)
        self._held += len(line)
        if self._timer is None:
            self._later(FLUSH_SECONDS)

    def _later(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._due)

    def _due(self) -> None:
        self._timer = None
        self._flush()
        if self._lines:
            self._later(RETRY_SECONDS if self._failing else FLUSH_SECONDS)

    def _flush(self) -> None:
        """Write what goes without waiting, at most one large piece."""
        try:
            piece = self._piece()
            done = os.write(self._file, piece) if piece else 0
            self._failing = False
        except OSError as error:
            if not self._failing:
                self._log.error("the audit log cannot be written", error=str(error))
            self._failing = True
            return
        self._written += done
        self._forget(done)
        if not self._pipe and self._full():
            self._rotate()

    def _piece(self) -> bytes:
        if self._pipe:
            poll = select.poll()
            poll.register(self._file, select.POLLOUT)
            if not poll.poll(0):
                return b""
        limit = _PIPE_AT_ONCE if self._pipe else _AT_ONCE
        parts, size = [], 0
        for line in self._lines:
            parts.append(line)
            size += len(line)
            if size >= limit:
                break
        return b"".join(parts)[:limit]

    def _forget(self, done: int) -> None:
        self._held -= done
        while done:
            line = self._lines.popleft()
            if len(line) > done:
                self._lines.appendleft(line[done:])
                return
            done -= len(line)

    def _full(self) -> bool:
        limit = self._rotation.megabytes << 20
        return bool(limit) and self._written >= limit

    def _rotate(self) -> None:
        path, now = Path(self._path), self._clock.now()
        try:
            path.rename(path.with_name(rotated(path.name, now)))
            os.close(self._file)
            self.open()
            names = [each.name for each in path.parent.iterdir()]
            for name in expired(path.name, names, now, self._rotation):
                path.with_name(name).unlink(missing_ok=True)
        except OSError as error:
            self._log.error("the audit log cannot be rotated", error=str(error))
            self._written = 0  # not again for each event


def rotated(name: str, now: float) -> str:
    """What a full file is called: `audit-2026-11-21T05-41-20.123.log`."""
    path = Path(name)
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    text = moment.strftime("%Y-%m-%dT%H-%M-%S.") + f"{moment.microsecond // 1000:03}"
    return f"{path.stem}-{text}{path.suffix}"


def expired(name: str, there: Iterable[str], now: float, rotation: Rotation) -> list[str]:
    """Which full files go: those that are too old, and all but the newest ones. Pure."""
    path = Path(name)
    aged = []
    for each in there:
        moment = _moment(each, path)
        if moment is not None:
            aged.append((moment, each))
    aged.sort(reverse=True)
    found = []
    for place, (moment, each) in enumerate(aged):
        old = rotation.days and now - moment > rotation.days * _DAY
        if old or (rotation.backups and place >= rotation.backups):
            found.append(each)
    return found


def _moment(name: str, path: Path) -> float | None:
    head, tail = f"{path.stem}-", path.suffix
    if not name.startswith(head) or not name.endswith(tail):
        return None
    text = name[len(head) : len(name) - len(tail)]
    try:
        found = datetime.datetime.strptime(f"{text}+0000", "%Y-%m-%dT%H-%M-%S.%f%z")
    except ValueError:
        return None
    return found.timestamp()
