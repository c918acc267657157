"""The disk of a simulated node, in memory: where its kubelet puts what its containers mount.

The runtime owns it, as a machine its disk, and a kubelet in the same process works with it. It is
empty until somebody looks: before a container's program runs, the runtime asks for what is mounted
(`demand`), and whoever has said that he fills it (`on_demand`) does so then. Pods that nobody looks
into have no files. Paths are those of the node, absolute and normal.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from cluster.aio import clock as clocks
from cluster.runtime.vos.files import File, FileSystem, Folder, Link, absolute
from cluster.runtime.vos.nodes import ENTRY_BYTES, Node, Space

LIMIT: Final = 256 << 20
"""Bytes that a node's disk takes; each volume with a limit of its own has room of its own."""

Demand = Callable[[str], Awaitable[None]]


class MemoryDisk:
    """A disk. Errors are OSError."""

    lazy: Final = True
    """Whether it is filled when somebody looks."""

    def __init__(self, clock: clocks.Clock) -> None:
        self._clock = clock
        self._tree: FileSystem | None = None
        self._demand: Demand | None = None

    @property
    def _files(self) -> FileSystem:
        if self._tree is None:
            self._tree = FileSystem(self._clock.now, LIMIT)
        return self._tree

    # ---- for the runtime ---------------------------------------------------------------------

    async def demand(self, paths: Sequence[str]) -> None:
        """Have what is at these paths filled. Whatever filling raises."""
        if self._demand is not None:
            for path in paths:
                await self._demand(path)

    def node(self, path: str) -> File | Folder:
        """What is mounted from a path; a directory is made where nothing is. OSError."""
        path = absolute(path, "/")
        if not self._files.exists(path):
            self._files.make_folders(path)
        found = self._files.find(path)
        return found if isinstance(found, File | Folder) else self._files.root

    # ---- for the kubelet ---------------------------------------------------------------------

    def on_demand(self, demand: Demand | None) -> None:
        """Have `demand(path)` called before what is at a path is looked at; None: nobody."""
        self._demand = demand

    def kind(self, path: str) -> str:
        """`folder`, `file`, `link`, or "" where nothing is. A link at the end is not followed."""
        if self._tree is None:
            return ""
        try:
            found = self._tree.find(path, follow=False)
        except OSError:
            return ""
        return (
            "link" if isinstance(found, Link) else "file" if isinstance(found, File) else "folder"
        )

    def mode(self, path: str) -> int:
        """The permissions of what is there."""
        return self._files.find(path).mode

    def make_folder(self, path: str, mode: int) -> None:
        """A directory with these permissions; those above it are made."""
        self._files.make_folders(path)
        self._files.change_mode(path, mode)

    def write(self, path: str, data: bytes, mode: int) -> None:
        """A file with this content."""
        self._files.put(path, data, mode)

    def read(self, path: str) -> bytes:
        """A file's content."""
        return self._files.read(path)

    def link(self, target: str, path: str) -> None:
        """A symbolic link."""
        self._files.link(target, path)

    def target(self, path: str) -> str:
        """Where a symbolic link leads, "" where none is."""
        try:
            found = self._files.find(path, follow=False)
        except OSError:
            return ""
        return found.target if isinstance(found, Link) else ""

    def replace(self, source: str, path: str) -> None:
        """Give a link or file the name of another, which goes."""
        self._files.move(source, path)

    def names(self, path: str) -> list[str]:
        """The names in a directory; none where there is no directory."""
        return self._files.names(path) if self._files.is_folder(path) else []

    def remove(self, path: str) -> None:
        """Remove whatever is there."""
        if self.kind(path):
            self._files.remove(path, recursive=True)

    def true_path(self, path: str) -> str:
        """The path without symbolic links."""
        return self._files.true_path(path)

    def limit(self, path: str, size: int) -> None:
        """Give an empty directory room of its own."""
        found = self._files.find(path)
        if isinstance(found, Folder) and not found.entries:
            found.space = Space(size)

    def own(self, path: str, user: int) -> None:
        """Make a file a user's."""
        found = self._files.find(path)
        found.own(user, found.gid)

    def share(self, path: str, group: int, *, readonly: bool) -> None:
        """Make all that is there a group's, who may read (and write) it."""
        _shared(self._files.find(path), group, readonly=readonly)

    def used(self, path: str) -> int:
        """Bytes that a file or directory takes, with all in it."""
        try:
            return _used(self._files.find(path, follow=False))
        except OSError:
            return 0

    def sizes(self, path: str) -> Iterator[int]:
        """The same, in one step: there are few files."""
        yield self.used(path)


def _shared(node: Node, group: int, *, readonly: bool) -> None:
    node.own(node.uid, group)
    if isinstance(node, Folder):
        node.mode |= 0o2550 if readonly else 0o2770
        for each in node.entries.values():
            _shared(each, group, readonly=readonly)
    elif isinstance(node, File):
        node.mode |= 0o440 if readonly else 0o660


def _used(node: Node) -> int:
    if isinstance(node, Folder):
        return ENTRY_BYTES + sum(_used(each) for each in node.entries.values())
    return len(node.data) if isinstance(node, File) else ENTRY_BYTES
