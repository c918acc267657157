"""The images on a node: pulled from registries that are known here, and else from an emulated world
that has (nearly) every image.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from cluster.aio import rpc
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import images, registryimages
from cluster.runtime.registryimages import Registries, RegistryImage

_SOMEBODY: Final = "65532"
"""The user of images of which nothing is known: pods that forbid root may run them."""
EMULATED: Final = "kubemu.dev/emulated"
"""What is told of an image that no registry is asked for."""
_SHORT_ID: Final = re.compile("[0-9a-f]{3,64}")


class ImageStore:
    """Images by id. Each pull from the emulated world takes `pull_seconds`."""

    def __init__(self, pull_seconds: float, registries: Registries | None = None) -> None:
        self._pull_seconds = pull_seconds
        self._registries = registries or registryimages.NoRegistries()
        self._names: dict[str, images.Reference] = {}
        self.on_change: Callable[[], None] = _nothing
        """Called when an emulated image comes or goes."""

    def emulated(self) -> tuple[str, ...]:
        """The names of the emulated images that are here."""
        return tuple(self._names)

    def restore(self, names: Iterable[str]) -> None:
        """Have these emulated images, as before a restart."""
        for name in names:
            with contextlib.suppress(ValueError):
                self._names[name] = images.parse(name)

    async def clear(self) -> None:
        """Have no image at all."""
        self._names = {}
        for real in list(self._registries.all()):
            await self._registries.remove(real.id)

    def find(self, text: str) -> pb.Image | None:
        """The image that a reference or an image id names, if it is here. rpc.Failure.

        People type the begin of an id, too.
        """
        if _SHORT_ID.fullmatch(text) and _parse(text).name not in self._names:
            return self._with_id(text)
        name = text if text.startswith("sha256:") else _parse(text).name
        real = self._registries.find(name)
        if real is not None:
            return registryimages.described(real)
        if text.startswith("sha256:"):
            emulated = map(describe, self._names.values())
            return next((one for one in emulated if one.id == text), None)
        found = self._names.get(name)
        return describe(found) if found else None

    def _with_id(self, begin: str) -> pb.Image | None:
        hits = {one.id: one for one in self.all() if one.id.startswith(f"sha256:{begin}")}
        return next(iter(hits.values())) if len(hits) == 1 else None

    def real(self, text: str) -> RegistryImage | None:
        """The image of a registry that a reference names, if it is here. rpc.Failure."""
        return self._registries.find(text if text.startswith("sha256:") else _parse(text).name)

    def all(self) -> list[pb.Image]:
        """Every image, in the order in which they were pulled."""
        real = [registryimages.described(one) for one in self._registries.all()]
        return [*map(describe, self._names.values()), *real]

    async def pull(self, text: str, username: str = "", password: str = "") -> pb.Image:
        """Get an image. rpc.Failure, worded as containerd does, where it cannot be had."""
        reference = _parse(text)
        if self._registries.serves(reference):
            found = await self._registries.pull(reference, username, password)
            return registryimages.described(found)
        if self._pull_seconds:
            await asyncio.sleep(self._pull_seconds)
        absence = images.absence(reference)
        if absence:
            raise _missing(reference, absence)
        if reference.name not in self._names:
            self._names[reference.name] = reference
            self.on_change()
        return describe(reference)

    def emulates(self, text: str) -> bool:
        """Whether no registry is asked for an image. rpc.Failure."""
        return not text.startswith("sha256:") and not self._registries.serves(_parse(text))

    async def remove(self, text: str) -> None:
        """Forget an image, by every name that it has; one that is not here is no error."""
        found = self.find(text)
        if found is None:
            return
        self._names = {
            name: ref for name, ref in self._names.items() if images.image_id(ref) != found.id
        }
        self.on_change()
        await self._registries.remove(found.id)


def _nothing() -> None:
    """Nobody wants to know."""


@lru_cache(1024)
def describe(reference: images.Reference) -> pb.Image:
    """The image as CRI has it. Shared: it is not to be changed."""
    tags = [f"{reference.repository}:{reference.tag}"] if reference.tag else []
    from cluster.runtime.emulated import catalog  # late: who only keeps a list needs none of it

    known = catalog.find(reference.path)
    user = known.user.partition(":")[0] if known is not None else _SOMEBODY
    return pb.Image(
        uid=pb.Int64Value(value=int(user)) if user.isdecimal() else None,
        username="" if user.isdecimal() else user,
        id=images.image_id(reference),
        repo_tags=tags,
        repo_digests=[f"{reference.repository}@{images.digest(reference)}"],
        size=images.size(reference),
        spec=pb.ImageSpec(image=reference.name),
    )


def _parse(text: str) -> images.Reference:
    try:
        return images.parse(text)
    except ValueError as error:
        raise rpc.Failure(
            "INVALID_ARGUMENT", f'failed to parse image reference "{text}": {error}'
        ) from error


def _missing(reference: images.Reference, absence: str) -> rpc.Failure:
    name = reference.name
    start = f'failed to pull and unpack image "{name}": failed to resolve reference "{name}"'
    if absence == "host":
        target = reference.digest or reference.tag
        url = f"https://{reference.host}/v2/{reference.path}/manifests/{target}"
        host = reference.host.partition(":")[0]
        return rpc.Failure(
            "UNKNOWN",
            f'{start}: failed to do request: Head "{url}": dial tcp: lookup {host}: no such host',
        )
    return rpc.Failure("NOT_FOUND", f"{start}: {name}: not found")
