"""`cluster.v1.Store`: what administrators do with the store of a running API server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import grpc

from cluster.aio.clock import Clock
from cluster.api import errors, identity, timestamps
from cluster.apiserver import codec
from cluster.apiserver.storekeeping import own
from cluster.pb.cluster.v1 import store_pb2 as pb
from cluster.storage import interface as storage
from cluster.storage import paging

if TYPE_CHECKING:
    from cluster.apiserver.registry import Registry

NAME: Final = "cluster.v1.Store"
_PAGE_BYTES: Final = 4 << 20

Who = Callable[[Any], identity.User]


class StoreFace:
    """Serves `store`, as it is beneath any encryption, to whom `who` tells to be administrators.

    `plain` is the same, decrypted.
    """

    def __init__(
        self, store: storage.Storage, plain: storage.Storage, registry: "Registry",
        *, clock: Clock, who: Who, version: str,
    ) -> None:  # fmt: skip
        self._store = store
        self._plain = plain
        self._registry = registry
        self._clock = clock
        self._who = who
        self._version = version

    async def Save(self, _request: Any, context: Any) -> AsyncIterator[Any]:
        """Everything, as of one revision."""
        async with self._answering(context, administrator=True):
            revision = await self._store.newest()
            header = pb.SaveHeader(
                revision=revision, seconds=self._clock.now(), kubernetes_version=self._version
            )
            yield pb.SaveResponse(header=header)
            async for records in paging.pages(self._store, codec.PREFIX, revision):
                kept = [record for record in records if not own.of_servers(record.key)]
                for message in _messages(kept):
                    yield message

    async def Verify(self, _request: Any, context: Any) -> AsyncIterator[Any]:
        """What is wrong with what is stored."""
        from cluster.apiserver.storekeeping.verifying import Verifier

        async with self._answering(context, administrator=True):
            revision = await self._store.newest()
            verifier = Verifier(
                self._registry.table, revision, self._clock.now(), self._version,
                self._registry.cache.reason,
            )  # fmt: skip
            async for records in paging.pages(self._plain, codec.PREFIX, revision):
                for record in records:
                    for found in verifier.take(record):
                        yield pb.VerifyResponse(findings=[pb.Finding(**found._asdict())])
                    await asyncio.sleep(0)  # the rules take a while: others have their turn
            last = [pb.Finding(**found._asdict()) for found in verifier.rest()]
            yield pb.VerifyResponse(findings=last, records=verifier.records, revision=revision)

    async def Compact(self, request: Any, context: Any) -> Any:
        """Forget history."""
        async with self._answering(context, administrator=True):
            revision = request.revision or await self._store.newest()
            await self._store.compact(revision)
            return pb.CompactResponse(revision=revision)

    async def Defragment(self, _request: Any, context: Any) -> Any:
        """Give back to the disk."""
        async with self._answering(context, administrator=True):
            before, after = await self._store.defragment()
            return pb.DefragmentResponse(before=before, after=after)

    async def Past(self, request: Any, context: Any) -> Any:
        """Which revision was there at a time."""
        async with self._answering(context, administrator=False):
            await self._store.newest()
            kept = await self._store.kept()
            found = await self._store.revision_at(request.seconds) if request.seconds else 0
            return pb.PastResponse(
                revision=max(found, kept.oldest) if found else 0,
                oldest=kept.oldest,
                newest=kept.newest,
                since=kept.since or 0,
            )

    @asynccontextmanager
    async def _answering(self, context: Any, *, administrator: bool) -> AsyncIterator[None]:
        """Ask who calls; turn failures into gRPC's."""
        codes = grpc.StatusCode
        try:
            user = self._who(context)
            if administrator and identity.MASTERS not in user.groups:
                await context.abort(
                    codes.PERMISSION_DENIED, "the store as a whole is for administrators alone"
                )
            yield
        except errors.StatusError as error:
            await context.abort(codes.UNAUTHENTICATED, error.message)
        except storage.TooEarly as error:
            await context.abort(codes.OUT_OF_RANGE, _too_early(error.kept))
        except (storage.Compacted, storage.FutureRevision) as error:
            await context.abort(codes.OUT_OF_RANGE, str(error))
        except storage.Unavailable as error:
            await context.abort(codes.UNAVAILABLE, str(error))


def _too_early(kept: storage.Kept) -> str:
    if kept.since is None:
        return "this store does not know when its revisions were made"
    oldest = timestamps.encode(kept.since)
    return f"the oldest time that is kept is {oldest} (revision {kept.oldest})"


def _messages(records: list[storage.Record]) -> list[Any]:
    """Records in messages of a few megabytes."""
    messages: list[Any] = []
    held: list[Any] = []
    size = 0
    for record in records:
        held.append(pb.SavedRecord(**record._asdict()))
        size += len(record.value)
        if size > _PAGE_BYTES:
            messages.append(pb.SaveResponse(records=held))
            held, size = [], 0
    if held:
        messages.append(pb.SaveResponse(records=held))
    return messages
