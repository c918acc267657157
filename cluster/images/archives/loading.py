"""Reads images out of archives: what they are named, and every blob, looked at."""

import gzip
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cluster.api import imagereferences, json_text
from cluster.images import faults, manifests, media
from cluster.images.archives.sources import Folder, Source, Tar
from cluster.images.descriptors import Descriptor
from cluster.images.descriptors import read as read_descriptor
from cluster.images.store.blobs import CHUNK
from cluster.images.store.layout import Store

_NAMES: Final = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_DAMAGED: Final = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)
_MAX_JSON: Final = 4 << 20


async def load(store: Store, path: Path, *, shown: str = "") -> list[tuple[str, Descriptor]]:
    """Put the images of a tar or folder into the store; their names ("" for none), and what they
    are. `shown` is what people call the archive. faults.Fault.
    """
    found: list[tuple[str, Descriptor]] = []
    async with store.adding():
        with _source(path, shown or str(path)) as source:
            if source.has("index.json"):
                found = list(_layout(store, source))
            elif source.has("manifest.json"):
                found = list(_docker(store, source))
            else:
                raise faults.Corrupt(
                    f"{shown or path} is neither an OCI image layout (index.json) nor a Docker "
                    "archive (manifest.json)"
                )
        for name, target in found:
            await store.name(name or target.digest, target)
    return found


@contextmanager
def _source(path: Path, shown: str) -> Iterator[Source]:
    if path.is_dir():
        yield Folder(path)
        return
    try:
        with tarfile.open(path, "r:*") as archive:
            yield Tar(archive)
    except (*_DAMAGED, gzip.BadGzipFile) as error:
        # One that begins well has an end too soon; what Python tried in between is its own affair.
        cut = isinstance(error, EOFError) or "unexpected end" in str(error)
        why = "unexpected EOF" if cut else "archive/tar: invalid tar header"
        raise faults.Corrupt(f"{shown} is no tar: {why}") from error


def _layout(store: Store, source: Source) -> Iterator[tuple[str, Descriptor]]:
    for entry in _list(_json(source, "index.json").get("manifests"), "index.json: manifests"):
        target = read_descriptor(entry, "index.json: manifests")
        _tree(store, source, target)
        said = next((target.annotations[key] for key in _NAMES if key in target.annotations), "")
        clean = Descriptor(
            target.media_type, target.digest, target.size,
            {key: value for key, value in target.more.items() if key != "annotations"},
        )  # fmt: skip
        # A mere tag (`latest`), as the layout's specification has it, names no image.
        yield _name(said) if any(mark in said for mark in "/:") else "", clean


def _tree(store: Store, source: Source, target: Descriptor) -> None:
    """Take a manifest with all that it points at; of an index what is in the archive."""
    _blob(store, source, target, _place(target.digest))
    found = store.manifest(target)
    for part in found.parts():
        if isinstance(found, manifests.Index):
            if source.has(_place(part.digest)):
                _tree(store, source, part)
        elif media.is_distributed(part.media_type):
            _blob(store, source, part, _place(part.digest))


def _blob(store: Store, source: Source, part: Descriptor, place: str) -> None:
    if store.blobs.has(part.digest):
        return
    with source.open(place) as file, store.blobs.writer() as writer:
        while data := file.read(CHUNK):
            if writer.size + len(data) > part.size:
                raise faults.Corrupt(f"{part.digest} has more than {part.size} bytes")
            writer.write(data)
        writer.commit(part.digest, part.size)


def _docker(store: Store, source: Source) -> Iterator[tuple[str, Descriptor]]:
    listed = _json(source, "manifest.json", list)
    for entry in listed:
        if not isinstance(entry, dict) or not isinstance(entry.get("Config"), str):
            raise faults.Corrupt("manifest.json has no Config")
        config = _read(source, entry["Config"])
        ids = manifests.config(config)["rootfs"]["diff_ids"]
        names = _list(entry.get("Layers"), "manifest.json: Layers")
        if len(names) != len(ids):
            raise faults.Corrupt(f"there are {len(names)} layers, and {len(ids)} diff_ids")
        layers = [_layer(store, source, str(name)) for name in names]
        of_config = Descriptor(media.OCI_CONFIG, store.blobs.put(config), len(config))
        data = manifests.encode(manifests.of_image(of_config, layers))
        target = Descriptor(media.OCI_MANIFEST, store.blobs.put(data), len(data))
        tags = [str(tag) for tag in _list(entry.get("RepoTags") or [], "manifest.json: RepoTags")]
        for tag in tags or [""]:
            yield (_name(tag) if tag else ""), target


def _layer(store: Store, source: Source, name: str) -> Descriptor:
    """A layer, whose digest nobody has said: its content is what counts."""
    with source.open(name) as file, store.blobs.writer() as writer:
        first = file.read(CHUNK)
        writer.write(first)
        while data := file.read(CHUNK):
            writer.write(data)
        size, digest = writer.size, writer.commit(writer.digest)
    kind = media.OCI_LAYER
    if first.startswith(b"\x1f\x8b"):
        kind = media.OCI_LAYER_GZIP
    elif first.startswith(b"\x28\xb5\x2f\xfd"):
        kind = media.OCI_LAYER_ZSTD
    return Descriptor(kind, digest, size)


def _name(text: str) -> str:
    try:
        return imagereferences.parse(text).name
    except ValueError as error:
        raise faults.Corrupt(f"{text[:200]!r} is no name of an image: {error}") from error


def _json(source: Source, name: str, kind: type = dict) -> Any:
    try:
        found = json_text.decoded(_read(source, name))
    except json_text.Malformed as error:
        raise faults.Corrupt(f"{name} is no JSON: {error}") from error
    if not isinstance(found, kind):
        raise faults.Corrupt(f"{name} is not of its kind")
    return found


def _read(source: Source, name: str) -> bytes:
    with source.open(name) as file:
        data = file.read(_MAX_JSON + 1)
    if len(data) > _MAX_JSON:
        raise faults.Corrupt(f"{name[:200]} has more than {_MAX_JSON} bytes")
    return data


def _list(found: Any, what: str) -> list[Any]:
    if not isinstance(found, list):
        raise faults.Corrupt(f"{what} is no list")
    return found


def _place(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"
