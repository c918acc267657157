"""Pulling an image into a store: resolve, fetch what is missing, look at every byte."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from cluster.aio import tasks
from cluster.api.imagereferences import Reference
from cluster.images import digests, faults, manifests, media, platforms
from cluster.images.client import remote as remotes
from cluster.images.client.remote import Remote
from cluster.images.descriptors import Descriptor
from cluster.images.store.blobs import Writer
from cluster.images.store.layout import Store

Progress = Callable[[Descriptor, int], None]
"""Takes a blob's descriptor and how many of its bytes are here."""

_AT_ONCE = 3
_TRIES = 5


class NoPlatform(faults.NotFound):
    """The image is not there for the platform that is wanted."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """An image that is in the store now. `target` may be an index, of which `manifest` is one."""

    target: Descriptor
    manifest: manifests.Manifest
    manifest_digest: str


def _nothing(_one: Descriptor, _bytes: int) -> None:
    return


async def pull(
    remote: Remote, reference: Reference, store: Store, *, platform: platforms.Platform,
    name: bool = True, progress: Progress = _nothing,
) -> Pulled:  # fmt: skip
    """Pull an image and give it its name in the store. faults.Fault."""
    scope = f"repository:{reference.path}:pull"
    async with store.adding():
        fetch = _Fetch(remote, reference, store, scope, progress)
        target = await fetch.resolve()
        own, manifest = await fetch.chosen(target, platform)
        await fetch.all(manifest)
        if name:
            await store.name(reference.name, target)
    return Pulled(target, manifest, own.digest)


class _Fetch:
    """One pull."""

    def __init__(
        self, remote: Remote, reference: Reference, store: Store, scope: str, progress: Progress
    ) -> None:
        self._remote = remote
        self._reference = reference
        self._store = store
        self._scope = scope
        self._progress = progress

    async def resolve(self) -> Descriptor:
        """The manifest or index that the reference names, which is in the store then."""
        what = self._reference.digest or self._reference.tag
        data, said = await self._manifest(what)
        found = manifests.parse(data, _known(said))
        return self._kept(found.media_type, data, self._reference.digest)

    async def chosen(
        self, target: Descriptor, platform: platforms.Platform
    ) -> tuple[Descriptor, manifests.Manifest]:
        """The manifest for the platform."""
        found = self._store.manifest(target)
        if isinstance(found, manifests.Manifest):
            return target, found
        one = platforms.choose(found.manifests, platform)
        if one is None:
            raise NoPlatform(
                f"no match for platform in manifest: {self._reference.name}: not found "
                f"(wanted is {platform})"
            )
        if not self._store.blobs.has(one.digest):
            data, _ = await self._manifest(one.digest)
            self._kept(one.media_type, data, one.digest)
        inner = self._store.manifest(one)
        if not isinstance(inner, manifests.Manifest):
            raise faults.Corrupt(f"{one.digest} is an index inside of an index")
        return one, inner

    async def all(self, manifest: manifests.Manifest) -> None:
        """Its configuration and its layers, a few at a time."""
        slots = asyncio.Semaphore(_AT_ONCE)
        wanted = {part.digest: part for part in manifest.parts()}

        async def one(part: Descriptor) -> None:
            async with slots:
                await self._blob(part)

        async with tasks.Group("pull") as group:
            for part in wanted.values():
                if media.is_distributed(part.media_type):
                    group.spawn(one(part), part.digest)

    async def _manifest(self, what: str) -> tuple[bytes, str]:
        path = f"/v2/{self._reference.path}/manifests/{what}"
        headers = {"Accept": ", ".join(media.ACCEPTED)}
        async with self._remote.ask("GET", path, scope=self._scope, headers=headers) as answer:
            if answer.status == 404:
                raise faults.NotFound(f"{self._reference.name}: not found")
            if answer.status != 200:
                said = await remotes.complaint(answer, self._remote)
                raise faults.Fault(f"unexpected status from GET request to {answer.url}: {said}")
            data = await remotes.bounded(answer, manifests.MAX_MANIFEST, self._remote)
            return data, answer.headers.get("Content-Type", "").partition(";")[0]

    def _kept(self, media_type: str, data: bytes, expected: str) -> Descriptor:
        digest = digests.of(data)
        if expected and digest != expected:
            raise _unexpected(f"manifest-{expected}", digest, expected)
        self._store.blobs.put(data)
        return Descriptor(media_type, digest, len(data))

    async def _blob(self, part: Descriptor) -> None:
        if self._store.blobs.has(part.digest):
            self._progress(part, part.size)
            return
        with self._store.blobs.writer() as writer:
            tries = _TRIES
            while True:
                before = writer.size
                try:
                    await self._go_on(part, writer)
                    break
                except remotes.Unreachable as error:
                    # What is here is kept; as long as more comes, it is gone on with.
                    tries -= 1
                    if error.final or tries == 0 or writer.size == before:
                        raise
            self._settle(part, writer)

    def _settle(self, part: Descriptor, writer: Writer) -> None:
        if writer.size != part.size:
            raise faults.Corrupt(
                f'failed commit on ref "layer-{part.digest}": commit failed: unexpected commit '
                f"size {writer.size}, expected {part.size}: failed precondition"
            )
        if writer.digest != part.digest:
            raise _unexpected(f"layer-{part.digest}", writer.digest, part.digest)
        writer.commit(part.digest)

    async def _go_on(self, part: Descriptor, writer: Writer) -> None:
        path = f"/v2/{self._reference.path}/blobs/{part.digest}"
        headers = {"Range": f"bytes={writer.size}-"} if writer.size else {}
        async with self._remote.ask("GET", path, scope=self._scope, headers=headers) as answer:
            if answer.status == 404:
                raise faults.NotFound(f"failed to copy: content at {answer.url} not found")
            skip = writer.size if answer.status == 200 else 0
            if answer.status not in (200, 206):
                said = await remotes.complaint(answer, self._remote)
                raise faults.Fault(f"failed to copy: unexpected status from {answer.url}: {said}")
            async for data in remotes.body(answer, self._remote):
                fresh, skip = data[skip:], max(skip - len(data), 0)
                if writer.size + len(fresh) > part.size:
                    raise faults.Corrupt(
                        f"failed to copy: {answer.url} sends more than the {part.size} bytes "
                        "that its descriptor says"
                    )
                writer.write(fresh)
                self._progress(part, writer.size)


def _known(said: str) -> str:
    """A registry that does not say what it sends is believed to send what the body says."""
    return said if said in media.ACCEPTED else ""


def _unexpected(ref: str, digest: str, expected: str) -> faults.Corrupt:
    return faults.Corrupt(
        f'failed commit on ref "{ref}": unexpected commit digest {digest}, expected {expected}: '
        "failed precondition"
    )
