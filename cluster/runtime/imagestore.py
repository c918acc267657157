"""The images on a node: pulled from an emulated world that has (nearly) every image."""

import asyncio
from functools import lru_cache

from cluster.aio import rpc
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import images


class ImageStore:
    """Images by id. Each pull takes `pull_seconds`."""

    def __init__(self, pull_seconds: float) -> None:
        self._pull_seconds = pull_seconds
        self._names: dict[str, images.Reference] = {}

    def find(self, text: str) -> images.Reference | None:
        """The image that a reference or an image id names, if it is here. rpc.Failure."""
        if text.startswith("sha256:"):
            return next((ref for ref in self._names.values() if images.image_id(ref) == text), None)
        return self._names.get(_parse(text).name)

    def all(self) -> list[images.Reference]:
        """Every image, in the order in which they were pulled."""
        return list(self._names.values())

    async def pull(self, text: str) -> images.Reference:
        """Get an image. rpc.Failure, worded as containerd does, where it cannot be had."""
        reference = _parse(text)
        if self._pull_seconds:
            await asyncio.sleep(self._pull_seconds)
        absence = images.absence(reference)
        if absence:
            raise _missing(reference, absence)
        self._names[reference.name] = reference
        return reference

    def remove(self, text: str) -> None:
        """Forget an image, by every name that it has; one that is not here is no error."""
        found = self.find(text)
        if found is not None:
            gone = images.image_id(found)
            self._names = {
                name: ref for name, ref in self._names.items() if images.image_id(ref) != gone
            }


@lru_cache(1024)
def describe(reference: images.Reference) -> pb.Image:
    """The image as CRI has it. Shared: it is not to be changed."""
    tags = [f"{reference.repository}:{reference.tag}"] if reference.tag else []
    return pb.Image(
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
