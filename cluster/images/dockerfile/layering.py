"""Layers: from entries to a tar that is the same whenever and wherever it is made."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

from cluster.images import faults, media
from cluster.images.descriptors import Descriptor
from cluster.images.store.blobs import CHUNK, Writer, write_whole
from cluster.images.store.layout import Store

_LEVEL: Final = 6
_TYPES: Final = {"dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "file": tarfile.REGTYPE}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file ("file", content in `source` or `data`), directory ("dir") or link ("link")."""

    kind: str
    mode: int
    uid: int = 0
    gid: int = 0
    source: Path | None = None
    data: bytes = b""
    size: int = 0
    target: str = ""

    def open(self) -> IO[bytes]:
        """The content of a file."""
        return self.source.open("rb") if self.source else io.BytesIO(self.data)

    @property
    def length(self) -> int:
        """Bytes of a file."""
        return self.size if self.source else len(self.data)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer in the store, and the digest of its tar before compression."""

    descriptor: Descriptor
    diff_id: str


def make(
    store: Store, entries: Mapping[str, Entry], epoch: int, *, cached: bool
) -> tuple[Layer, bool]:
    """Put a layer into the store; and whether it was there. Paths are absolute. Blocks.

    faults.Corrupt where a file changes while it is read.
    """
    key = _key(entries, epoch)
    known = find(store, key) if cached else None
    if known is not None:
        return known, True

    def write(plain: IO[bytes]) -> None:
        with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(entries):
                _add(archive, path, entries[path], epoch)

    return _kept(store, key, write), False


def take(store: Store, key: str, tar: Path) -> Layer:
    """Put a tar into the store as a layer, to be found by a key. Blocks."""

    def write(plain: IO[bytes]) -> None:
        with tar.open("rb") as file:
            while data := file.read(CHUNK):
                plain.write(data)

    return _kept(store, key, write)


def find(store: Store, key: str) -> Layer | None:
    """The layer that was kept under a key, if it is in the store still. Blocks."""
    return _known(store, store.root / "cache" / key)


def _kept(store: Store, key: str, write: Callable[[IO[bytes]], None]) -> Layer:
    with store.blobs.writer() as writer:
        plain = _Hashed(writer)
        write(cast(IO[bytes], plain))
        plain.close()
        size, digest = writer.size, writer.digest
        writer.commit(digest)
    layer = Layer(Descriptor(media.OCI_LAYER_GZIP, digest, size), plain.digest)
    content = json.dumps({"d": digest, "s": size, "i": layer.diff_id}).encode()
    write_whole(store.root / "cache" / key, content)
    return layer


class _Hashed(io.RawIOBase):
    """Takes a tar: hashes it, and writes it compressed."""

    def __init__(self, writer: Writer) -> None:
        self._hash = hashlib.sha256()
        self._gzip = gzip.GzipFile("", "wb", _LEVEL, writer, mtime=0)  # type: ignore[call-overload]

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._hash.update(data)
        self._gzip.write(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._gzip.close()
        super().close()

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def _add(archive: tarfile.TarFile, path: str, entry: Entry, epoch: int) -> None:
    member = tarfile.TarInfo(path.lstrip("/") + ("/" if entry.kind == "dir" else ""))
    member.type, member.mode, member.mtime = _TYPES[entry.kind], entry.mode, epoch
    member.uid, member.gid, member.linkname = entry.uid, entry.gid, entry.target
    if entry.kind != "file":
        archive.addfile(member)
        return
    member.size = entry.length
    with entry.open() as file:
        try:
            archive.addfile(member, file)
        except OSError as error:
            if "unexpected end" in str(error):
                raise faults.Corrupt(f"{entry.source} changes while it is copied") from error
            raise


def _key(entries: Mapping[str, Entry], epoch: int) -> str:
    """What a layer depends on: names, modes, owners, contents, and the time."""
    total = hashlib.sha256(f"1 {epoch} {_LEVEL}".encode())
    for path in sorted(entries):
        entry = entries[path]
        content = ""
        if entry.kind == "file":
            own = hashlib.sha256()
            with entry.open() as file:
                while data := file.read(CHUNK):
                    own.update(data)
            content = own.hexdigest()
        parts = (path, entry.kind, entry.mode, entry.uid, entry.gid, entry.target, content)
        total.update(json.dumps(parts).encode())
    return total.hexdigest()


def _known(store: Store, place: Path) -> Layer | None:
    try:
        found = json.loads(place.read_bytes())
        layer = Layer(Descriptor(media.OCI_LAYER_GZIP, found["d"], found["s"]), found["i"])
        return layer if store.blobs.has(layer.descriptor.digest) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
