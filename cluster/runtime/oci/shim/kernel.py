"""System calls that Python (3.11) has no function for. OSError where one fails."""

import ctypes
import os
from typing import Final

NEWNS: Final = 0x00020000
NEWUSER: Final = 0x10000000
NEWNET: Final = 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE = 4096, 16384, 1 << 18, 1 << 19
_DETACH: Final = 2
_SUBREAPER: Final = 36
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p,
)  # fmt: skip


def _checked(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    said = options.encode() or None
    _checked(
        _libc.mount(source.encode(), os.fsencode(target), kind.encode() or None, flags, said),
        target,
    )


def unmount(target: str) -> None:
    """Take a mount away now, and let it end when nobody uses it any more. umount2(2)."""
    _checked(_libc.umount2(os.fsencode(target), _DETACH), target)


def unshare(flags: int) -> None:
    """Have namespaces of one's own. unshare(2)."""
    _checked(_libc.unshare(flags), "unshare")


def enter(path: str) -> None:
    """Join a namespace. setns(2)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(_libc.setns(descriptor, 0), path)
    finally:
        os.close(descriptor)


def become_subreaper() -> None:
    """Be the parent of what one's children leave behind. prctl(2)."""
    _checked(_libc.prctl(_SUBREAPER, 1, 0, 0, 0), "prctl")
