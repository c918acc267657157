"""How the C library keeps memory that is free."""

import functools

_BURST = 2 << 20
"""Bytes of the frames of a window, as they are cut."""


@functools.cache
def keep_for_long_frames() -> None:
    """Have glibc keep what a burst of long frames needs, not give it back and have it anew.

    It gives the heap's free end back to the system past 128 KB, and has it again page by page: two
    page faults for three packets of a bulk sender, a third of its time. Once it has freed a block
    that was mapped by itself it keeps twice as much as that (mallopt(3), M_MMAP_THRESHOLD). The
    block is never touched, and so costs nothing. Elsewhere it does nothing.
    """
    bytes(_BURST)
