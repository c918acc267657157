"""Files of client certificates that are exchanged while a component runs.

They are looked at every few seconds by their metadata; a component has one timer for that. What
cannot be read (one of two files is on its way) changes nothing, and is tried again.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from cluster.api import faults

if TYPE_CHECKING:
    from cluster.client.channel import ChannelTls


class Followed:
    """`present` is what the files said when they were last good."""

    def __init__(
        self,
        files: Sequence[Path],
        read: "Callable[[], ChannelTls | None]",
        present: "ChannelTls | None",
    ) -> None:
        self._files = files
        self._read = read
        self._seen = self._signature()
        self.present = present

    async def run(
        self, changed: Callable[[], None], seconds: float, wake: asyncio.Event | None = None
    ) -> None:
        """Call `changed` after each change, until cancelled. They are looked at when `wake` is set,
        too, by who has just written one.
        """
        written = wake or asyncio.Event()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(written.wait(), seconds)
            written.clear()
            if self.look():
                changed()

    def look(self) -> bool:
        """Whether there is something new, which is `present` then."""
        found = self._signature()
        if found == self._seen:
            return False
        try:
            fresh = self._read()
        except (OSError, ValueError, faults.Fault) as error:
            structlog.get_logger().warning("new certificates cannot be read", error=str(error))
            return False
        self._seen = found
        if fresh == self.present:
            return False
        self.present = fresh
        structlog.get_logger().info("new certificates are in use")
        return True

    def _signature(self) -> tuple[tuple[int, int, int], ...]:
        return tuple(_of(path) for path in self._files)


def _of(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino
