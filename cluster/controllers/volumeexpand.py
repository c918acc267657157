"""persistentvolume-expander: says who a claim that asks for more waits for.

No volume of a kind that kube-controller-manager grew by itself is left in Kubernetes; all are
grown by somebody else: here by the local provisioner, which is in this process too, or by nobody.
"""

from typing import Final

from cluster.aio import tasks
from cluster.api import objects
from cluster.api.persistentvolumes import facts
from cluster.client import informer, reconciler, recorder
from cluster.controllers import context

_TEXT: Final = "waiting for an external controller to expand this PVC"


class VolumeExpander:
    """Tells of claims that were made larger."""

    def __init__(self, ctx: context.Context) -> None:
        self._claims = ctx.shared(context.CLAIMS)
        self._volumes = ctx.shared(context.VOLUMES)
        self._queue = ctx.queue()
        self._recorder = ctx.recorder("volume_expand")
        ctx.on_change(self._claims, self._claim_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        for source in (self._claims, self._volumes):
            await source.synced()
        async with tasks.Group("persistentvolume-expander") as group:
            group.spawn(self._recorder.run(), "recorder")
            work = reconciler.Reconciler("volume-expand", self._queue, self.reconcile)
            group.spawn(work.run(), "work")

    def _claim_changed(self, change: informer.Change) -> None:
        old, new = change.old, change.new
        if new is None or not facts.wants_more(new):
            return
        if old is None or facts.requested(old) < facts.requested(new):
            self._queue.add(change.key, change.revision)

    async def reconcile(self, key: str) -> None:
        """See to one claim."""
        claim = self._claims.store.get(key)
        if claim is None or not facts.fully_bound(claim) or not facts.wants_more(claim):
            return
        volume = self._volumes.store.get(objects.spec(claim)["volumeName"])
        if volume is None:
            return
        # Somebody else made it, who is expected to grow it too.
        dynamic = facts.PROVISIONED_BY in objects.annotations(volume)
        known = dynamic or "csi" in objects.spec(volume)
        kind = recorder.NORMAL if known else recorder.WARNING
        self._recorder.event(claim, kind, "ExternalExpanding", _TEXT)
