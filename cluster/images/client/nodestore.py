"""The images that a node pulled from registries: what a container runtime is given from outside.

The runtime asks whether a reference is of a registry that is known here, has it pulled, and reads
what the image says of itself. Names are in their normal form.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cluster.api import imagereferences
from cluster.images import faults, manifests, platforms
from cluster.images.client import pulling, remote
from cluster.images.client.credentials import Credentials
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
    layers: tuple[str, ...]


class NodeStore:
    """The images under `root`, from `registries` (`localhost:5000`)."""

    def __init__(self, root: Path, registries: tuple[str, ...], settings: remote.Settings) -> None:
        self._store = Store(root)
        self._registries = registries
        self._settings = settings
        self._images: dict[str, Image] = {}
        for named in self._store.all():
            self._take(named)

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
        self, reference: imagereferences.Reference, credentials: Credentials | None
    ) -> Image:
        """Get an image. faults.Fault, whose message goes on from "failed to pull …: "."""
        import asyncio

        try:
            async with (
                asyncio.timeout(DEADLINE),
                remote.opened(reference.host, credentials, self._settings) as registry,
            ):
                pulled = await pulling.pull(
                    registry, reference, self._store, platform=platforms.here()
                )
        except TimeoutError as error:
            raise faults.Fault(f"context deadline exceeded ({DEADLINE:g} s)") from error
        except OSError as error:
            raise faults.Fault(f"failed to copy: {error.strerror or error}") from error
        return self._take(Named(reference.name, pulled.target))

    async def remove(self, id: str) -> None:
        """Forget an image by all its names."""
        for image in [one for one in self.all() if one.id == id]:
            del self._images[image.name]
            await self._store.unname(image.name)
        await self._store.collect()

    def _take(self, named: Named) -> Image:
        """Read an image of the store. faults.Fault."""
        target = named.target
        found = self._store.manifest(target)
        if isinstance(found, manifests.Index):
            one = platforms.choose(found.manifests, platforms.here())
            if one is None:
                raise pulling.NoPlatform(f"{named.name} is not for this platform")
            found = self._store.manifest(one)
        if not isinstance(found, manifests.Manifest):
            raise faults.Corrupt(f"{named.name} is an index inside of an index")
        size = sum(part.size for part in found.parts())
        config = self._store.config(found)
        layers = tuple(layer.digest for layer in found.layers)
        image = Image(found.config.digest, named.name, target.digest, size, config, layers)
        self._images[named.name] = image
        return image
