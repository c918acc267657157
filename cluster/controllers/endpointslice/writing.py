"""Writing slices, and waiting until one's own writes are seen."""

import asyncio
from collections.abc import Sequence
from typing import Final

from cluster.api import errors, objects
from cluster.controllers import context, staleness
from cluster.controllers.endpointslice import packing

OF_SERVICE: Final = "service"
"""Index of slices: the key of the Service that they name."""


def _service_of(found: objects.Object) -> list[str]:
    name = objects.labels(found).get(packing.SERVICE_NAME)
    return [f"{objects.namespace(found)}/{name}"] if name else []


class SliceWriter:
    """Carries changes out for a key, and remembers them until the informer shows them."""

    def __init__(self, ctx: context.Context) -> None:
        self._client = ctx.client
        self.slices = ctx.shared(context.ENDPOINT_SLICES, {OF_SERVICE: _service_of})
        self._writes = staleness.OwnWrites()

    def of_service(self, key: str) -> Sequence[objects.Object]:
        """All slices that name a Service (`namespace/name`), whoever made them."""
        return self.slices.store.by_index(OF_SERVICE, key)

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
        return self._writes.stale(key, staleness.shown_by(self.slices.store), _loop_time())

    def forget(self, key: str) -> None:
        """The key's object is gone."""
        self._writes.forget(key)

    def _note(self, key: str, written: objects.Object) -> None:
        self._writes.note(key, objects.key(written), written, _loop_time())


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
