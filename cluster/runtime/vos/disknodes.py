"""Directories and files of the real disk, as nodes of a container's tree.

Nothing here follows a symbolic link: each directory on the way is opened by itself and refuses to
be one, so what containers or others put into a volume never leads out of it. Links are nodes, which
the tree resolves in the container's own root. What is neither file, directory nor link (devices,
sockets, pipes) is shown, and can be neither read nor written.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Final
from weakref import WeakValueDictionary

from cluster.api import fileowners
from cluster.runtime.vos.nodes import File, Folder, Link, Node, Space, error

MAX_FILE: Final = 256 << 20
"""Bytes of the largest file that is read or written: its content passes through memory."""
_MAX_ENTRIES: Final = 100_000
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_INSIDE: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Room(Space):
    """Room that the files of a directory of the disk share, as those of a tmpfs do."""

    __slots__ = ("__weakref__",)


class Rooms:
    """The directories of the disk that are not to grow beyond a size: volumes in memory. Containers
    that mount the same one share its room.
    """

    def __init__(self) -> None:
        self._open: WeakValueDictionary[str, Room] = WeakValueDictionary()

    def at(self, path: str, limits: Mapping[str, int]) -> "DiskFolder | DiskFile":
        """See `at`; `limits`: bytes that directories may hold, 0 for any number."""
        for root, limit in limits.items():
            if limit and (path == root or path.startswith(root + "/")):
                room = self._open.get(root)
                if room is None:
                    room = self._open[root] = Room(limit, _held(root))
                return at(path, room)
        return at(path)


def _held(root: str) -> int:
    """Bytes in the files below a directory."""
    total = seen = 0
    for folder, _, files in os.walk(root):
        for name in files:
            seen += 1
            if seen > _MAX_ENTRIES:
                return total
            with contextlib.suppress(OSError):
                found = os.lstat(os.path.join(folder, name))  # noqa: PTH118 (as all here)
                total += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return total


class Directory:
    """A directory of the disk: `root`, which is trusted, and the way from there."""

    def __init__(self, root: str, way: tuple[str, ...] = ()) -> None:
        self._root = root
        self._way = way

    def at(self, name: str) -> "Directory":
        """A directory in it."""
        return Directory(self._root, (*self._way, name))

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """A descriptor of it. OSError."""
        here = os.open(self._root, _FOLDER)
        try:
            for name in self._way:
                there = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
                os.close(here)
                here = there
            yield here
        finally:
            os.close(here)


def _within(folder: int, name: str) -> str:
    """A path of an entry of an opened directory: attributes take no such pair."""
    return f"/proc/self/fd/{folder}/{name}"


class DiskLink(Link):
    """A symbolic link of the disk."""

    __slots__ = ("_folder", "_name", "_ready")

    def __init__(
        self, folder: Directory, name: str, target: str, found: os.stat_result, who: tuple[int, int]
    ) -> None:
        super().__init__(target, mtime=found.st_mtime, uid=who[0], gid=who[1], inode=found.st_ino)
        self._folder = folder
        self._name = name
        self._ready = True

    def __setattr__(self, name: str, value: object) -> None:
        if name == "mtime" and getattr(self, "_ready", False):
            times = (float(str(value)), float(str(value)))
            with self._folder.opened() as folder:
                os.utime(self._name, times, dir_fd=folder, follow_symlinks=False)
        super().__setattr__(name, value)

    def own(self, uid: int, gid: int) -> None:
        """See `Link`."""
        with self._folder.opened() as folder:
            fileowners.give(_within(folder, self._name), uid, gid)
        self.uid, self.gid = uid, gid


class DiskFile(File):
    """A file of the disk. `data` is not used."""

    def __init__(
        self,
        space: Space,
        folder: Directory,
        name: str,
        found: os.stat_result,
        who: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__(
            space, bytearray(), stat.S_IMODE(found.st_mode), found.st_mtime,
            uid=who[0], gid=who[1], inode=found.st_ino, links=found.st_nlink,
        )  # fmt: skip
        self._folder = folder
        self._name = name
        self._size = found.st_size
        self._ready = True

    __slots__ = ("_folder", "_name", "_ready", "_size")

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("mode", "mtime") and getattr(self, "_ready", False):
            self._set(name, value)
        super().__setattr__(name, value)

    @property
    def size(self) -> int:
        """Bytes in it."""
        return self._size

    def content(self) -> bytes:
        """All of it. OSError EFBIG, EINVAL."""
        with self._open(os.O_RDONLY) as file:
            size = os.fstat(file).st_size
            if size > MAX_FILE:
                raise error(errno.EFBIG, self._name)
            pieces = []
            left = MAX_FILE
            while left > 0 and (piece := os.read(file, min(left, 1 << 20))):
                pieces.append(piece)
                left -= len(piece)
            return b"".join(pieces)

    def piece(self, offset: int, size: int) -> bytes:
        """Bytes from a place; b"" after its end. OSError."""
        with self._open(os.O_RDONLY) as file:
            return os.pread(file, size, offset)

    def append(self, data: bytes, now: float, path: str = "") -> None:
        """Add to its end. OSError ENOSPC, EFBIG."""
        with self._open(os.O_WRONLY | os.O_APPEND) as file:
            if os.fstat(file).st_size + len(data) > MAX_FILE:
                raise error(errno.EFBIG, path)
            if self.space.limit:
                self.space.charge(len(data), path)
            left = memoryview(data)
            try:
                while left:
                    left = left[os.write(file, left) :]
            finally:
                _release(self.space, len(left))
            self._size = os.fstat(file).st_size

    def empty(self) -> None:
        """Let go of what is in it. OSError."""
        with self._open(os.O_WRONLY) as file:
            size = os.fstat(file).st_size
            os.ftruncate(file, 0)
        _release(self.space, size)
        self._size = 0

    def own(self, uid: int, gid: int) -> None:
        """See `File`."""
        with self._folder.opened() as folder:
            fileowners.give(_within(folder, self._name), uid, gid)
        self.uid, self.gid = uid, gid

    @contextlib.contextmanager
    def _open(self, how: int) -> Iterator[int]:
        with self._folder.opened() as folder:
            file = os.open(self._name, how | _INSIDE, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise error(errno.EINVAL, self._name)
            yield file
        finally:
            os.close(file)

    def _set(self, name: str, value: object) -> None:
        with self._open(os.O_RDONLY) as file:
            if name == "mode":
                os.fchmod(file, int(str(value)))
            else:
                os.utime(file, (float(str(value)), float(str(value))))


class DiskFolder(Folder):
    """A directory of the disk."""

    __slots__ = ("_links", "directory", "ready")

    def __init__(
        self,
        space: Space,
        directory: Directory,
        found: os.stat_result | None,
        who: tuple[int, int] = (0, 0),
    ) -> None:
        if found is None:
            with directory.opened() as opened:
                found = os.fstat(opened)
                who = fileowners.of(_within(opened, "."), found)
        mode, mtime = stat.S_IMODE(found.st_mode), found.st_mtime
        entries = _Entries(space, directory)
        super().__init__(space, entries, mode, mtime, who[0], who[1], found.st_ino)
        self.directory = directory
        self._links = found.st_nlink
        self.ready = True

    @property
    def links(self) -> int:
        """See `Folder`."""
        return self._links

    def __setattr__(self, name: str, value: object) -> None:
        if name == "mode" and getattr(self, "ready", False):
            with self.directory.opened() as opened:
                os.fchmod(opened, int(str(value)))
        super().__setattr__(name, value)

    def own(self, uid: int, gid: int) -> None:
        """See `Folder`."""
        with self.directory.opened() as opened:
            fileowners.give(_within(opened, "."), uid, gid)
        self.uid, self.gid = uid, gid

    def make_file(self, name: str, now: float, path: str = "") -> File:
        """See `Folder`."""
        with self.directory.opened() as opened:
            how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _INSIDE
            file = os.open(name, how, 0o644, dir_fd=opened)
            try:
                os.fchmod(file, 0o644)  # whatever the umask of this process is
            finally:
                os.close(file)
            found = os.stat(name, dir_fd=opened, follow_symlinks=False)
            who = fileowners.of(_within(opened, name), found)
        return DiskFile(self.space, self.directory, name, found, who)

    def make_folder(self, name: str, now: float, path: str = "") -> Folder:
        """See `Folder`."""
        with self.directory.opened() as opened:
            os.mkdir(name, 0o755, dir_fd=opened)
        made = DiskFolder(self.space, self.directory.at(name), None)
        made.mode = 0o755 | (made.mode & 0o2000)
        return made

    def make_link(self, name: str, target: str, now: float, path: str = "") -> Link:
        """See `Folder`."""
        with self.directory.opened() as opened:
            os.symlink(target, name, dir_fd=opened)
            found = os.stat(name, dir_fd=opened, follow_symlinks=False)
            who = fileowners.of(_within(opened, name), found)
        return DiskLink(self.directory, name, target, found, who)

    def drop(self, name: str) -> None:
        """See `Folder`."""
        _remove(self.directory, name, self.space)

    def rename(self, name: str, target: Folder, new: str) -> bool:
        """See `Folder`."""
        if not isinstance(target, DiskFolder) or target.space is not self.space:
            return False
        with self.directory.opened() as here, target.directory.opened() as there:
            os.rename(name, new, src_dir_fd=here, dst_dir_fd=there)
        return True

    def share(self, name: str, target: Folder, new: str, path: str = "") -> bool:
        """See `Folder`."""
        if not isinstance(target, DiskFolder) or target.space is not self.space:
            return False
        with self.directory.opened() as here, target.directory.opened() as there:
            os.link(name, new, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)
        return True


class _Entries(MutableMapping[str, Node]):
    """What is in a directory now: asked of the disk each time."""

    def __init__(self, space: Space, directory: Directory) -> None:
        self._space = space
        self._directory = directory

    def __getitem__(self, name: str) -> Node:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise KeyError(name)
        try:
            with self._directory.opened() as opened:
                found = os.stat(name, dir_fd=opened, follow_symlinks=False)
                who = fileowners.of(_within(opened, name), found)
                if stat.S_ISDIR(found.st_mode):
                    return DiskFolder(self._space, self._directory.at(name), found, who)
                if stat.S_ISLNK(found.st_mode):
                    target = os.readlink(name, dir_fd=opened)
                    return DiskLink(self._directory, name, target, found, who)
        except FileNotFoundError:
            raise KeyError(name) from None
        return DiskFile(self._space, self._directory, name, found, who)

    def __iter__(self) -> Iterator[str]:
        with self._directory.opened() as opened:
            names = os.listdir(opened)  # noqa: PTH208  (a descriptor)
        return iter(sorted(names)[:_MAX_ENTRIES])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __setitem__(self, name: str, node: Node) -> None:
        raise error(errno.EXDEV, name)

    def __delitem__(self, name: str) -> None:
        _remove(self._directory, name, self._space)


def at(path: str, space: Space | None = None) -> DiskFolder | DiskFile:
    """What is on the disk at a path that is trusted; a link there is followed. `space`: the room
    that it shares, where it is bounded. OSError.
    """
    found = os.stat(path)  # noqa: PTH116  (as all here)
    space = space or Space(0)
    if stat.S_ISDIR(found.st_mode):
        return DiskFolder(
            space, Directory(path), found, fileowners.of(os.path.realpath(path), found)
        )
    true = os.path.realpath(path)
    head, name = os.path.split(true)
    return DiskFile(space, Directory(head), name, found, fileowners.of(true, found))


def _release(space: Space, size: int) -> None:
    if space.limit:
        space.release(min(size, space.used))


def _remove(directory: Directory, name: str, space: Space) -> None:
    """Remove an entry and all below it. OSError."""
    with directory.opened() as opened:
        found = os.stat(name, dir_fd=opened, follow_symlinks=False)
        if not stat.S_ISDIR(found.st_mode):
            os.unlink(name, dir_fd=opened)
            last = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
            _release(space, found.st_size if last else 0)
            return
        inside = directory.at(name)
        with inside.opened() as folder:
            names = os.listdir(folder)  # noqa: PTH208  (a descriptor)
        for each in names:
            _remove(inside, each, space)
        os.rmdir(name, dir_fd=opened)
