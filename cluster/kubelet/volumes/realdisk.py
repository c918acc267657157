"""The real disk, under a kubelet's root directory. See `disk.Disk`.

What it writes is small (a ConfigMap is 1 MiB at most) and goes to the kernel's cache: nothing is
flushed, for all of it can be made again. Symbolic links in volumes are the containers' own and are
never followed when something is removed or its owner changed.
"""

import contextlib
import itertools
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cluster.api import fileowners
from cluster.kubelet.volumes.disk import Demand

_MAX_READ: Final = 1 << 20
_MAX_WALKED: Final = 100_000


class RealDisk:
    """The disk of the machine that this process is on."""

    lazy: Final = False

    def on_demand(self, demand: Demand | None) -> None:
        """Nobody is asked: what is to be there is written at once."""

    def kind(self, path: str) -> str:
        """`folder`, `file`, `link`, `other`, or "" where nothing is."""
        try:
            mode = Path(path).lstat().st_mode
        except (OSError, ValueError):
            return ""
        if stat.S_ISLNK(mode):
            return "link"
        return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"

    def mode(self, path: str) -> int:
        """The permissions of what is there."""
        return stat.S_IMODE(Path(path).stat().st_mode)

    def make_folder(self, path: str, mode: int) -> None:
        """A directory with these permissions; those above it are made, for the owner and group."""
        there = Path(path)
        if not there.parent.is_dir():
            there.parent.mkdir(0o750, parents=True, exist_ok=True)
        there.mkdir(exist_ok=True)
        there.chmod(mode)

    def write(self, path: str, data: bytes, mode: int) -> None:
        """A file with this content."""
        there = Path(path)
        there.parent.mkdir(0o755, parents=True, exist_ok=True)
        there.write_bytes(data)
        there.chmod(mode)

    def own(self, path: str, user: int) -> None:
        """Make a file a user's; as far as this user may."""
        fileowners.give(path, user, fileowners.KEEP)

    def read(self, path: str) -> bytes:
        """A file's content, 1 MiB at most."""
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(file, "rb") as opened:  # noqa: PTH123  (a descriptor)
            return opened.read(_MAX_READ) or b""

    def link(self, target: str, path: str) -> None:
        """A symbolic link."""
        Path(path).symlink_to(target)

    def target(self, path: str) -> str:
        """Where a symbolic link leads, "" where none is."""
        there = Path(path)
        return str(there.readlink()) if there.is_symlink() else ""

    def replace(self, source: str, path: str) -> None:
        """Give a link or file the name of another, which goes."""
        Path(source).replace(path)

    def names(self, path: str) -> list[str]:
        """The names in a directory; none where there is no directory."""
        there = Path(path)
        return sorted(one.name for one in there.iterdir()) if there.is_dir() else []

    def remove(self, path: str) -> None:
        """Remove whatever is there."""
        if self.kind(path) == "folder":
            shutil.rmtree(path)
        else:
            with contextlib.suppress(FileNotFoundError):
                Path(path).unlink()

    def true_path(self, path: str) -> str:
        """The path without symbolic links."""
        return str(Path(path).resolve(strict=True))

    def limit(self, path: str, size: int) -> None:
        """Nothing here: a runtime whose containers are processes lays memory of that size upon it,
        and elsewhere it grows as long as the disk has room.
        """

    def share(self, path: str, group: int, *, readonly: bool) -> None:
        """Let a group read (and write) all that is there; as far as this user may."""
        for one in itertools.islice(_below(path), _MAX_WALKED):
            _share(Path(one.path), group, readonly=readonly)
        _share(Path(path), group, readonly=readonly)

    def used(self, path: str) -> int:
        """Bytes that a directory takes, with all in it. It blocks: see `sizes`."""
        return sum(self.sizes(path))

    def sizes(self, path: str) -> Iterator[int]:
        """The bytes of each thing in a directory, for who does something else between them."""
        for one in itertools.islice(_below(path), _MAX_WALKED):
            try:
                found = one.stat(follow_symlinks=False)
            except OSError:
                continue
            yield 0 if stat.S_ISDIR(found.st_mode) else found.st_blocks * 512


def _below(path: str) -> Iterator["os.DirEntry[str]"]:
    """All that is in a directory, and in those in it; no link is followed."""
    left = [path]
    while left:
        with contextlib.suppress(OSError), os.scandir(left.pop()) as inside:
            for one in inside:
                if one.is_dir(follow_symlinks=False):
                    left.append(one.path)
                yield one


def _share(path: Path, group: int, *, readonly: bool) -> None:
    try:
        mode = path.lstat().st_mode
        fileowners.give(str(path), fileowners.KEEP, group)
        if stat.S_ISLNK(mode):
            return
        more = 0o440 if readonly else 0o660
        if stat.S_ISDIR(mode):
            more |= 0o2110
        path.chmod(stat.S_IMODE(mode) | more)
    except FileNotFoundError:
        return
