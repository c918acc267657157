"""The token cleaner: bootstrap tokens that have expired are deleted."""

import math
from typing import Final

from cluster.aio import tasks
from cluster.api import bootstraptokens, errors, objects
from cluster.client import informer, reconciler
from cluster.controllers import context

_SECRETS: Final = "secrets"
_LONGEST: Final = 86_400.0
"""Seconds that are waited at once: a token of a far future is looked at again each day."""


class TokenCleaner:
    """Deletes each token at its time."""

    def __init__(self, ctx: context.Context) -> None:
        self._client = ctx.client
        self._clock = ctx.clock
        self._secrets = ctx.shared(_SECRETS)
        self._queue = ctx.queue()
        ctx.on_change(self._secrets, self._changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with tasks.Group("tokencleaner") as group:
            work = reconciler.Reconciler("tokencleaner", self._queue, self.reconcile)
            group.spawn(work.run(), "work")

    def _changed(self, change: informer.Change) -> None:
        secret = change.new
        if secret is None or secret.get("type") != bootstraptokens.TYPE:
            return
        if objects.namespace(secret) == bootstraptokens.NAMESPACE:
            self._queue.add(change.key, change.revision)

    async def reconcile(self, key: str) -> None:
        """See to one token."""
        secret = self._secrets.store.get(key)
        if secret is None or secret.get("type") != bootstraptokens.TYPE or objects.deleting(secret):
            return
        left = bootstraptokens.left(secret, self._clock.now())
        if left > 0:
            if left < math.inf:
                self._queue.add_after(key, min(left, _LONGEST))
            return
        place = objects.name(secret), objects.namespace(secret)
        try:
            await self._client.delete(_SECRETS, *place, uid=objects.uid(secret))
        except (errors.NotFound, errors.Conflict):
            return
