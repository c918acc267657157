"""Root file systems from layers: the small part that a simulated container shows.

Layers are hostile: what is unpacked is bounded, nothing is written by a path of theirs, and a
layer that cannot be read ends the look. OCI image specification, layer.md (whiteouts).
"""

import gzip
import io
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

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


class _Bounded(io.RawIOBase):
    """Reads at most so many bytes: a layer of a thousand bytes may unpack to a terabyte."""

    def __init__(self, inner: IO[bytes], limit: int) -> None:
        self._inner = inner
        self._left = limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._inner.read(min(size, self._left) if size >= 0 else self._left)
        self._left -= len(data)
        return data


def clean(name: str) -> str:
    """A path in a tar as an absolute one; "" for one that leads out or is the root."""
    parts = posixpath.normpath(name.lstrip("/")).split("/")
    if parts[0] in ("..", ".", "") or "\0" in name or len(name) > 4096:
        return ""
    return "/" + "/".join(parts)


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
        kind = media.compression(layer.media_type)
        if kind == "zstd":
            return
        plain: IO[bytes] = gzip.GzipFile(fileobj=file) if kind == "gzip" else file  # type: ignore[assignment]
        bounded = io.BufferedReader(_Bounded(plain, MAX_UNPACKED))
        with tarfile.open(fileobj=bounded, mode="r|") as archive:
            for path, mode, content in _entries(archive):
                folder, _, name = path.rpartition("/")
                if name == _OPAQUE:
                    _drop(found, folder, inside=True)
                elif name.startswith(_WHITEOUT):
                    _drop(found, f"{folder}/{name.removeprefix(_WHITEOUT)}")
                else:
                    if content is not None:
                        _drop(found, path)
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


def _drop(found: dict[str, Entry], path: str, *, inside: bool = False) -> None:
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
