"""Byte streams between processes: bounded pipes, and several writers joined for one reader."""

from collections import deque
from typing import Final, Protocol

from cluster.runtime.vos.waiting import Waiters

PIPE_BYTES: Final = 64 << 10
"""What a pipe holds before its writer waits (pipe(7))."""
_PIECE: Final = 100
"""Bytes that a piece takes beside its content, of which a writer may give one at a time."""


class BrokenPipe(Exception):
    """Nobody reads any more: SIGPIPE."""


class Reader(Protocol):
    """Where a process reads."""

    async def read(self, limit: int = PIPE_BYTES) -> bytes:
        """At most `limit` bytes, as soon as there are any; b"" at the end."""

    async def read_line(self) -> bytes:
        """A line with its end; what is left at the end of the stream, or of the buffer."""


class Writer(Protocol):
    """Where a process writes."""

    async def write(self, data: bytes) -> None:
        """Write all; waits while the reader is behind. BrokenPipe."""


class Pipe:
    """A pipe of at most `limit` bytes."""

    def __init__(self, limit: int = PIPE_BYTES) -> None:
        self._limit = limit
        self._data = bytearray()
        self._ended = self._broken = False
        self._waiters = Waiters()

    async def read(self, limit: int = PIPE_BYTES) -> bytes:
        """See `Reader`."""
        while not self._data:
            if self._ended:
                return b""
            await self._waiters.wait()
        return self._take(limit)

    async def read_line(self) -> bytes:
        """See `Reader`."""
        while True:
            end = self._data.find(b"\n")
            if end >= 0:
                return self._take(end + 1)
            if self._ended or len(self._data) >= self._limit:
                return self._take(self._limit)
            await self._waiters.wait()

    async def write(self, data: bytes) -> None:
        """See `Writer`."""
        view = memoryview(data)
        while view:
            if self._broken or self._ended:
                raise BrokenPipe
            room = self._limit - len(self._data)
            if room > 0:
                self._data += view[:room]
                view = view[room:]
                self._waiters.wake()
            else:
                await self._waiters.wait()

    def offer(self, data: bytes) -> bool:
        """Write all, if there is room for it now; whether there was."""
        if self._broken or self._ended or len(self._data) + len(data) > self._limit:
            return False
        self._data += data
        self._waiters.wake()
        return True

    def end(self) -> None:
        """Nothing more will be written: the reader reads what is there, then the end."""
        self._ended = True
        self._waiters.wake()

    def break_(self) -> None:
        """Nobody will read any more."""
        self._broken = True
        self._data.clear()
        self._waiters.wake()

    def _take(self, limit: int) -> bytes:
        taken = bytes(self._data[:limit])
        del self._data[:limit]
        self._waiters.wake()
        return taken


class Joint:
    """Several writers' bytes for one reader, each piece with its writer's name, in order."""

    def __init__(self, limit: int = 4 * PIPE_BYTES) -> None:
        self._limit = limit
        self._size = 0
        self._pieces: deque[tuple[str, bytes]] = deque()
        self._ended = self._broken = False
        self._waiters = Waiters()

    def writer(self, name: str) -> "JointWriter":
        """A writer whose pieces carry `name`."""
        return JointWriter(self, name)

    async def put(self, name: str, data: bytes) -> None:
        """Write. BrokenPipe."""
        for start in range(0, len(data), PIPE_BYTES):
            while self._size >= self._limit and not self._broken:
                await self._waiters.wait()
            if self._broken:
                raise BrokenPipe
            piece = data[start : start + PIPE_BYTES]
            self._pieces.append((name, piece))
            self._size += len(piece) + _PIECE
            self._waiters.wake()

    async def get(self) -> tuple[str, bytes] | None:
        """The next piece; None at the end."""
        while not self._pieces:
            if self._ended:
                return None
            await self._waiters.wait()
        name, data = self._pieces.popleft()
        self._size -= len(data) + _PIECE
        self._waiters.wake()
        return name, data

    def end(self) -> None:
        """Nothing more will be written."""
        self._ended = True
        self._waiters.wake()

    def break_(self) -> None:
        """Nobody will read any more."""
        self._broken = True
        self._pieces.clear()
        self._waiters.wake()

    def offer(self, name: str, data: bytes) -> bool:
        """Write without waiting; False where there is no room."""
        if self._size >= self._limit or self._broken or self._ended:
            return False
        self._pieces.append((name, data))
        self._size += len(data) + _PIECE
        self._waiters.wake()
        return True


class JointWriter:
    """One of a joint's writers."""

    def __init__(self, joint: Joint, name: str) -> None:
        self._joint = joint
        self._name = name

    async def write(self, data: bytes) -> None:
        """See `Writer`."""
        await self._joint.put(self._name, data)


class Nothing:
    """/dev/null, both ways."""

    async def read(self, limit: int = PIPE_BYTES) -> bytes:
        """The end."""
        return b""

    async def read_line(self) -> bytes:
        """The end."""
        return b""

    async def write(self, data: bytes) -> None:
        """Throw away."""


NOTHING: Final = Nothing()


class Bytes:
    """Reads bytes that are there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    async def read(self, limit: int = PIPE_BYTES) -> bytes:
        """See `Reader`."""
        taken = self._data[self._at : self._at + limit]
        self._at += len(taken)
        return taken

    async def read_line(self) -> bytes:
        """See `Reader`."""
        end = self._data.find(b"\n", self._at) + 1 or len(self._data)
        return await self.read(end - self._at)


class TooMuch(Exception):
    """More was written than is kept."""


class Collected:
    """Keeps what is written, up to `limit` bytes. TooMuch beyond, unless it is to be `cut`."""

    def __init__(self, limit: int, *, cut: bool = False) -> None:
        self.data = bytearray()
        self._limit = limit
        self._cut = cut

    async def write(self, data: bytes) -> None:
        """See `Writer`."""
        room = self._limit - len(self.data)
        if len(data) > room and not self._cut:
            raise TooMuch
        self.data += data[: max(room, 0)]


async def lines(reader: Reader) -> list[bytes]:
    """All lines of a reader, without their ends. TooMuch beyond 4 MiB."""
    found = await everything(reader)
    return found.removesuffix(b"\n").split(b"\n") if found else []


async def everything(reader: Reader, limit: int = 4 << 20) -> bytes:
    """All that a reader gives. TooMuch beyond `limit` bytes."""
    found = Collected(limit)
    while data := await reader.read():
        await found.write(data)
    return bytes(found.data)
