"""Root file systems from layers: the small part that a simulated container shows.

Layers are hostile: what is unpacked is bounded, nothing is written by a path of theirs, and a
layer that cannot be read ends the look. OCI image specification, layer.md (whiteouts).
"""

import contextlib
import gzip
import io
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, cast

from cluster.images import media
from cluster.images.descriptors import Descriptor
from cluster.images.store.blobs import Blobs, write_whole

MAX_FILE: Final = 1 << 20
MAX_BYTES: Final = 8 << 20
MAX_ENTRIES: Final = 5000
MAX_UNPACKED: Final = 4 << 30
_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"

Entry = tuple[str, int, bytes | str | None]
"""Path, mode, and content (bytes), target of a link (text), or None for a folder."""


class _Bounded:
    """Reads at most so many bytes: a layer of a thousand bytes may unpack to a terabyte."""

    def __init__(self, inner: IO[bytes], limit: int) -> None:
        self._inner = inner
        self._left = limit

    def read(self, size: int) -> bytes:
        data = self._inner.read(min(size, self._left))
        self._left -= len(data)
        return data


def clean(name: str) -> str:
    """A path in a tar as an absolute one; "" for one that leads out or is the root."""
    parts = posixpath.normpath(name.lstrip("/")).split("/")
    if parts[0] in ("..", ".", "") or "\0" in name or len(name) > 4096:
        return ""
    return "/" + "/".join(parts)


@contextlib.contextmanager
def tar(file: IO[bytes], media_type: str) -> Iterator[tarfile.TarFile]:
    """A layer as a tar that is read once, from begin to end. tarfile.TarError, ValueError."""
    packed = media.compression(media_type) == "gzip"
    plain = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file
    # Read once from begin to end, a tar needs nothing of a file but its `read`.
    bounded = cast(IO[bytes], _Bounded(plain, MAX_UNPACKED))
    with tarfile.open(fileobj=bounded, mode="r|") as archive:
        yield archive


def lay(found: dict[str, tuple[str, int]], member: tarfile.TarInfo, number: int) -> None:
    """Lay an entry of layer `number` upon what is known: path to kind and layer."""
    path = clean(member.name)
    folder, _, name = path.rpartition("/")
    if name == _OPAQUE:
        _drop(found, folder, inside=True)
    elif name.startswith(_WHITEOUT):
        _drop(found, f"{folder}/{name.removeprefix(_WHITEOUT)}")
    elif path:
        kind = "dir" if member.isdir() else "link" if member.issym() else "file"
        if kind != "dir" and found.get(path, ("", 0))[0] == "dir":
            _drop(found, path)
        found[path] = (kind, number)


def flatten(blobs: Blobs, layers: tuple[Descriptor, ...], target: Path) -> None:
    """Write the small files of the layers, one upon the other, as a tar at `target`. Blocks."""
    found: dict[str, Entry] = {}
    for layer in layers:
        try:
            _apply(blobs, layer, found)
        except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError):
            continue  # what cannot be read is not shown
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for entry in _limited(found):
            _add(archive, entry)
    write_whole(target, data.getvalue())


def read(path: Path) -> Iterator[Entry]:
    """The entries of what `flatten` wrote; none where it is not there."""
    try:
        with tarfile.open(path) as archive:
            yield from _entries(archive)
    except FileNotFoundError:
        return


def _apply(blobs: Blobs, layer: Descriptor, found: dict[str, Entry]) -> None:
    with blobs.open(layer.digest) as file:
        if media.compression(layer.media_type) == "zstd":
            return
        with tar(file, layer.media_type) as archive:
            for path, mode, content in _entries(archive):
                folder, _, name = path.rpartition("/")
                if name == _OPAQUE:
                    _drop(found, folder, inside=True)
                elif name.startswith(_WHITEOUT):
                    _drop(found, f"{folder}/{name.removeprefix(_WHITEOUT)}")
                else:
                    if content is not None and found.get(path, ("", 0, ""))[2] is None:
                        _drop(found, path)  # a directory, with all that is in it
                    found[path] = (path, mode, content)
                if len(found) > 4 * MAX_ENTRIES:
                    return


def _entries(archive: tarfile.TarFile) -> Iterator[Entry]:
    for member in archive:
        path = clean(member.name)
        if not path:
            continue
        if member.isdir():
            yield path, member.mode & 0o7777, None
        elif member.issym():
            yield path, 0o777, member.linkname[:4096]
        elif member.isreg() and member.size <= MAX_FILE:
            content = archive.extractfile(member)
            yield path, member.mode & 0o7777, content.read() if content else b""


def _drop(found: dict[str, Any], path: str, *, inside: bool = False) -> None:
    if not inside:
        found.pop(path, None)
    for other in [one for one in found if one.startswith(f"{path}/")]:
        del found[other]


def _limited(found: dict[str, Entry]) -> Iterator[Entry]:
    """The first in order, until there is no room."""
    room = MAX_BYTES
    for path in sorted(found)[:MAX_ENTRIES]:
        content = found[path][2]
        room -= len(content) if content is not None else 0
        if room < 0:
            return
        yield found[path]


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    path, mode, content = entry
    member = tarfile.TarInfo(path.lstrip("/"))
    member.mode = mode
    if content is None:
        member.type = tarfile.DIRTYPE
        archive.addfile(member)
    elif isinstance(content, str):
        member.type, member.linkname = tarfile.SYMTYPE, content
        archive.addfile(member)
    else:
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
