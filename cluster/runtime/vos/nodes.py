"""What a tree of files is made of, in memory: files, directories, symbolic links. Pure.

A directory makes its own entries, so that one that is somewhere else (`disknodes`) can be hung into
the same tree. Errors are `OSError` with the usual numbers, so that programs print the usual words.
"""

import errno
import os
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Final

from cluster.runtime.vos.spool import SPILL, Spool, Spooled

MAX_BYTES: Final = 16 << 20
MAX_CONTENT: Final = 256 << 20
"""Bytes of the largest file whose whole content is handed out at once."""
ENTRY_BYTES: Final = 256
FOLDER_BYTES: Final = 4096


def error(number: int, path: str = "") -> OSError:
    """The OSError of an error number."""
    return OSError(number, os.strerror(number), path)


@dataclass(slots=True, eq=False)
class Space:
    """Room that files share, in bytes: a file system."""

    limit: int = MAX_BYTES
    used: int = 0
    inodes: int = 0
    """How many of its nodes have been asked for their numbers."""
    spool: Spool | None = None
    """Where large files are kept, and what is over the limit; None: nowhere."""

    def charge(self, size: int, path: str) -> None:
        """Take room. OSError ENOSPC."""
        if self.used + size > self.limit:
            raise error(errno.ENOSPC, path)
        self.used += size

    def release(self, size: int) -> None:
        """Give room back."""
        self.used -= size


@dataclass(slots=True, eq=False)
class File:
    """A regular file. `virtual` makes its content at each reading (as /proc does)."""

    space: Space
    data: bytearray
    mode: int = 0o644
    mtime: float = 0.0
    virtual: Callable[[], bytes] | None = None
    spooled: Spooled | None = None
    """Where its content is, once it is too large for memory; `data` is empty then."""
    uid: int = 0
    gid: int = 0
    inode: int = 0
    """0 until somebody asked (`FileSystem.inode`)."""
    links: int = 1
    """Its names."""

    def own(self, uid: int, gid: int) -> None:
        """Make it somebody's. OSError."""
        self.uid, self.gid = uid, gid

    @property
    def size(self) -> int:
        """Bytes in it, as `ls` shows them."""
        return len(self.data) if self.spooled is None else self.spooled.size

    def content(self) -> bytes:
        """All of it. OSError EFBIG for what is too large to be held."""
        if self.virtual:
            return self.virtual()
        if self.size > MAX_CONTENT:
            raise error(errno.EFBIG)
        return bytes(self.data) if self.spooled is None else self.spooled.read(0, MAX_CONTENT)

    def piece(self, offset: int, size: int) -> bytes:
        """Bytes from a place; b"" after its end. OSError."""
        if self.spooled is not None:
            return self.spooled.read(offset, size)
        whole = self.virtual() if self.virtual else self.data
        return bytes(whole[offset : offset + size])

    def append(self, data: bytes, now: float, path: str = "") -> None:
        """Add to its end. OSError ENOSPC."""
        space = self.space
        if self.spooled is not None:
            self.spooled.append(data)
        elif space.spool is not None and (
            len(self.data) + len(data) > SPILL or space.used + len(data) > space.limit
        ):
            self.spooled = space.spool.file(bytes(self.data) + data)
            space.release(len(self.data))
            self.data = bytearray()
        else:
            space.charge(len(data), path)
            self.data += data
        self.mtime = now

    def empty(self) -> None:
        """Let go of what is in it. OSError."""
        self.space.release(len(self.data))
        self.data = bytearray()
        if self.spooled is not None:
            self.spooled.remove()
            self.spooled = None


@dataclass(slots=True, eq=False)
class Link:
    """A symbolic link."""

    target: str
    mode: int = 0o777
    mtime: float = 0.0
    uid: int = 0
    gid: int = 0
    inode: int = 0
    links: int = 1
    """Its names."""

    @property
    def size(self) -> int:
        """As `ls` shows it: the length of where it leads."""
        return len(self.target.encode("utf-8", "surrogateescape"))

    def own(self, uid: int, gid: int) -> None:
        """Make it somebody's."""
        self.uid, self.gid = uid, gid


@dataclass(slots=True, eq=False)
class Folder:
    """A directory. What is put in it takes room of its space."""

    space: Space
    entries: MutableMapping[str, "Node"] = field(default_factory=dict)
    mode: int = 0o755
    mtime: float = 0.0
    uid: int = 0
    gid: int = 0
    inode: int = 0

    def own(self, uid: int, gid: int) -> None:
        """Make it somebody's. OSError."""
        self.uid, self.gid = uid, gid

    @property
    def size(self) -> int:
        """As `ls` shows it: a block."""
        return FOLDER_BYTES

    @property
    def links(self) -> int:
        """Its names: its own, `.`, and `..` of each directory in it."""
        if not isinstance(self.entries, dict):
            return 2
        return 2 + sum(isinstance(one, Folder) for one in self.entries.values())

    def make_file(self, name: str, now: float, path: str = "") -> File:
        """An empty file in it. OSError."""
        self.space.charge(ENTRY_BYTES + len(name), path)
        made = self.entries[name] = File(self.space, bytearray(), mtime=now)
        return made

    def make_folder(self, name: str, now: float, path: str = "") -> "Folder":
        """An empty directory in it. OSError."""
        self.space.charge(ENTRY_BYTES + len(name), path)
        made = self.entries[name] = Folder(self.space, mtime=now)
        return made

    def make_link(self, name: str, target: str, now: float, path: str = "") -> "Link":
        """A symbolic link in it. OSError."""
        self.space.charge(ENTRY_BYTES + len(name) + len(target), path)
        made = self.entries[name] = Link(target, mtime=now)
        return made

    def drop(self, name: str) -> None:
        """Remove an entry and all below it. OSError."""
        found = self.entries.pop(name)
        self.space.release(_gone(found, self.space) + len(name))

    def rename(self, name: str, target: "Folder", new: str) -> bool:
        """Move an entry to a directory of the same file system, where none is of the `new` name;
        False where it is another, and nothing was done. OSError.
        """
        if target.space is not self.space:
            return False
        target.entries[new] = self.entries.pop(name)
        self.space.used += len(new) - len(name)
        return True

    def share(self, name: str, target: "Folder", new: str, path: str = "") -> bool:
        """Give what has a name here, and is no directory, another one in a directory of the same
        file system; False where it is another, and nothing was done. OSError.
        """
        found = self.entries[name]
        if target.space is not self.space or isinstance(found, Folder):
            return False
        self.space.charge(ENTRY_BYTES + len(new), path)
        target.entries[new] = found
        found.links += 1
        return True


Node = File | Folder | Link


def _gone(node: Node, space: Space) -> int:
    """A name of what is here has gone, and all below it; how much of the room of `space` is free
    for it. What has a space of its own took none.
    """
    if isinstance(node, Folder):
        if node.space is not space and space.spool is None:
            return ENTRY_BYTES
        below = sum(_gone(one, space) + len(name) for name, one in node.entries.items())
        return ENTRY_BYTES + (below if node.space is space else 0)
    node.links -= 1
    if node.links:
        return ENTRY_BYTES
    if isinstance(node, Link):
        return ENTRY_BYTES + len(node.target)
    if node.spooled is not None:
        node.empty()
    return ENTRY_BYTES + (len(node.data) if node.space is space else 0)
