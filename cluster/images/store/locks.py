"""Locks between processes: who adds to a store shares it, who collects garbage has it alone."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from cluster.images import faults

_AGAIN: Final = 0.02
WAIT: Final = 60.0


@asynccontextmanager
async def held(path: Path, *, alone: bool, wait: float = WAIT) -> AsyncIterator[None]:
    """Hold the lock at `path` as long as the block lasts. faults.Busy after `wait` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _take(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, path, wait)
        yield
    finally:
        os.close(descriptor)


async def _take(descriptor: int, kind: int, path: Path, wait: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if loop.time() >= deadline:
                raise faults.Busy(
                    f"another process has held {path.parent} for {wait:g} s; try again when "
                    "it has ended"
                ) from None
            # The kernel tells nobody of a lock that was let go.
            await asyncio.sleep(_AGAIN)
        else:
            return
