"""The images that a node pulled from registries: what a container runtime is given from outside.

The runtime asks whether a reference is of a registry that is known here, has it pulled, and reads
what the image says of itself. Names are in their normal form.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from cluster.aio import rpc
from cluster.api import imagereferences
from cluster.images import digests, faults, manifests, platforms, rootfs
from cluster.images.store.layout import Named, Store

DEADLINE: Final = 600.0
"""Seconds that a pull may take in all."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a registry, as a runtime wants to know it. `config` is the image's own."""

    id: str
    name: str
    digest: str
    size: int
    config: Mapping[str, Any]
    flat: Path
    layers: tuple[tuple[str, str], ...] = ()
    """Digest and blob of each layer, from the bottom up."""

    def files(self) -> Iterator[rootfs.Entry]:
        """What is in its root, as far as it is small."""
        return rootfs.read(self.flat)


class NodeStore:
    """The images under `root`, from `registries` (`localhost:5000`)."""

    def __init__(
        self, root: Path, registries: tuple[str, ...], plain: tuple[str, ...] = (),
        authority: str = "",
    ) -> None:  # fmt: skip
        self._store = Store(root)
        self._registries = registries
        self._plain = plain
        self._authority = authority
        self._images: dict[str, Image] = {}
        self._read()

    def serves(self, reference: imagereferences.Reference) -> bool:
        """Whether the reference is of a registry that is asked."""
        return reference.host in self._registries

    def find(self, name: str) -> Image | None:
        """The image of this name, id, or repository and digest."""
        return self._images.get(name) or next((one for one in self.all() if one.id == name), None)

    def all(self) -> list[Image]:
        """Every image that is here, in order of names."""
        return [self._images[name] for name in sorted(self._images)]

    async def pull(
        self, reference: imagereferences.Reference, username: str, password: str
    ) -> Image:
        """Get an image. rpc.Failure in containerd's words."""
        from cluster.images.client import remote

        start = f'failed to pull and unpack image "{reference.name}": '
        try:
            return await self._pull(reference, username, password)
        except faults.NotFound as error:
            resolve = f'failed to resolve reference "{reference.name}": '
            raise rpc.Failure("NOT_FOUND", f"{start}{resolve}{error}") from error
        except remote.Denied as error:
            resolve = f'failed to resolve reference "{reference.name}": '
            raise rpc.Failure("UNKNOWN", f"{start}{resolve}{error}") from error
        except faults.Fault as error:
            told = str(error)
            if told.startswith("failed to do request"):
                told = f'failed to resolve reference "{reference.name}": {told}'
            raise rpc.Failure("UNKNOWN", f"{start}{told}") from error

    async def _pull(
        self, reference: imagereferences.Reference, username: str, password: str
    ) -> Image:
        # Imported here: a node that pulls nothing needs no HTTP.
        from cluster.images.client import pulling, remote
        from cluster.images.client.credentials import Credentials

        who = Credentials(username, password) if username else None
        settings = remote.Settings(plain=self._plain, authority=self._authority)
        try:
            async with (
                asyncio.timeout(DEADLINE),
                remote.opened(reference.host, who, settings) as registry,
            ):
                pulled = await pulling.pull(
                    registry, reference, self._store, platform=platforms.here()
                )
        except TimeoutError as error:
            raise faults.Fault(f"context deadline exceeded ({DEADLINE:g} s)") from error
        except OSError as error:
            raise faults.Fault(f"failed to copy: {error.strerror or error}") from error
        manifest = pulled.manifest
        flat = self._flat(manifest.config.digest)
        if not flat.exists():
            try:
                # Unpacking takes long for a large image: not on the loop.
                await asyncio.to_thread(rootfs.flatten, self._store.blobs, manifest.layers, flat)
            except OSError as error:
                raise faults.Fault(f"failed to extract layer: {error}") from error
        return self._take(Named(reference.name, pulled.target))

    async def remove(self, id: str) -> None:
        """Forget an image by all its names. rpc.Failure where something of it stays."""
        try:
            for image in [one for one in self.all() if one.id == id]:
                del self._images[image.name]
                await self._store.unname(image.name)
                image.flat.unlink(missing_ok=True)
            await self._store.collect()
        except (faults.Fault, OSError) as error:
            raise rpc.Failure("UNKNOWN", f'failed to delete image "{id}": {error}') from error

    def _read(self) -> None:
        """Find what an earlier run pulled. What is damaged is pulled anew."""
        try:
            known = self._store.all()
        except faults.Fault as error:
            structlog.get_logger().warning("the store of images is damaged", error=str(error))
            return
        for named in known:
            try:
                self._take(named)
            except faults.Fault as error:
                structlog.get_logger().warning("an image is damaged", error=str(error))

    def _flat(self, id: str) -> Path:
        return self._store.root / "rootfs" / digests.hex_of(id)

    def _take(self, named: Named) -> Image:
        """Read an image of the store. faults.Fault."""
        target = named.target
        found = self._store.manifest(target)
        if isinstance(found, manifests.Index):
            one = platforms.choose(found.manifests, platforms.here())
            if one is None:
                raise faults.NotFound(f"{named.name} is not for this platform")
            found = self._store.manifest(one)
        if not isinstance(found, manifests.Manifest):
            raise faults.Corrupt(f"{named.name} is an index inside of an index")
        size = sum(part.size for part in found.parts())
        config = self._store.config(found)
        own = found.config.digest
        blobs = self._store.blobs
        layers = tuple((one.digest, str(blobs.path(one.digest))) for one in found.layers)
        image = Image(own, named.name, target.digest, size, config, self._flat(own), layers)
        self._images[named.name] = image
        return image
