"""Writes what a container changed as a layer: `python -m cluster.runtime.oci.shim.pack HOW …`.

`look ROOT FILE` notes what is in a root; `pack ROOT TARGET WITHOUT EPOCH [FILE]` writes the layer.
Without a FILE of `look`, ROOT is what overlayfs laid upon the layers: all in it was changed, a
character device 0/0 is a file that was removed, and an opaque directory hides those below. WITHOUT
is a JSON list of paths that are none of the image's, for something was mounted there. All times are
EPOCH, so that the same changes are the same layer.

Source: OCI image specification, layer.md; the kernel's filesystems/overlayfs.rst.
"""

import contextlib
import json
import os
import stat
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_OVERLAY: Final = ("trusted.overlay.", "user.overlay.", "user.fuseoverlayfs.")
_TYPES: Final = {
    stat.S_IFREG: tarfile.REGTYPE, stat.S_IFDIR: tarfile.DIRTYPE, stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE, stat.S_IFCHR: tarfile.CHRTYPE, stat.S_IFBLK: tarfile.BLKTYPE,
}  # fmt: skip
Seen = list[int]
"""What tells whether a file was changed."""


class Refused(Exception):
    """It cannot be written as a layer; the message is a sentence."""


def entries(
    root: str, without: frozenset[str] = frozenset()
) -> Iterator[tuple[str, os.stat_result]]:
    """All below a root, by path from it, directories before what is in them. OSError."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(f"{root}/{folder}") as found:
            names = sorted(one.name for one in found)
        for name in names:
            path = f"{folder}/{name}" if folder else name
            if f"/{path}" in without:
                continue
            about = os.lstat(f"{root}/{path}")
            yield path, about
            if stat.S_ISDIR(about.st_mode):
                waiting.append(path)


def look(root: str) -> dict[str, Seen]:
    """What is in a root now."""
    return {path: _seen(about) for path, about in entries(root)}


def _seen(about: os.stat_result) -> Seen:
    # A directory's own time changes with its names, which are looked at one by one.
    changed = 0 if stat.S_ISDIR(about.st_mode) else about.st_ctime_ns
    return [
        about.st_mode,
        about.st_uid,
        about.st_gid,
        about.st_ino,
        about.st_size * (not stat.S_ISDIR(about.st_mode)),
        changed,
    ]


class Packing:
    """Writes one layer."""

    def __init__(self, archive: tarfile.TarFile, root: str, epoch: int) -> None:
        self._archive = archive
        self._root = root
        self._epoch = epoch
        self._inodes: dict[tuple[int, int], str] = {}

    def upper(self, without: frozenset[str]) -> None:
        """All that overlayfs laid upon the layers. Refused, OSError."""
        for path, about in entries(self._root, without):
            folder, _, name = path.rpartition("/")
            if stat.S_ISCHR(about.st_mode) and about.st_rdev == 0:
                self._empty(f"{folder}/{_WHITEOUT}{name}".lstrip("/"))
                continue
            marks = self._marks(path) if not stat.S_ISLNK(about.st_mode) else {}
            if marks.get("redirect") or "metacopy" in marks:
                raise Refused(f"/{path} was renamed in a way that no layer can tell of")
            self._add(path, about)
            if marks.get("opaque") == b"y":
                self._empty(f"{path}/{_OPAQUE}")

    def since(self, before: dict[str, Seen], without: frozenset[str]) -> None:
        """What is not as it was. OSError."""
        there = set()
        for path, about in entries(self._root, without):
            there.add(path)
            if before.get(path) != _seen(about):
                self._add(path, about)
        for path in sorted(before):
            folder, _, name = path.rpartition("/")
            # Of a directory that was removed it is told alone.
            if path not in there and f"/{path}" not in without and (not folder or folder in there):
                self._empty(f"{folder}/{_WHITEOUT}{name}".lstrip("/"))

    def _marks(self, path: str) -> dict[str, bytes]:
        found = {}
        full = f"{self._root}/{path}"
        for name in os.listxattr(full, follow_symlinks=False):
            for prefix in _OVERLAY:
                if name.startswith(prefix):
                    with contextlib.suppress(OSError):
                        value = os.getxattr(full, name, follow_symlinks=False)
                        found[name.removeprefix(prefix)] = value
        return found

    def _empty(self, path: str) -> None:
        member = tarfile.TarInfo(path)
        member.mtime = self._epoch
        self._archive.addfile(member)

    def _add(self, path: str, about: os.stat_result) -> None:
        kind = _TYPES.get(stat.S_IFMT(about.st_mode))
        if kind is None:
            return  # a socket ends with who made it
        member = tarfile.TarInfo(path)
        member.type, member.mode, member.mtime = kind, stat.S_IMODE(about.st_mode), self._epoch
        member.uid, member.gid = about.st_uid, about.st_gid
        full = f"{self._root}/{path}"
        if kind == tarfile.SYMTYPE:
            member.linkname = os.readlink(full)  # noqa: PTH115
        elif kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
            member.devmajor, member.devminor = os.major(about.st_rdev), os.minor(about.st_rdev)
        member.pax_headers = self._attributes(full) if kind == tarfile.REGTYPE else {}
        if kind != tarfile.REGTYPE:
            self._archive.addfile(member)
            return
        first = self._inodes.setdefault((about.st_dev, about.st_ino), path)
        if about.st_nlink > 1 and first != path:
            member.type, member.linkname = tarfile.LNKTYPE, first
            self._archive.addfile(member)
            return
        member.size = about.st_size
        with open(os.open(full, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:  # noqa: PTH123
            self._archive.addfile(member, file)

    @staticmethod
    def _attributes(full: str) -> dict[str, str]:
        """Those that a file keeps in a layer: capabilities, and what users wrote."""
        found = {}
        for name in sorted(os.listxattr(full, follow_symlinks=False)):
            kept = name == "security.capability" or name.startswith("user.")
            if kept and not name.startswith(_OVERLAY):
                value = os.getxattr(full, name, follow_symlinks=False)
                found[f"SCHILY.xattr.{name}"] = value.decode("utf-8", "surrogateescape")
        return found


def pack(root: str, target: str, without: str, epoch: str, before: str = "") -> None:
    """Write the layer. Refused, OSError."""
    hidden = frozenset(json.loads(without))
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        packing = Packing(archive, root, int(epoch))
        if before:
            packing.since(json.loads(Path(before).read_bytes()), hidden)
        else:
            packing.upper(hidden)


def main(how: str, root: str, target: str, *more: str) -> int:
    """Do it. What is wrong goes to standard error."""
    try:
        if how == "look":
            Path(target).write_text(json.dumps(look(root)))
        else:
            pack(root, target, *more)
    except (Refused, OSError, tarfile.TarError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
