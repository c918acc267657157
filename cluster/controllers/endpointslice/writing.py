"""Writing slices, and waiting until one's own writes are seen."""

import asyncio

from cluster.api import errors, objects
from cluster.client import client, informer
from cluster.controllers import context, staleness
from cluster.controllers.endpointslice import packing


class SliceWriter:
    """Carries changes out for a key, and remembers them until the informer shows them."""

    def __init__(self, api: client.Client, slices: informer.Informer) -> None:
        self._client = api
        self._slices = slices
        self._writes = staleness.OwnWrites()

    async def carry_out(self, key: str, changes: packing.Changes) -> None:
        """Write the changes: first what adds endpoints, then what takes them away.

        errors.StatusError.
        """
        for new in changes.create:
            self._note(key, await self._client.create(context.ENDPOINT_SLICES, new))
        for changed in changes.update:
            self._note(key, await self._client.update(context.ENDPOINT_SLICES, changed))
        for doomed in changes.delete:
            try:
                await self._client.delete(
                    context.ENDPOINT_SLICES,
                    objects.name(doomed),
                    objects.namespace(doomed),
                    uid=objects.uid(doomed),
                )
            except errors.NotFound:
                continue

    def stale(self, key: str) -> bool:
        """Whether the informer does not show all that was written for a key."""
        return self._writes.stale(key, self._cached_revision, _loop_time())

    def forget(self, key: str) -> None:
        """The key's object is gone."""
        self._writes.forget(key)

    def _note(self, key: str, written: objects.Object) -> None:
        self._writes.note(key, objects.key(written), written, _loop_time())

    def _cached_revision(self, item: str) -> int:
        found = self._slices.store.get(item)
        return objects.revision(found) if found is not None else 0


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
