"""A store of named images: an OCI image layout (image-layout.md), which standard tools read.

`index.json` has an entry for each name, annotated with it as containerd does. Who adds an image
does so inside `adding()`, from its first blob to its name, so that `collect` takes nothing that is
about to be named.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cluster.images import faults, manifests, media
from cluster.images.descriptors import Descriptor, Document
from cluster.images.descriptors import read as read_descriptor
from cluster.images.store import blobs, locks

NAME: Final = "io.containerd.image.name"
TAG: Final = "org.opencontainers.image.ref.name"
_LAYOUT: Final = b'{"imageLayoutVersion":"1.0.0"}'
_MAX_INDEX: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Named:
    """An image under one of its names."""

    name: str
    target: Descriptor


class Store:
    """The images under `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = blobs.Blobs(root)
        self._index = root / "index.json"

    @asynccontextmanager
    async def adding(self) -> AsyncIterator[None]:
        """Nothing is collected while the block lasts. faults.Busy."""
        async with locks.held(self.root / ".lock", alone=False):
            yield

    def all(self) -> list[Named]:
        """Every name, in order. faults.Corrupt."""
        return [self._named(entry) for entry in self._entries()]

    def find(self, name: str) -> Named | None:
        """The image of a name in its normal form, or of a manifest's digest."""
        return next((one for one in self.all() if name in (one.name, one.target.digest)), None)

    async def name(self, name: str, target: Descriptor) -> None:
        """Give an image a name, which another loses."""
        await self._change(name, target)

    async def unname(self, name: str) -> bool:
        """Take a name away; whether there was one."""
        return await self._change(name, None)

    async def collect(self, keep: Iterable[str] = ()) -> tuple[int, int]:
        """Remove the blobs that no name leads to, but for `keep`; how many, and their bytes."""
        async with locks.held(self.root / ".lock", alone=True):
            self.blobs.sweep(float("inf"))
            wanted = {*keep}
            for one in self.all():
                wanted.update(reachable(self.blobs, one.target))
            return remove_others(self.blobs, wanted)

    def manifest(self, target: Descriptor) -> manifests.Manifest | manifests.Index:
        """The manifest or index that a descriptor tells of. faults.NotFound, faults.Corrupt."""
        return manifests.parse(self.blobs.read(target.digest, manifests.MAX_MANIFEST))

    def config(self, manifest: manifests.Manifest) -> Document:
        """The configuration of an image. faults.NotFound, faults.Corrupt."""
        return manifests.config(self.blobs.read(manifest.config.digest, manifests.MAX_CONFIG))

    async def _change(self, name: str, target: Descriptor | None) -> bool:
        # A lock of its own: who is `adding` holds the other one shared already.
        async with locks.held(self.root / ".index.lock", alone=True):
            old = self._entries()
            kept = [entry for entry in old if self._named(entry).name != name]
            if target is not None:
                kept.append(_entry(name, target))
            layout = self.root / "oci-layout"
            if not layout.exists():
                blobs.write_whole(layout, _LAYOUT)
            index = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": kept}
            blobs.write_whole(self._index, manifests.encode(index))
            return len(kept) != len(old) or target is not None

    def _entries(self) -> list[Document]:
        try:
            data = self._index.read_bytes()
        except FileNotFoundError:
            return []
        if len(data) > _MAX_INDEX:
            raise faults.Corrupt(f"{self._index} is too large")
        found = manifests.parse_large_index(data)
        return [one.document() for one in found]

    @staticmethod
    def _named(entry: Document) -> Named:
        found = read_descriptor(entry, "manifests")
        name = found.annotations.get(NAME, "") or found.annotations.get(TAG, "")
        more = {key: value for key, value in found.more.items() if key != "annotations"}
        return Named(name, replace(found, more=more))


def _entry(name: str, target: Descriptor) -> Document:
    annotations = {NAME: name, TAG: name}
    return replace(target, more={**target.more, "annotations": annotations}).document()


def reachable(source: blobs.Blobs, target: Descriptor) -> Iterator[str]:
    """The digests of all that an image consists of, as far as it is here."""
    waiting, seen = [target], set()
    while waiting:
        one = waiting.pop()
        if one.digest in seen:
            continue
        seen.add(one.digest)
        yield one.digest
        if one.media_type in media.ACCEPTED and source.has(one.digest):
            found = manifests.parse(source.read(one.digest, manifests.MAX_MANIFEST))
            waiting.extend(found.parts())


def remove_others(
    source: blobs.Blobs, wanted: set[str], spare: Callable[[str], bool] = lambda _digest: False
) -> tuple[int, int]:
    """Remove every blob but the wanted and the spared; how many, and their bytes."""
    count = size = 0
    for digest in source.all():
        if digest in wanted or spare(digest):
            continue
        size += source.size(digest)
        count += source.delete(digest)
    return count, size
