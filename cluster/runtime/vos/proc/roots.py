"""/proc/PID/root: the files of the container that a process is in, as another one sees them."""

from collections.abc import Iterator, MutableMapping

from cluster.runtime.vos.files import FileSystem
from cluster.runtime.vos.nodes import File, Folder, Link, Node


class Root(Folder):
    """A directory of another container, with what is mounted in it. A symbolic link that begins at
    the root leads into that of who looks, as the kernel has it.
    """

    __slots__ = ("_node",)

    def __init__(self, tree: FileSystem, path: str = "/") -> None:
        node = tree.find(path)
        if not isinstance(node, Folder):
            raise NotADirectoryError(path)
        super().__init__(
            node.space, _Entries(tree, path, node), node.mode, node.mtime, node.uid, node.gid
        )
        self._node = node

    def make_file(self, name: str, now: float, path: str = "") -> File:
        """See `Folder`."""
        return self._node.make_file(name, now, path)

    def make_folder(self, name: str, now: float, path: str = "") -> Folder:
        """See `Folder`."""
        return self._node.make_folder(name, now, path)

    def make_link(self, name: str, target: str, now: float, path: str = "") -> Link:
        """See `Folder`."""
        return self._node.make_link(name, target, now, path)

    def drop(self, name: str) -> None:
        """See `Folder`."""
        self._node.drop(name)


class _Entries(MutableMapping[str, Node]):
    def __init__(self, tree: FileSystem, path: str, node: Folder) -> None:
        self._tree = tree
        self._path = path.rstrip("/")
        self._node = node

    def __getitem__(self, name: str) -> Node:
        if name in ("", ".", "..") or "/" in name:
            raise KeyError(name)
        path = f"{self._path}/{name}"
        try:
            found = self._tree.find(path, follow=False)
            return Root(self._tree, path) if isinstance(found, Folder) else found
        except OSError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._tree.names(self._path or "/"))

    def __len__(self) -> int:
        return len(self._tree.names(self._path or "/"))

    def __setitem__(self, name: str, node: Node) -> None:
        self._node.entries[name] = node

    def __delitem__(self, name: str) -> None:
        del self._node.entries[name]
