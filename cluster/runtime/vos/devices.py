"""The devices of /dev that are not a process's own streams: null, zero, full and random bytes."""

import asyncio
import errno
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cluster.runtime.vos.files import FileSystem
from cluster.runtime.vos.nodes import ENTRY_BYTES, File, Folder, Space, error
from cluster.runtime.vos.streams import PIPE_BYTES, Reader

if TYPE_CHECKING:
    from cluster.runtime.vos.kernel import Kernel

Source = Callable[[int], bytes]
"""Makes at most so many bytes; b"" is the end."""
_READS: Final = 100
"""Readings between two pauses: who reads without end shall not hold the others up."""
_PAUSE: Final = 0.001
_SHM_BYTES: Final = 64 << 20
"""The size of /dev and of /dev/shm, as containerd mounts it."""
_OWN: Final = ("stdin", "stdout", "stderr", "tty")


class Device(File):
    """A character device; what is written to it is thrown away. `begun` makes what somebody who
    opens it reads. OSError `refuses` for who writes, or reads what is not for everybody.
    """

    __slots__ = ("_begun", "_refuses")

    def __init__(self, begun: Callable[[str], Source] | None, refuses: int = 0) -> None:
        super().__init__(Space(0), bytearray(), 0o666)
        self._begun = begun
        self._refuses = refuses

    def reader(self, seed: str = "") -> Reader:
        """Who reads from it; random bytes are made of `seed`. OSError."""
        return _Reading(self._source(seed))

    def content(self) -> bytes:
        """All of it, where it has an end. OSError EFBIG."""
        if self._source()(1):
            raise error(errno.EFBIG)
        return b""

    def piece(self, offset: int, size: int) -> bytes:
        """See `File`: another one each time. OSError."""
        return self._source()(size)

    def append(self, data: bytes, now: float, path: str = "") -> None:
        """See `File`. OSError."""
        if self._refuses and data:
            raise error(self._refuses, path)

    def empty(self) -> None:
        """See `File`: there is nothing to let go of."""

    def _source(self, seed: str = "") -> Source:
        if self._begun is None:
            raise error(self._refuses)
        return self._begun(seed)


class _Reading:
    """Reads from a device. It gives way now and then, and to the virtual clock too."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._ahead = b""
        self._reads = 0

    async def read(self, limit: int = PIPE_BYTES) -> bytes:
        """See `Reader`."""
        self._reads += 1
        await asyncio.sleep(0 if self._reads % _READS else _PAUSE)
        size = max(min(limit, PIPE_BYTES), 0)
        if not self._ahead:
            return self._source(size)
        taken, self._ahead = self._ahead[:size], self._ahead[size:]
        return taken

    async def read_line(self) -> bytes:
        """See `Reader`."""
        data = await self.read()
        end = data.find(b"\n") + 1 or len(data)
        self._ahead = data[end:] + self._ahead
        return data[:end]


class _Chance:
    """Gives each who opens it bytes of his own; the same in each run from the same seed."""

    def __init__(self) -> None:
        self._opened = 0

    def __call__(self, seed: str) -> Source:
        self._opened += 1
        return random.Random(f"{seed}/{self._opened}").randbytes  # noqa: S311


def _nothing(_seed: str) -> Source:
    return lambda size: b""


def _zeros(_seed: str) -> Source:
    return bytes


def make(folder: Folder) -> None:
    """Put the devices into a container's /dev."""
    space = folder.space
    chance = _Chance()
    made = {
        "null": Device(_nothing), "zero": Device(_zeros), "full": Device(_zeros, errno.ENOSPC),
        "random": Device(chance), "urandom": Device(chance),
    }  # fmt: skip
    # Programs that know their process take its streams before they come here.
    made |= {name: Device(None, errno.ENXIO) for name in _OWN}
    for name, device in made.items():
        if name not in folder.entries:
            space.charge(ENTRY_BYTES + len(name), name)
        folder.entries[name] = device


def mount(target: FileSystem) -> None:
    """Mount /dev, which can be written to also where the root cannot, and /dev/shm."""
    folder = Folder(Space(_SHM_BYTES))
    make(folder)
    folder.make_file("termination-log", 0.0).mode = 0o666
    target.mount("/dev", folder, kind="tmpfs", source="tmpfs", size=_SHM_BYTES)
    shm = Folder(Space(_SHM_BYTES), mode=0o1777)
    target.mount("/dev/shm", shm, kind="tmpfs", source="shm", size=_SHM_BYTES)


def opened(kernel: "Kernel", path: str) -> Reader | None:
    """Who reads the device at a path; None where none is there. OSError."""
    try:
        found = kernel.files.find(path)
    except OSError:
        return None
    if not isinstance(found, Device):
        return None
    return found.reader(f"{kernel.hostname}/{kernel.clock.now()}")
