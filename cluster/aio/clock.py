"""The clock seam: wall time comes from here and from nowhere else.

Durations and timers belong to asyncio (`loop.time()`, `asyncio.timeout`, `loop.call_later`); the
clock only says what time it is on the wall, in seconds since the epoch (UTC). In the lab both are
virtual and advance together.
"""

import asyncio
import os
import struct
import time
from pathlib import Path
from typing import Final, Protocol

OFFSET: Final = struct.Struct("=d")
"""What the file of a SkewedClock holds."""


class Clock(Protocol):
    """Tells the wall time."""

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        ...


class SystemClock:
    """The machine's own wall clock."""

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        return time.time()  # noqa: TID251  (the one place that may)


class SkewedClock:
    """A clock that is wrong by as much as a file says, from the moment that it says so.

    The file holds the offset in seconds as a double of the machine's byte order, and is made where
    it is missing. Who reads the time reads memory: the file is mapped.
    """

    def __init__(self, clock: Clock, path: Path) -> None:
        """OSError where the file cannot be made or mapped."""
        import mmap  # few processes have such a clock

        self._clock = clock
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size != OFFSET.size:
                os.ftruncate(descriptor, 0)
                os.ftruncate(descriptor, OFFSET.size)
            self._map = mmap.mmap(descriptor, OFFSET.size, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC, and the offset."""
        offset: float = OFFSET.unpack_from(self._map)[0]
        return self._clock.now() + offset


class LoopClock:
    """Wall time that advances with an event loop's time: the lab's clock.

    `epoch` is the wall time, in seconds since the Unix epoch, at which the loop's time was zero.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch: float) -> None:
        self._loop = loop
        self._epoch = epoch

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        return self._epoch + self._loop.time()
