"""A container's files: a tree in memory, with other trees mounted in it. Pure.

Errors are `OSError` with the usual numbers, so that programs print the usual words. A path is
followed here, step by step, whatever the tree is made of: a symbolic link is resolved in the
container's own tree, and never leads out of it.
"""

import errno
import posixpath
from collections.abc import Callable
from typing import Final, NamedTuple

from cluster.runtime.vos.nodes import MAX_BYTES, File, Folder, Link, Node, Space, error

__all__ = ["MAX_BYTES", "File", "FileSystem", "Folder", "Link", "Node", "absolute", "error"]

_MAX_PATH: Final = 4096
_MAX_DEPTH: Final = 64
_MAX_LINKS: Final = 16
_COPIED: Final = 1 << 20
"""Bytes that are copied at a time."""


def absolute(path: str, cwd: str) -> str:
    """A path from the root, without `.`, `..` and double slashes."""
    joined = posixpath.normpath(posixpath.join(cwd or "/", path or "."))
    return "/" + joined.lstrip("/")


class _Mount(NamedTuple):
    """What stands at a mount point."""

    node: File | Folder
    readonly: bool


class _Place(NamedTuple):
    """Where something is: its true path, and whether it may be changed there."""

    path: str
    node: Node
    readonly: bool


class FileSystem:
    """Paths are absolute and normal (`absolute`)."""

    def __init__(self, now: Callable[[], float], limit: int = MAX_BYTES) -> None:
        self.space = Space(limit)
        self.root = Folder(self.space)
        self.readonly = False
        """Whether nothing outside mounts can be changed."""
        self._now = now
        self._mounts: dict[str, _Mount] = {}

    @property
    def used(self) -> int:
        """Bytes taken of its own room."""
        return self.space.used

    # ---- looking -----------------------------------------------------------------------------

    def find(self, path: str, *, follow: bool = True) -> Node:
        """What is at a path. OSError ENOENT, ENOTDIR, ELOOP."""
        return self._walk(path, follow=follow).node

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

    def true_path(self, path: str) -> str:
        """The path of what is there, without symbolic links. OSError."""
        return self._walk(path).path

    def writable(self, path: str) -> bool:
        """Whether what is there may be changed."""
        try:
            return not self._walk(path).readonly
        except OSError:
            return False

    def read(self, path: str) -> bytes:
        """A file's content. OSError EISDIR and the like."""
        found = self.find(path)
        if isinstance(found, File):
            return found.content()
        raise error(errno.EISDIR, path)

    def names(self, path: str) -> list[str]:
        """The names in a directory, sorted. OSError ENOTDIR."""
        place = self._walk(path)
        if not isinstance(place.node, Folder):
            raise error(errno.ENOTDIR, path)
        found = set(place.node.entries)
        base = place.path.rstrip("/") + "/"
        found.update(
            point[len(base) :]
            for point in self._mounts
            if point.startswith(base) and "/" not in point[len(base) :]
        )
        return sorted(found)

    # ---- changing ----------------------------------------------------------------------------

    def mount(self, path: str, node: File | Folder, *, readonly: bool = False) -> None:
        """Have `node` stand at a path from now on; mount points are made. OSError."""
        try:
            parent = self._made(posixpath.dirname(path))
        except OSError:
            parent = posixpath.dirname(path)  # it is shown all the same
        point = posixpath.join(parent, posixpath.basename(path))
        if point == "/":
            raise error(errno.EBUSY, path)
        self._mounts[point] = _Mount(node, readonly)

    def create(self, path: str, *, append: bool = False) -> File:
        """A file to write to, emptied unless `append`. OSError."""
        for _ in range(_MAX_LINKS):
            parent, folder, name = self._parent(path)
            place = self._entry(parent, folder, name)
            if place is None or not isinstance(place.node, Link):
                break
            path = absolute(place.node.target, parent.path)
        else:
            raise error(errno.ELOOP, path)
        if place is None:
            self._check(parent, path)
            return folder.make_file(name, self._now(), path)
        if not isinstance(place.node, File):
            raise error(errno.EISDIR, path)
        self._check(place, path)
        if not append:
            place.node.empty()
        return place.node

    def write(self, file: File, data: bytes, path: str = "") -> None:
        """Add to the end of a file. OSError ENOSPC."""
        file.append(data, self._now(), path)

    def put(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Make a file with this content. OSError."""
        file = self.create(path)
        self.write(file, data, path)
        file.mode = mode

    def show(self, path: str, content: Callable[[], bytes]) -> None:
        """Make a file whose content is made when it is read; and its directories."""
        self.make_folders(posixpath.dirname(path))
        self.create(path).virtual = content

    def change_mode(self, path: str, mode: int) -> None:
        """Set permissions. OSError."""
        place = self._walk(path)
        self._check(place, path)
        place.node.mode = mode

    def link(self, target: str, path: str) -> None:
        """Make a symbolic link. OSError."""
        folder, name = self._vacant(path)
        folder.make_link(name, target, self._now(), path)

    def make_folder(self, path: str) -> None:
        """Make one directory. OSError EEXIST, ENOENT."""
        if path == "/":
            raise error(errno.EEXIST, path)
        folder, name = self._vacant(path)
        folder.make_folder(name, self._now(), path)

    def make_folders(self, path: str) -> None:
        """Make a directory and all above it that are not there. OSError."""
        parts = [part for part in path.split("/") if part]
        for number in range(1, len(parts) + 1):
            place = "/" + "/".join(parts[:number])
            if not self.is_folder(place):
                self.make_folder(place)

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file, or with `recursive` whatever is there. OSError."""
        parent, folder, name = self._parent(path)
        place = self._entry(parent, folder, name)
        if place is None:
            raise error(errno.ENOENT, path)
        if isinstance(place.node, Folder) and not recursive:
            raise error(errno.EISDIR, path)
        self._check_unmounted(place.path, path)
        self._check(parent, path)
        folder.drop(name)

    def remove_folder(self, path: str) -> None:
        """Remove an empty directory. OSError ENOTEMPTY."""
        if self.names(path):
            raise error(errno.ENOTEMPTY, path)
        self.remove(path, recursive=True)

    def move(self, source: str, target: str) -> None:
        """Rename, or copy and remove where the target is on another file system. OSError."""
        came, old, name = self._parent(source)
        place = self._entry(came, old, name)
        if place is None:
            raise error(errno.ENOENT, source)
        if target == source:
            return
        if target.startswith(source.rstrip("/") + "/"):
            raise error(errno.EINVAL, source)
        went, new, other = self._parent(target)
        self._check(came, source)
        self._check(went, target)
        self._check_unmounted(place.path, source)
        there = self._entry(went, new, other)
        if there is not None:
            if isinstance(there.node, Folder):
                raise error(errno.EISDIR, target)
            self.remove(target)
        if not old.rename(name, new, other):
            self._copy(place.node, new, other, target)
            old.drop(name)

    # ------------------------------------------------------------------------------------------

    def _copy(self, node: Node, folder: Folder, name: str, path: str) -> None:
        if isinstance(node, Link):
            folder.make_link(name, node.target, self._now(), path)
        elif isinstance(node, File):
            made = folder.make_file(name, self._now(), path)
            place = 0
            while data := node.piece(place, _COPIED):
                made.append(data, self._now(), path)
                place += len(data)
            made.mode = node.mode
        else:
            inside = folder.make_folder(name, self._now(), path)
            inside.mode = node.mode
            for each in sorted(node.entries):
                self._copy(node.entries[each], inside, each, path)

    def _walk(self, path: str, *, follow: bool = True) -> _Place:
        """Follow a path from the root, and the links on its way."""
        links = 0
        while True:
            if len(path) > _MAX_PATH:
                raise error(errno.ENAMETOOLONG, path)
            place = _Place("/", self.root, self.readonly)
            parts = [part for part in path.split("/") if part]
            for number, part in enumerate(parts):
                if not isinstance(place.node, Folder):
                    raise error(errno.ENOTDIR, path)
                step = self._entry(place, place.node, part)
                if step is None:
                    raise error(errno.ENOENT, path)
                if isinstance(step.node, Link) and (follow or number < len(parts) - 1):
                    links += 1
                    if links > _MAX_LINKS:
                        raise error(errno.ELOOP, path)
                    rest = "/".join(parts[number + 1 :])
                    target = posixpath.join(step.node.target, rest) if rest else step.node.target
                    path = absolute(target, place.path)
                    break
                place = step
            else:
                return place

    def _entry(self, parent: _Place, folder: Folder, name: str) -> _Place | None:
        """What stands at a name in a directory: what is mounted there, or what is in it."""
        path = f"{parent.path}/{name}" if parent.path != "/" else f"/{name}"
        if self._mounts:
            mounted = self._mounts.get(path)
            if mounted is not None:
                return _Place(path, mounted.node, mounted.readonly)
            found = folder.entries.get(name)
            if found is None:
                return self._on_the_way(path)
            return _Place(path, found, parent.readonly)
        found = folder.entries.get(name)
        return None if found is None else _Place(path, found, parent.readonly)

    def _on_the_way(self, path: str) -> _Place | None:
        """A directory that leads to a mount point where no entry could be made for it."""
        if any(point.startswith(path + "/") for point in self._mounts):
            return _Place(path, Folder(Space(0)), readonly=True)
        return None

    def _parent(self, path: str) -> tuple[_Place, Folder, str]:
        head, name = posixpath.split(path)
        if not name:
            raise error(errno.EISDIR, path)
        if head.count("/") > _MAX_DEPTH or len(name) > 255:
            raise error(errno.ENAMETOOLONG, path)
        place = self._walk(head)
        if not isinstance(place.node, Folder):
            raise error(errno.ENOTDIR, path)
        return place, place.node, name

    def _vacant(self, path: str) -> tuple[Folder, str]:
        parent, folder, name = self._parent(path)
        if self._entry(parent, folder, name) is not None:
            raise error(errno.EEXIST, path)
        self._check(parent, path)
        return folder, name

    def _made(self, path: str) -> str:
        """The true path of a directory, which is made where it is missing. OSError."""
        self.make_folders(path)
        return self.true_path(path)

    @staticmethod
    def _check(place: _Place, path: str) -> None:
        if place.readonly:
            raise error(errno.EROFS, path)

    def _check_unmounted(self, true_path: str, path: str) -> None:
        if self._mounts and any(
            point == true_path or point.startswith(true_path + "/") for point in self._mounts
        ):
            raise error(errno.EBUSY, path)
