"""Whose the files of a real disk are, for a node that may not run as root.

One who may give files away does so. A plain user, or the root of a user namespace, cannot: then an
extended attribute of a file of his own says whose it is meant to be, and what is his is shown as
root's, as a user namespace would have it.
"""

import contextlib
import errno
import os
import stat
from typing import Final

ATTRIBUTE: Final = "user.kubemu.owner"
KEEP: Final = -1
"""Leaves a user or group as it is."""
_REFUSED: Final = (errno.EPERM, errno.EINVAL, errno.EOVERFLOW)


def of(path: str, found: os.stat_result) -> tuple[int, int]:
    """User and group of what is at a path, which is not followed."""
    mine = os.geteuid()
    if found.st_uid == mine and not stat.S_ISLNK(found.st_mode):
        with contextlib.suppress(OSError, ValueError, IndexError):
            told = os.getxattr(path, ATTRIBUTE, follow_symlinks=False).decode().split(":")
            return int(told[0]), int(told[1])
    return (
        0 if found.st_uid == mine else found.st_uid,
        0 if found.st_gid == os.getegid() else found.st_gid,
    )


def give(path: str, uid: int, gid: int) -> None:
    """Make what is at a path somebody's; it is not followed. Where the disk keeps no such thing it
    stays whose it is. OSError where it is not there.
    """
    if os.geteuid() == 0:
        try:
            os.chown(path, uid, gid, follow_symlinks=False)
        except OSError as refused:
            if refused.errno not in _REFUSED:
                raise
        else:
            return
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        return
    old = of(path, found)
    fresh = (old[0] if uid == KEEP else uid, old[1] if gid == KEEP else gid)
    if fresh != old:
        with contextlib.suppress(OSError):
            _note(path, stat.S_IMODE(found.st_mode), f"{fresh[0]}:{fresh[1]}".encode())


def _note(path: str, mode: int, text: bytes) -> None:
    if mode & 0o200:
        os.setxattr(path, ATTRIBUTE, text, follow_symlinks=False)
        return
    # Only what may be written takes attributes.
    os.chmod(path, mode | 0o200)  # noqa: PTH101
    try:
        os.setxattr(path, ATTRIBUTE, text, follow_symlinks=False)
    finally:
        os.chmod(path, mode)  # noqa: PTH101
