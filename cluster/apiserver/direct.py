"""The client seam without a wire: a transport that calls a registry of the same process."""

from collections.abc import AsyncIterator, Sequence

from cluster.api import errors, identity
from cluster.api.operations import Operation
from cluster.apiserver import outside
from cluster.apiserver.chaos import stale
from cluster.apiserver.registry import Registry
from cluster.apiserver.watchcache.events import Event
from cluster.apiserver.writeround import Result
from cluster.client.transport import ALONE, Outcome, Raw, RawEvent, RawPage


class DirectTransport:
    """Reaches `registry` as `user`, who may do what its authorization allows.

    Implements `cluster.client.transport.Transport`.
    """

    def __init__(self, registry: Registry, user: identity.User) -> None:
        self._registry = registry
        self._user = user

    async def get(self, resource: str, namespace: str, name: str) -> Raw:
        """See `Transport.get`."""
        self._registry.check_read(self._user, "get", resource, (namespace, name))
        past = await self._meet("get", resource)
        if past:
            old = await stale.get(self._registry, resource, (namespace, name), past)
            return Raw(old.json, old.revision)
        entry = await self._registry.get(resource, namespace, name)
        return Raw(entry.json, entry.revision)

    async def list(
        self, resource: str, namespace: str, *, labels: str, fields: str, limit: int, token: str
    ) -> RawPage:
        """See `Transport.list`."""
        self._registry.check_read(self._user, "list", resource, (namespace, ""), fields)
        past = 0 if token else await self._meet("list", resource)
        page = await self._registry.list(
            resource, namespace, labels=labels, fields=fields, limit=limit, token=token,
            **stale.as_of(past),
        )  # fmt: skip
        return RawPage(
            [Raw(entry.json, entry.revision) for entry in page.items], page.revision, page.token
        )

    async def watch(
        self, resource: str, namespace: str, *, revision: int, labels: str, fields: str
    ) -> AsyncIterator[Sequence[RawEvent]]:
        """See `Transport.watch`."""
        self._registry.check_read(self._user, "watch", resource, (namespace, ""), fields)
        await self._meet("watch", resource)
        opened = await self._registry.watch(
            resource, namespace, revision=str(revision), labels=labels, fields=fields
        )
        watch = self._registry.suffering(opened, self._user, resource)
        leave = self._registry.presence.enter(self._user)
        unfollow = self._registry.followers.enter(watch, self._user, resource)
        try:
            async with watch:
                async for batch in watch:
                    yield [_raw(event) for event in batch.events]
        finally:
            leave()
            unfollow()

    async def _meet(self, verb: str, resource: str) -> int:
        """What faults do to a request; the revision as of which it is answered, 0: now."""
        faults = self._registry.faults
        return await faults.meet(self._user, verb, resource) if faults is not None else 0

    async def write(self, batch: Sequence[Operation]) -> Sequence[Outcome]:
        """See `Transport.write`."""
        return await self._written(batch, prompt=len(batch) > 1)

    async def write_promptly(self, batch: Sequence[Operation]) -> Sequence[Outcome]:
        """As `write`, but what would have to wait for others is answered ALONE in any batch."""
        return await self._written(batch, prompt=True)

    async def _written(self, batch: Sequence[Operation], *, prompt: bool) -> Sequence[Outcome]:
        results = await self._registry.write_allowed(batch, self._user, prompt=prompt)
        return [_outcome(result) for result in results]

    async def read(self, path: str) -> bytes:
        """See `Transport.read`."""
        return await self._registry.paths.read(path, self._user)


def _outcome(result: Result) -> Outcome:
    if isinstance(result, outside.Deferred):
        return ALONE
    if result is None or isinstance(result, errors.StatusError):
        return result
    return Raw(result.json, result.revision)


def _raw(event: Event) -> RawEvent:
    return RawEvent(event.type, event.json, event.revision)
