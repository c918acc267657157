"""Pushing an image out of a store: what is missing there, and the manifest at last."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import aiohttp

from cluster.aio import tasks
from cluster.api.imagereferences import Reference
from cluster.images import faults, manifests, media
from cluster.images.client import remote as remotes
from cluster.images.client.pulling import Progress
from cluster.images.client.remote import Remote
from cluster.images.descriptors import Descriptor
from cluster.images.store.layout import Store

_AT_ONCE: Final = 3
_CHUNK: Final = 256 << 10


def _nothing(_one: Descriptor, _bytes: int) -> None:
    return


async def push(
    remote: Remote, reference: Reference, store: Store, target: Descriptor,
    progress: Progress = _nothing,
) -> None:  # fmt: skip
    """Push an image under a name. faults.Fault.

    Of an index, the manifests that are in the store are pushed; one that misses some is refused.
    """
    scope = f"repository:{reference.path}:pull,push"
    pushing = _Push(remote, reference.path, store, scope, progress)
    async with store.adding():
        await pushing.tree(target, reference.tag or target.digest)


class _Push:
    """One push."""

    def __init__(
        self, remote: Remote, path: str, store: Store, scope: str, progress: Progress
    ) -> None:
        self._remote = remote
        self._path = path
        self._store = store
        self._scope = scope
        self._progress = progress

    async def tree(self, target: Descriptor, what: str) -> None:
        """A manifest with all that it points at; an index with its manifests."""
        found = self._store.manifest(target)
        if isinstance(found, manifests.Index):
            absent = [one for one in found.manifests if not self._store.blobs.has(one.digest)]
            if absent:
                raise faults.NotFound(
                    f"{target.digest} is an index of {len(found.manifests)} images, "
                    f"{len(absent)} of which are not in the store (it was pulled for one platform)"
                )
            for one in found.manifests:
                await self.tree(one, one.digest)
        else:
            await self._blobs(found)
        await self._manifest(target, found.media_type, what)

    async def _blobs(self, manifest: manifests.Manifest) -> None:
        slots = asyncio.Semaphore(_AT_ONCE)
        wanted = {part.digest: part for part in manifest.parts()}

        async def one(part: Descriptor) -> None:
            async with slots:
                await self._blob(part)

        async with tasks.Group("push") as group:
            for part in wanted.values():
                if media.is_distributed(part.media_type):
                    group.spawn(one(part), part.digest)

    async def _blob(self, part: Descriptor) -> None:
        path = f"/v2/{self._path}/blobs/{part.digest}"
        async with self._remote.ask("HEAD", path, scope=self._scope) as answer:
            if answer.status == 200:
                self._progress(part, part.size)
                return
        begin = f"/v2/{self._path}/blobs/uploads/"
        async with self._remote.ask("POST", begin, scope=self._scope) as answer:
            where = answer.headers.get("Location", "")
            if answer.status != 202:
                raise await self._failure(answer, f"upload of {part.digest}")
            if not where:
                raise faults.Fault(
                    f"{self._remote.host} takes the upload of {part.digest} (202 Accepted), "
                    "but its answer has no Location: it does not say where to"
                )
        mark = "&" if "?" in where else "?"
        headers = {
            "Content-Type": "application/octet-stream", "Content-Length": str(part.size),
        }  # fmt: skip
        async with self._remote.ask(
            "PUT", f"{where}{mark}digest={part.digest}", scope=self._scope, headers=headers,
            data=self._content(part), repeatable=False,
        ) as answer:  # fmt: skip
            if answer.status != 201:
                raise await self._failure(answer, f"upload of {part.digest}")

    async def _content(self, part: Descriptor) -> AsyncIterator[bytes]:
        sent = 0
        with self._store.blobs.open(part.digest) as file:
            while data := file.read(_CHUNK):
                yield data
                sent += len(data)
                self._progress(part, sent)

    async def _manifest(self, target: Descriptor, media_type: str, what: str) -> None:
        data = self._store.blobs.read(target.digest, manifests.MAX_MANIFEST)
        path = f"/v2/{self._path}/manifests/{what}"
        headers = {"Content-Type": media_type}
        async with self._remote.ask(
            "PUT", path, scope=self._scope, headers=headers, data=data
        ) as answer:
            if answer.status != 201:
                raise await self._failure(answer, f"manifest {what}")

    async def _failure(self, answer: aiohttp.ClientResponse, what: str) -> faults.Fault:
        said = await remotes.complaint(answer, self._remote)
        return faults.Fault(f"{self._remote.host} refuses the {what}: {said}")
