"""A container's files: a tree in memory, with other trees mounted in it. Pure.

Errors are `OSError` with the usual numbers, so that programs print the usual words. A path is
followed here, step by step, whatever the tree is made of: a symbolic link is resolved in the
container's own tree, and never leads out of it.
"""

import copy
import errno
import posixpath
from collections.abc import Callable
from typing import Final, NamedTuple

from cluster.runtime.vos import copying, credentials, mounts
from cluster.runtime.vos.credentials import READ, SEARCH, SETGID, STICKY, WRITE, Credentials
from cluster.runtime.vos.mounts import Mount, Mounted
from cluster.runtime.vos.nodes import MAX_BYTES, File, Folder, Link, Node, Space, error

__all__ = ["MAX_BYTES", "File", "FileSystem", "Folder", "Link", "Node", "absolute", "error"]

_MAX_PATH: Final = 4096
_MAX_DEPTH: Final = 64
_MAX_LINKS: Final = 16


def absolute(path: str, cwd: str) -> str:
    """A path from the root, without `.`, `..` and double slashes."""
    joined = posixpath.normpath(posixpath.join(cwd or "/", path or "."))
    return "/" + joined.lstrip("/")


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
        self.who = credentials.ROOT
        """Who looks and works."""
        self._now = now
        self._mounts = mounts.Mounts()

    @property
    def used(self) -> int:
        """Bytes taken of its own room."""
        return self.space.used

    def seen_by(self, who: Credentials) -> "FileSystem":
        """The same files, for somebody: what modes refuse him fails, what he makes is his."""
        if who is self.who:
            return self
        view = copy.copy(self)
        view.who = who
        return view

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

    def inode(self, node: Node) -> int:
        """The number of a node: given to it when somebody first asks, and kept."""
        if not node.inode:
            self.space.inodes += 1
            node.inode = self.space.inodes
        return node.inode

    def is_folder(self, path: str) -> bool:
        """Whether a directory is there."""
        try:
            return isinstance(self.find(path), Folder)
        except OSError:
            return False

    def is_link(self, path: str) -> bool:
        """Whether a symbolic link is there, wherever it leads."""
        try:
            return isinstance(self.find(path, follow=False), Link)
        except OSError:
            return False

    def true_path(self, path: str) -> str:
        """The path of what is there, without symbolic links. OSError."""
        return self._walk(path).path

    def writable(self, path: str) -> bool:
        """Whether what is there may be changed."""
        try:
            place = self._walk(path)
        except OSError:
            return False
        return not place.readonly and self.who.may(place.node, WRITE)

    def allows(self, path: str, bits: int) -> bool:
        """Whether what is there may be read (4), written (2), executed or searched (1)."""
        try:
            place = self._walk(path)
        except OSError:
            return False
        if bits & WRITE and place.readonly:
            return False
        if bits & SEARCH and isinstance(place.node, File) and not place.node.mode & 0o111:
            return False
        return self.who.may(place.node, bits)

    def open(self, path: str) -> Node:
        """What is at a path, to be read. OSError EACCES and the like."""
        found = self.find(path)
        if not self.who.may(found, READ):
            raise error(errno.EACCES, path)
        return found

    def read(self, path: str) -> bytes:
        """A file's content. OSError EISDIR, EACCES and the like."""
        found = self.open(path)
        if isinstance(found, File):
            return found.content()
        raise error(errno.EISDIR, path)

    def names(self, path: str) -> list[str]:
        """The names in a directory, sorted. OSError ENOTDIR."""
        place = self._walk(path)
        if not isinstance(place.node, Folder):
            raise error(errno.ENOTDIR, path)
        if not self.who.may(place.node, READ):
            raise error(errno.EACCES, path)
        found = set(place.node.entries)
        found.update(self._mounts.names(place.path))
        return sorted(found)

    # ---- changing ----------------------------------------------------------------------------

    def mounted(self) -> list[Mounted]:
        """What is mounted, the root first."""
        root = Mounted("/", self.root, "overlay", "overlay", mounts.options(self.readonly))
        return [root, *self._mounts.rows()]

    def mount(
        self,
        path: str,
        node: File | Folder,
        *,
        readonly: bool = False,
        kind: str = "ext4",
        source: str = "/dev/vda1",
        size: int = 0,
    ) -> None:
        """Have `node` stand at a path from now on; mount points are made. `kind`, `source` and
        `size` (bytes) are what /proc/mounts tells of it. OSError.
        """
        try:
            parent = self._made(posixpath.dirname(path))
        except OSError:
            parent = posixpath.dirname(path)  # it is shown all the same
        point = posixpath.join(parent, posixpath.basename(path))
        if point == "/":
            raise error(errno.EBUSY, path)
        self._mounts[point] = Mount(node, readonly, kind, source, size)

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
            made = folder.make_file(name, self._now(), path)
            self._belongs(made, folder, 0o666)
            return made
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
        if self.who.owns(file):
            file.mode = mode

    def show(self, path: str, content: Callable[[], bytes]) -> None:
        """Make a file whose content is made when it is read; and its directories."""
        self.make_folders(posixpath.dirname(path))
        self.create(path).virtual = content

    def change_mode(self, path: str, mode: int) -> None:
        """Set permissions. OSError EPERM, EROFS."""
        node = self._changeable(path).node
        if not self.who.owns(node):
            raise error(errno.EPERM, path)
        if not (self.who.root or self.who.belongs(node.gid)):
            mode &= ~SETGID
        node.mode = mode

    def change_owner(self, path: str, uid: int, gid: int, *, follow: bool = True) -> None:
        """Give what is there to a user and group; -1 leaves the one there. OSError EPERM, EROFS."""
        node = self._changeable(path, follow=follow).node
        uid, gid = node.uid if uid < 0 else uid, node.gid if gid < 0 else gid
        mine = self.who.owns(node) and uid == node.uid
        if not (self.who.root or (mine and (gid == node.gid or self.who.belongs(gid)))):
            raise error(errno.EPERM, path)
        node.own(uid, gid)
        if isinstance(node, File) and node.mode & 0o6000:
            node.mode &= ~0o6000 if node.mode & 0o010 else ~0o4000

    def change_time(self, path: str, mtime: float, *, follow: bool = True) -> None:
        """Set when it was changed (Unix seconds). OSError EPERM, EROFS."""
        node = self._changeable(path, follow=follow).node
        if not self.who.owns(node):
            raise error(errno.EPERM, path)
        node.mtime = mtime

    def link(self, target: str, path: str) -> None:
        """Make a symbolic link. OSError."""
        folder, name = self._vacant(path)
        self._belongs(folder.make_link(name, target, self._now(), path), folder, None)

    def share(self, source: str, path: str) -> None:
        """Give a file another name (a hard link). OSError EXDEV, and EPERM for a directory."""
        came, old, name = self._parent(source)
        place = self._entry(came, old, name)
        if place is None:
            raise error(errno.ENOENT, source)
        if isinstance(place.node, Folder):
            raise error(errno.EPERM, source)
        folder, other = self._vacant(path)
        if place.path in self._mounts or not old.share(name, folder, other, path):
            raise error(errno.EXDEV, path)

    def make_folder(self, path: str) -> None:
        """Make one directory. OSError EEXIST, ENOENT."""
        if path == "/":
            raise error(errno.EEXIST, path)
        folder, name = self._vacant(path)
        self._belongs(folder.make_folder(name, self._now(), path), folder, 0o777)

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
        self._check_sticky(folder, place.node, path)
        if not self.who.root:
            self._check_below(place.node, path)
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
        self._check_sticky(old, place.node, source)
        there = self._entry(went, new, other)
        if there is not None:
            if isinstance(there.node, Folder):
                raise error(errno.EISDIR, target)
            self.remove(target)
        if not old.rename(name, new, other):
            copying.into(new, other, place.node, who=self.who, now=self._now(), path=target)
            old.drop(name)

    # ------------------------------------------------------------------------------------------

    def _walk(self, path: str, *, follow: bool = True) -> _Place:
        """Follow a path from the root, and the links on its way."""
        links, asked = 0, path
        while True:
            if len(path) > _MAX_PATH:
                raise error(errno.ENAMETOOLONG, asked)
            place = _Place("/", self.root, self.readonly)
            parts = [part for part in path.split("/") if part]
            who = self.who
            for number, part in enumerate(parts):
                if not isinstance(place.node, Folder):
                    raise error(errno.ENOTDIR, asked)
                if who.uid and not who.may(place.node, SEARCH):
                    raise error(errno.EACCES, asked)
                step = self._entry(place, place.node, part)
                if step is None:
                    raise error(errno.ENOENT, asked)
                if isinstance(step.node, Link) and (follow or number < len(parts) - 1):
                    links += 1
                    if links > _MAX_LINKS:
                        raise error(errno.ELOOP, asked)
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
        if self._mounts.below(path):
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

    def _check(self, place: _Place, path: str) -> None:
        if place.readonly:
            raise error(errno.EROFS, path)
        bits = WRITE | SEARCH if isinstance(place.node, Folder) else WRITE
        if self.who.uid and not self.who.may(place.node, bits):
            raise error(errno.EACCES, path)

    def _changeable(self, path: str, *, follow: bool = True) -> _Place:
        """What is at a path, where it is not read-only; its owner may change it. OSError."""
        place = self._walk(path, follow=follow)
        if place.readonly:
            raise error(errno.EROFS, path)
        return place

    def _check_sticky(self, folder: Folder, node: Node, path: str) -> None:
        """In a directory like /tmp only owners remove. OSError EPERM."""
        if folder.mode & STICKY and not (self.who.owns(node) or self.who.owns(folder)):
            raise error(errno.EPERM, path)

    def _check_below(self, node: Node, path: str) -> None:
        """Whether a directory may be removed with all in it. OSError EACCES, EPERM."""
        if not isinstance(node, Folder) or not node.entries:
            return
        if not self.who.may(node, READ | WRITE | SEARCH):
            raise error(errno.EACCES, path)
        for name in sorted(node.entries):
            inside = node.entries[name]
            self._check_sticky(node, inside, f"{path}/{name}")
            self._check_below(inside, f"{path}/{name}")

    def _belongs(self, made: Node, folder: Folder, mode: int | None) -> None:
        """What was just made is its maker's, or of the group of a directory that says so."""
        who = self.who
        gid = folder.gid if folder.mode & SETGID else who.gid
        if (made.uid, made.gid) != (who.uid, gid):
            made.own(who.uid, gid)
        if mode is None:
            return
        mode &= ~who.umask
        if isinstance(made, Folder) and folder.mode & SETGID:
            mode |= SETGID
        if made.mode != mode:
            made.mode = mode

    def _check_unmounted(self, true_path: str, path: str) -> None:
        if true_path in self._mounts or self._mounts.below(true_path):
            raise error(errno.EBUSY, path)
