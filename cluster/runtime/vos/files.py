"""A container's files, in memory: a tree with a bound on its bytes and entries. Pure.

Errors are `OSError` with the usual numbers, so that programs print the usual words.
"""

import errno
import os
import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

MAX_BYTES: Final = 16 << 20
_ENTRY_BYTES: Final = 256
_MAX_PATH: Final = 4096
_MAX_DEPTH: Final = 64


@dataclass(slots=True, eq=False)
class File:
    """A regular file. `virtual` makes its content at each reading (as /proc does)."""

    data: bytearray
    mode: int = 0o644
    mtime: float = 0.0
    virtual: Callable[[], bytes] | None = None


@dataclass(slots=True, eq=False)
class Folder:
    """A directory."""

    entries: dict[str, "Node"] = field(default_factory=dict)
    mode: int = 0o755
    mtime: float = 0.0


@dataclass(slots=True, eq=False)
class Link:
    """A symbolic link."""

    target: str
    mode: int = 0o777
    mtime: float = 0.0


Node = File | Folder | Link


def error(number: int, path: str = "") -> OSError:
    """The OSError of an error number."""
    return OSError(number, os.strerror(number), path)


def absolute(path: str, cwd: str) -> str:
    """A path from the root, without `.`, `..` and double slashes."""
    joined = posixpath.normpath(posixpath.join(cwd or "/", path or "."))
    return "/" + joined.lstrip("/")


