"""Ends the shims that a cluster leaves behind, with all their containers."""

import asyncio
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cluster.runtime.oci import link

LOCK: Final = "shim.lock"
_LOOK_AGAIN: Final = 0.02


def running(folder: Path) -> bool:
    """Whether a shim has this folder."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


async def end(folders: Iterable[Path], seconds: float) -> list[Path]:
    """End the shims of these folders; those that are there still after so many seconds."""
    left = [folder for folder in folders if running(folder)]
    for folder in left:
        link.shut_down(folder)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while left and loop.time() < deadline:
        await asyncio.sleep(_LOOK_AGAIN)
        left = [folder for folder in left if running(folder)]
    return left
