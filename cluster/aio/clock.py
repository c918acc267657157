"""The clock seam: wall time comes from here and from nowhere else.

Durations and timers belong to asyncio (`loop.time()`, `asyncio.timeout`, `loop.call_later`); the
clock only says what time it is on the wall, in seconds since the epoch (UTC). In the lab both are
virtual and advance together.
"""

import asyncio
import time
from typing import Protocol


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