class FileSystem:
    """Paths are absolute and normal (`absolute`)."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.root = Folder()
        self.used = 0
        self._now = now

    # ---- looking -----------------------------------------------------------------------------

    def find(self, path: str, *, follow: bool = True) -> Node:
        """What is at a path. OSError ENOENT, ENOTDIR, ELOOP."""
        return self._walk(path, follow, [0])

    def exists(self, path: str) -> bool:
        """Whether something is at a path."""
        try:
            self.find(path)
        except OSError:
            return False
        return True

    def is_folder(self, path: str) -> bool:
        """Whether a directory is there."""
        try:
            return isinstance(self.find(path), Folder)
        except OSError:
            return False

    def read(self, path: str) -> bytes:
        """A file's content. OSError EISDIR and the like."""
        found = self.find(path)
        if isinstance(found, File):
            return found.virtual() if found.virtual else bytes(found.data)
        raise error(errno.EISDIR, path)

    def names(self, path: str) -> list[str]:
        """The names in a directory, sorted. OSError ENOTDIR."""
        found = self.find(path)
        if not isinstance(found, Folder):
            raise error(errno.ENOTDIR, path)
        return sorted(found.entries)

    # ---- changing ----------------------------------------------------------------------------

    def create(self, path: str, *, append: bool = False) -> File:
        """A file to write to, emptied unless `append`. OSError."""
        folder, name = self._place(path)
        found = folder.entries.get(name)
        if isinstance(found, Link):
            target = absolute(found.target, posixpath.dirname(path))
            if target == path:
                raise error(errno.ELOOP, path)
            return self.create(target, append=append)
        if isinstance(found, Folder):
            raise error(errno.EISDIR, path)
        if found is None:
            self._charge(_ENTRY_BYTES + len(name), path)
            found = folder.entries[name] = File(bytearray(), mtime=self._now())
        elif not append:
            self.used -= len(found.data)
            found.data = bytearray()
        return found

    def write(self, file: File, data: bytes, path: str = "") -> None:
        """Add to the end of a file. OSError ENOSPC."""
        self._charge(len(data), path)
        file.data += data
        file.mtime = self._now()

    def put(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Make a file with this content. OSError."""
        file = self.create(path)
        self.write(file, data, path)
        file.mode = mode

    def show(self, path: str, content: Callable[[], bytes]) -> None:
        """Make a file whose content is made when it is read; and its directories."""
        self.make_folders(posixpath.dirname(path))
        self.create(path).virtual = content

    def link(self, target: str, path: str) -> None:
        """Make a symbolic link. OSError."""
        folder, name = self._place(path)
        if name in folder.entries:
            raise error(errno.EEXIST, path)
        self._charge(_ENTRY_BYTES + len(name) + len(target), path)
        folder.entries[name] = Link(target, mtime=self._now())

    def make_folder(self, path: str) -> None:
        """Make one directory. OSError EEXIST, ENOENT."""
        if path == "/":
            raise error(errno.EEXIST, path)
        folder, name = self._place(path)
        if name in folder.entries:
            raise error(errno.EEXIST, path)
        self._charge(_ENTRY_BYTES + len(name), path)
        folder.entries[name] = Folder(mtime=self._now())

    def make_folders(self, path: str) -> None:
        """Make a directory and all above it that are not there. OSError."""
        parts = [part for part in path.split("/") if part]
        for number in range(1, len(parts) + 1):
            place = "/" + "/".join(parts[:number])
            if not self.is_folder(place):
                self.make_folder(place)

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file, or with `recursive` whatever is there. OSError."""
        folder, name = self._place(path)
        found = folder.entries.get(name)
        if found is None:
            raise error(errno.ENOENT, path)
        if isinstance(found, Folder) and not recursive:
            raise error(errno.EISDIR, path)
        self.used -= _weight(found) + len(name)
        del folder.entries[name]

    def remove_folder(self, path: str) -> None:
        """Remove an empty directory. OSError ENOTEMPTY."""
        if self.names(path):
            raise error(errno.ENOTEMPTY, path)
        self.remove(path, recursive=True)

    def move(self, source: str, target: str) -> None:
        """Rename. OSError."""
        old, name = self._place(source)
        found = old.entries.get(name)
        if found is None:
            raise error(errno.ENOENT, source)
        if target == source:
            return
        if target.startswith(source.rstrip("/") + "/"):
            raise error(errno.EINVAL, source)
        new, other = self._place(target)
        if isinstance(new.entries.get(other), Folder):
            raise error(errno.EISDIR, target)
        if other in new.entries:
            self.remove(target)
        del old.entries[name]
        new.entries[other] = found

    # ------------------------------------------------------------------------------------------

    def _walk(self, path: str, follow: bool, links: list[int]) -> Node:
        if len(path) > _MAX_PATH:
            raise error(errno.ENAMETOOLONG, path)
        here: Node = self.root
        parts = [part for part in path.split("/") if part]
        for number, part in enumerate(parts):
            if not isinstance(here, Folder):
                raise error(errno.ENOTDIR, path)
            if part not in here.entries:
                raise error(errno.ENOENT, path)
            here = here.entries[part]
            last = number == len(parts) - 1
            if isinstance(here, Link) and (follow or not last):
                links[0] += 1
                if links[0] > 8:
                    raise error(errno.ELOOP, path)
                base = "/" + "/".join(parts[:number])
                here = self._walk(absolute(here.target, base), True, links)
        return here

    def _place(self, path: str) -> tuple[Folder, str]:
        head, name = posixpath.split(path)
        if not name:
            raise error(errno.EISDIR, path)
        if head.count("/") > _MAX_DEPTH or len(name) > 255:
            raise error(errno.ENAMETOOLONG, path)
        folder = self.find(head)
        if not isinstance(folder, Folder):
            raise error(errno.ENOTDIR, path)
        return folder, name

    def _charge(self, size: int, path: str) -> None:
        if self.used + size > MAX_BYTES:
            raise error(errno.ENOSPC, path)
        self.used += size


def _weight(node: Node) -> int:
    if isinstance(node, File):
        return _ENTRY_BYTES + len(node.data)
    if isinstance(node, Link):
        return _ENTRY_BYTES + len(node.target)
    return _ENTRY_BYTES + sum(_weight(one) + len(name) for name, one in node.entries.items())
