"""Directories that exist only while somebody looks: what is in them is made then. Pure."""

import errno
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Final

from cluster.runtime.vos.nodes import File, Folder, Link, Node, Space, error

Made = Callable[[], Node]
_NO_SPACE: Final = Space(0)


class _Entries(MutableMapping[str, Node]):
    """Names, and what makes what is there."""

    def __init__(self, make: Callable[[], "Mapping[str, Made]"]) -> None:
        self._make = make

    def __getitem__(self, name: str) -> Node:
        return self._make()[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._make())

    def __len__(self) -> int:
        return len(self._make())

    def __setitem__(self, name: str, node: Node) -> None:
        raise error(errno.ENOENT, name)

    def __delitem__(self, name: str) -> None:
        raise error(errno.EPERM, name)


class Pseudo(Folder):
    """A directory of /proc. Nothing can be made in it, and nothing removed."""

    __slots__ = ()

    def __init__(self, make: Callable[[], "Mapping[str, Made]"], mode: int = 0o555) -> None:
        super().__init__(_NO_SPACE, _Entries(make), mode)

    def make_file(self, name: str, now: float, path: str = "") -> File:
        """OSError ENOENT, as /proc says."""
        raise error(errno.ENOENT, path or name)

    def make_folder(self, name: str, now: float, path: str = "") -> Folder:
        """OSError ENOENT."""
        raise error(errno.ENOENT, path or name)

    def make_link(self, name: str, target: str, now: float, path: str = "") -> Link:
        """OSError ENOENT."""
        raise error(errno.ENOENT, path or name)

    def drop(self, name: str) -> None:
        """OSError EPERM."""
        raise error(errno.EPERM, name)

    def rename(self, name: str, target: Folder, new: str) -> bool:
        """OSError EPERM."""
        raise error(errno.EPERM, name)


class _Shown(File):
    """A file of /proc: nothing that is written to it is heeded, and `ls` shows it as empty."""

    __slots__ = ()

    def append(self, data: bytes, now: float, path: str = "") -> None:
        """OSError EIO: nothing here can be set."""
        raise error(errno.EIO, path)


def file(content: Callable[[], str], mode: int = 0o444) -> Made:
    """What makes a file with this content."""

    def made() -> Node:
        return _Shown(
            _NO_SPACE, bytearray(), mode,
            virtual=lambda: content().encode("utf-8", "surrogateescape"),
        )  # fmt: skip

    return made


def link(target: Callable[[], str]) -> Made:
    """What makes a symbolic link."""
    return lambda: Link(target())


def folder(make: Callable[[], Mapping[str, Made]], mode: int = 0o555) -> Made:
    """What makes a directory."""
    return lambda: Pseudo(make, mode)
