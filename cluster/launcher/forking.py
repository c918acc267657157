"""What a process that imports for others does to its memory before it is forked.

A forked process shares its parent's memory page by page, until one of them writes to a page. What
makes children write to pages that they inherit, though what they write has nothing to do with
what is there, is put out of their way here: each of a cluster's processes would otherwise have
megabytes of its own.
"""

import contextlib
import ctypes
import functools
import gc
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LARGEST_GAP: Final = 16 * 1024
_SMALLEST_GAP: Final = 16
_TAKEN_AT_MOST: Final = 4 * 1024 * 1024
_DONTNEED: Final = 4
_MAPPING: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+ +(/.*)")


def prepare() -> None:
    """Make the next fork share as much as it can. It takes about a millisecond."""
    gc.freeze()
    forget_types()
    fill_gaps()


def forget_types() -> None:
    """Empty Python's cache of what types have.

    It holds a reference to each name in it. A child that replaces an entry would write to the old
    name as well as to the new one.
    """
    clear = getattr(sys, "_clear_internal_caches", None) or getattr(sys, "_clear_type_cache", None)
    if clear is not None:
        clear()


def fill_gaps() -> int:
    """Take what is free between blocks of the C library's heap, for good. The bytes taken.

    A child takes its own blocks from the end of the heap then, one beside the other. Otherwise it
    would put them into gaps all over the heap, which are few (100 kB), and copy a page for each.
    Nothing is done where the C library is not glibc 2.33 or newer.
    """
    library = _library()
    if library is None:
        return 0
    library.malloc_trim(0)
    end = library.sbrk(0) - library.mallinfo2().keepcost
    taken = 0
    for size in _sizes():
        # What comes from beyond the last block says that there is no gap of this size any more.
        while 0 < (place := library.malloc(size)) < end and taken < _TAKEN_AT_MOST:
            taken += size
        library.free(place)
    return taken


def release_files() -> None:
    """Let go of pages of libraries that were only read while these were loaded.

    They stay in the system's cache, and come back by themselves where they are needed.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    library.madvise.argtypes = (ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int)
    with contextlib.suppress(OSError):
        for start, end in _untouched(Path("/proc/self/smaps").read_text()):
            library.madvise(start, end - start, _DONTNEED)


def _sizes() -> Iterator[int]:
    """From large to small: what is left of a gap is filled by the sizes that follow."""
    yield from range(_LARGEST_GAP, 1024, -1024)
    yield from range(1024, _SMALLEST_GAP - 1, -16)


class _Heap(ctypes.Structure):
    """`struct mallinfo2`; `keepcost` is what is free at the heap's end."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
            "fordblks", "keepcost",
        )
    )  # fmt: skip


@functools.cache
def _library() -> ctypes.CDLL | None:
    """The C library, where it is one whose heap is known here."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    try:
        library.mallinfo2.restype = _Heap
    except AttributeError:
        return None
    library.malloc.argtypes, library.malloc.restype = (ctypes.c_size_t,), ctypes.c_size_t
    library.free.argtypes, library.free.restype = (ctypes.c_size_t,), None
    library.sbrk.argtypes, library.sbrk.restype = (ctypes.c_ssize_t,), ctypes.c_size_t
    return library


def _untouched(text: str) -> Iterator[tuple[int, int]]:
    """The mappings of files in smaps that cannot be written and have nothing of our own."""
    place: tuple[int, int] | None = None
    for line in text.splitlines():
        mapping = _MAPPING.fullmatch(line)
        if mapping:
            start, end, modes, _ = mapping.groups()
            place = None if "w" in modes else (int(start, 16), int(end, 16))
        elif place and line.startswith("Anonymous:"):
            if line.split()[1] == "0":
                yield place
            place = None
