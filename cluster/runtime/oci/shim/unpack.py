"""Unpacks one layer into a directory: `python -m cluster.runtime.oci.shim.unpack HOW TARGET`, with
the layer as standard input.

Layers are hostile. It is done in a process of its own whose root is the target, so no path and no
link leads out of it. HOW is `overlay` (whiteouts stay, in overlayfs' form, with trusted
attributes), `user` (the same with user attributes, as overlayfs has them in a user namespace) or
`apply` (whiteouts remove what they name: the layer goes upon those that are there).

Source: OCI image specification, layer.md.
"""

import contextlib
import errno
import gzip
import os
import shutil
import stat
import sys
import tarfile
from typing import IO, Final, cast

MAX_BYTES: Final = 32 << 30
MAX_ENTRIES: Final = 2_000_000
_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_XATTR: Final = "SCHILY.xattr."
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Refused(Exception):
    """The layer cannot be unpacked; the message is a sentence."""


class _Input:
    """Reads a layer whose first bytes were looked at, and no more than is allowed."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest, self._left = head, rest, MAX_BYTES

    def read(self, size: int) -> bytes:
        data, self._head = self._head[:size], self._head[size:]
        if len(data) < size:
            data += self._rest.read(size - len(data))
        self._left -= len(data)
        if self._left < 0:
            raise Refused(f"the layer has more than {MAX_BYTES >> 30} GiB")
        return data


class Unpacking:
    """Makes what a layer holds, under "/"."""

    def __init__(self, how: str) -> None:
        self._apply = how == "apply"
        self._opaque = "user.overlay.opaque" if how == "user" else "trusted.overlay.opaque"
        self._folders: list[tarfile.TarInfo] = []
        self._made: set[str] = set()

    def run(self, source: IO[bytes]) -> None:
        """Unpack all. Refused, OSError, tarfile.TarError."""
        with tarfile.open(fileobj=_plain(source), mode="r|") as archive:
            for number, member in enumerate(archive):
                if number >= MAX_ENTRIES:
                    raise Refused(f"the layer has more than {MAX_ENTRIES} files")
                self._one(archive, member)
        for member in reversed(self._folders):
            self._finish(_path(member.name), member)

    def _one(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = _path(member.name)
        folder, _, name = path.rpartition("/")
        if name.startswith(_WHITEOUT):
            self._white_out(folder or "/", name)
            return
        if path == "/":
            self._folders.append(member)
            return
        os.makedirs(folder or "/", exist_ok=True)  # noqa: PTH103
        self._made.add(path)
        if member.isdir():
            if not stat.S_ISDIR(_mode(path)):
                _remove(path)
                os.mkdir(path)  # noqa: PTH102
            self._folders.append(member)
            return
        _remove(path)
        if member.isreg():
            self._file(archive, member, path)
        elif member.issym():
            os.symlink(member.linkname, path)  # noqa: PTH211
        elif member.islnk():
            os.link(_path(member.linkname), path, follow_symlinks=False)
            return
        else:
            self._special(member, path)
        self._finish(path, member)

    @staticmethod
    def _file(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        content = archive.extractfile(member)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(path, flags, 0o600), "wb") as file:  # noqa: PTH123
            if content is not None:
                shutil.copyfileobj(content, file, 1 << 20)

    @staticmethod
    def _special(member: tarfile.TarInfo, path: str) -> None:
        if member.isfifo():
            os.mkfifo(path)
            return
        kind = stat.S_IFCHR if member.ischr() else stat.S_IFBLK
        try:
            os.mknod(path, kind | 0o600, os.makedev(member.devmajor, member.devminor))
        except PermissionError:
            # In a user namespace there are no devices: the runtime gives a container its own.
            open(path, "xb").close()  # noqa: PTH123

    def _finish(self, path: str, member: tarfile.TarInfo) -> None:
        with contextlib.suppress(OSError):  # an owner that the user namespace does not have
            os.chown(path, member.uid, member.gid, follow_symlinks=False)
        if not member.issym():
            os.chmod(path, member.mode & 0o7777)  # noqa: PTH101
        for key, value in member.pax_headers.items():
            if key.startswith(_XATTR) and not key.startswith(_XATTR + "trusted.overlay"):
                data = value.encode("utf-8", "surrogateescape")
                with contextlib.suppress(OSError):
                    os.setxattr(path, key.removeprefix(_XATTR), data, follow_symlinks=False)
        with contextlib.suppress(OSError, OverflowError, ValueError):
            os.utime(path, (member.mtime, member.mtime), follow_symlinks=False)

    def _white_out(self, folder: str, name: str) -> None:
        if name == _OPAQUE:
            if self._apply:
                self._empty(folder)
            else:
                os.makedirs(folder, exist_ok=True)  # noqa: PTH103
                os.setxattr(folder, self._opaque, b"y")
            return
        path = _path(f"{folder}/{name.removeprefix(_WHITEOUT)}")
        if path == "/" or path in self._made:
            return
        if self._apply:
            _remove(path)
        else:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
            _remove(path)
            os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))

    def _empty(self, folder: str) -> None:
        """Remove what layers below put into a directory."""
        if not stat.S_ISDIR(_mode(folder)):
            return
        for name in os.listdir(folder):  # noqa: PTH208
            path = f"{folder.rstrip('/')}/{name}"
            kept = path in self._made or any(one.startswith(f"{path}/") for one in self._made)
            if not kept:
                _remove(path)


def _plain(source: IO[bytes]) -> IO[bytes]:
    """A layer without its compression."""
    head = source.read(4)
    if head == _ZSTD:
        raise Refused("the layer is compressed by zstd, which cannot be unpacked here")
    read = cast(IO[bytes], _Input(head, source))
    if not head.startswith(_GZIP):
        return read
    plain = cast(IO[bytes], gzip.GzipFile(fileobj=read))
    return cast(IO[bytes], _Input(b"", plain))


def _path(name: str) -> str:
    """A path of a tar as one under the root; `..` leads nowhere."""
    if "\0" in name or len(name) > 4096:
        raise Refused("the layer has a path that no file can have")
    return os.path.normpath("/" + name.lstrip("/"))


def _mode(path: str) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0


def _remove(path: str) -> None:
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        shutil.rmtree(path)
    elif mode:
        os.unlink(path)  # noqa: PTH108


def main(how: str, target: str) -> int:
    """Unpack standard input. What is wrong goes to standard error."""
    os.chroot(target)
    os.chdir("/")
    os.umask(0o022)
    try:
        Unpacking(how).run(sys.stdin.buffer)
    except (Refused, tarfile.TarError, EOFError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
    except OSError as error:
        text = "no space left on device" if error.errno == errno.ENOSPC else str(error)
        sys.stderr.write(f"{text}\n")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
