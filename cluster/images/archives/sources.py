"""What an archive is read from: a tar or a folder, whose paths lead nowhere else."""

import tarfile
from pathlib import Path
from typing import IO, Protocol

from cluster.images import faults, rootfs


class Source(Protocol):
    """Files by name."""

    def open(self, name: str) -> IO[bytes]:
        """A file. faults.NotFound."""

    def has(self, name: str) -> bool:
        """Whether it is there."""


class Tar:
    """A tar that can be read in any order. Links inside it are followed."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._members = {rootfs.clean(member.name): member for member in archive}

    def has(self, name: str) -> bool:
        """See Source."""
        return rootfs.clean(name) in self._members

    def open(self, name: str) -> IO[bytes]:
        """See Source."""
        path = rootfs.clean(name)
        for _ in range(8):
            member = self._members.get(path)
            if member is None:
                break
            if member.issym():
                path = rootfs.clean(f"{path.rpartition('/')[0]}/{member.linkname}")
                continue
            file = self._archive.extractfile(member) if member.isreg() else None
            if file is not None:
                return file
            break
        raise faults.NotFound(f"the archive has no {name[:200]}")


class Folder:
    """A folder. Links are not followed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def has(self, name: str) -> bool:
        """See Source."""
        path = self._path(name)
        return path.is_file() and not path.is_symlink()

    def open(self, name: str) -> IO[bytes]:
        """See Source."""
        if not self.has(name):
            raise faults.NotFound(f"{self._root} has no {name[:200]}")
        return self._path(name).open("rb")

    def _path(self, name: str) -> Path:
        return self._root / rootfs.clean(name).lstrip("/")
