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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final, Generic, TypeVar, cast

from cluster.images import media
from cluster.images.descriptors import Descriptor
from cluster.images.store.blobs import Blobs, write_whole

MAX_FILE: Final = 1 << 20
MAX_BYTES: Final = 8 << 20
MAX_ENTRIES: Final = 5000
MAX_UNPACKED: Final = 4 << 30
MAX_MEMBERS: Final = 500_000
"""Of one layer."""
_HELD: Final = 8 * MAX_BYTES
"""Bytes of all files that are held while it is seen which are to be shown."""
_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"

_What = TypeVar("_What")
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


class _Counted(tarfile.TarFile):
    """Each member that was read is held until the end."""

    _count = 0
    _latest: tarfile.TarInfo | None = None

    def next(self) -> tarfile.TarInfo | None:
        """See TarFile. tarfile.ReadError where there are too many."""
        found = super().next()
        if found is not None and found is not self._latest:  # the first is given twice
            self._latest = found
            self._count += 1
        if self._count > MAX_MEMBERS:
            raise tarfile.ReadError(f"more than {MAX_MEMBERS} files in a layer")
        return found


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
    with _Counted.open(fileobj=bounded, mode="r|") as archive:
        yield archive


def lay(found: dict[str, tuple[str, int]], members: Iterable[tarfile.TarInfo], number: int) -> None:
    """Lay layer `number` upon what is known: path to kind and layer."""
    layer: _Layer[tuple[str, int]] = _Layer()
    for member in members:
        path = clean(member.name)
        if path and not layer.hides(path):
            kind = "dir" if member.isdir() else "link" if member.issym() else "file"
            layer.fresh[path] = (kind, number)
            if kind != "dir" and found.get(path, ("", 0))[0] == "dir":
                layer.hidden.add(path)
    layer.upon(found)


class _Layer(Generic[_What]):
    """What a layer has, and what it hides of those below it. Whiteouts are heeded all together, at
    its end: a layer may have a million.
    """

    def __init__(self) -> None:
        self.fresh: dict[str, _What] = {}
        self.hidden: set[str] = set()
        """Paths, each with all below it."""
        self._emptied: set[str] = set()
        """Directories of which only what is in them is hidden."""

    def hides(self, path: str) -> bool:
        """Whether a path is a whiteout, which is kept in mind."""
        folder, _, name = path.rpartition("/")
        if name == _OPAQUE:
            self._emptied.add(folder)
        elif name.startswith(_WHITEOUT):
            self.hidden.add(f"{folder}/{name.removeprefix(_WHITEOUT)}")
        else:
            return False
        return True

    def upon(self, found: dict[str, _What]) -> None:
        """Lay it upon what is known."""
        if self.hidden or self._emptied:
            for path in [one for one in found if self._gone(one)]:
                del found[path]
        found.update(self.fresh)

    def _gone(self, path: str) -> bool:
        if path in self.hidden:
            return True
        while path:
            path = path[: path.rindex("/")]
            if path in self._emptied or path in self.hidden:
                return True
        return False


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
            laid: _Layer[Entry] = _Layer()
            try:
                _take(archive, found, laid)
            finally:
                laid.upon(found)


def _take(archive: tarfile.TarFile, found: dict[str, Entry], laid: "_Layer[Entry]") -> None:
    room = _HELD - sum(len(one[2] or b"") for one in found.values())
    for path, mode, content in _entries(archive):
        if laid.hides(path):
            continue
        room -= len(content or b"")
        if room < 0 or len(found) + len(laid.fresh) > 4 * MAX_ENTRIES:
            return
        if content is not None and found.get(path, ("", 0, ""))[2] is None:
            laid.hidden.add(path)  # a directory, with all that is in it
        laid.fresh[path] = (path, mode, content)


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
