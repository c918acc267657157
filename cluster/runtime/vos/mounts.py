"""What is mounted in a container's files: trees by the true paths of their mount points. Pure."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from cluster.runtime.vos.nodes import File, Folder

_HOW: Final = {
    "proc": "nosuid,nodev,noexec,relatime", "cgroup2": "nosuid,nodev,noexec,relatime",
    "sysfs": "nosuid,nodev,noexec,relatime",
}  # fmt: skip
"""Options by kind of file system, as containerd mounts them."""


class Mount(NamedTuple):
    """What stands at a mount point."""

    node: File | Folder
    readonly: bool
    kind: str
    source: str
    size: int


class Mounted(NamedTuple):
    """A row of /proc/mounts; `size` in bytes where it has room of its own, else 0."""

    path: str
    node: File | Folder
    kind: str
    source: str
    options: str
    size: int = 0


class Mounts(dict[str, Mount]):
    """All of them by path, without the root."""

    def names(self, folder: str) -> Iterator[str]:
        """The names of mount points in a directory."""
        base = folder.rstrip("/") + "/"
        for point in self:
            if point.startswith(base) and "/" not in point[len(base) :]:
                yield point[len(base) :]

    def below(self, path: str) -> bool:
        """Whether something is mounted under a path."""
        return any(point.startswith(path + "/") for point in self)

    def rows(self) -> Iterator[Mounted]:
        """What /proc/mounts tells of them, in the order in which they were mounted."""
        for path, (node, readonly, kind, source, size) in self.items():
            how = options(readonly, kind) + (f",size={size // 1024}k" if size else "")
            yield Mounted(path, node, kind, source, how, size)


def options(readonly: bool, kind: str = "") -> str:
    """How a kind of file system is mounted, as /proc/mounts tells it."""
    return f"{'ro' if readonly else 'rw'},{_HOW.get(kind, 'relatime')}"
