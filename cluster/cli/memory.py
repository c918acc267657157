"""How a process keeps its memory: when cycles are looked for, when free pages are given back."""

import asyncio
import ctypes
import gc
import sys
from collections.abc import Callable
from typing import Final

_GIVEN_BACK_EVERY: Final = 60.0
"""Seconds. It takes 1 ms of most processes and 15 ms of one of 350 MB."""

_KEPT_TIDY: Final = {
    -8: 1,  # M_ARENA_MAX: each thread of gRPC's would have a heap of its own, with gaps of its own
    -3: 128 * 1024,  # M_MMAP_THRESHOLD: left alone it grows, and large buffers then leave gaps
    -1: 128 * 1024,  # M_TRIM_THRESHOLD: left alone it grows to twice the other
}
"""What mallopt(3) is told, by the numbers of glibc's malloc.h."""


def settle() -> None:
    """Let Python look for cycles as seldom as suits those who hold many objects for long, and the
    C library keep a heap that has few gaps.

    At Python's own thresholds cycles cost a third of the time in a burst. The young are looked
    through often all the same: each RPC of grpc.aio leaves half a kilobyte in cycles.
    """
    gc.set_threshold(10_000, 10, 200)
    gc.enable()
    _settle_heap()


async def give_back() -> None:
    """Give the system what is free in the C library's heap, now and then, for as long as it runs.

    Each burst leaves its blocks in other places: without this a process grows for hours while what
    it uses stays the same. Nothing is done where the C library has no malloc_trim.
    """
    trim = _trim()
    while trim is not None:
        await asyncio.sleep(_GIVEN_BACK_EVERY)
        trim(0)


def _settle_heap() -> None:
    told = _of_the_c_library("mallopt")
    if told is not None:
        for setting, value in _KEPT_TIDY.items():
            told(setting, value)


def _trim() -> Callable[[int], int] | None:
    return _of_the_c_library("malloc_trim")


def _of_the_c_library(name: str) -> Callable[..., int] | None:
    """glibc's function of that name; None where there is none, or another C library's."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return None  # The numbers of settings are glibc's.
    found: Callable[..., int] | None = getattr(library, name, None)
    return found
