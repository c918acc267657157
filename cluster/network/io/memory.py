"""How the C library keeps memory that is free."""

import ctypes
import functools

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGE = 2 << 20


@functools.cache
def keep_for_long_frames() -> bool:
    """Have memory of long frames used again, not given back to the kernel and asked for anew.

    glibc gives free memory at the end of the heap back when it is 128 KB, and fresh memory costs a
    fault a page: a third of the time of carrying frames of 64 KB. These are the limits that glibc
    comes to by itself once somebody has freed 2 MB at once. False where this is not glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGE) and mallopt(_TRIM_THRESHOLD, 2 * _LARGE))
