"""The shell of the provisioner: claims in, volumes out; larger ones; and away with them."""

from typing import Final

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts, local
from cluster.client import informer, reconciler, recorder
from cluster.controllers import context
from cluster.controllers.localprovisioner import decision, resizing

_WORKERS: Final = 10
_RETRY: Final = 15.0
"""Seconds after which a claim that got no volume is tried again."""


class LocalProvisioner:
    """Makes volumes for claims, makes them larger, and deletes them when they are released."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._client = ctx.client
        self._claims = ctx.shared(context.CLAIMS)
        self._volumes = ctx.shared(context.VOLUMES)
        self._classes = ctx.shared(context.STORAGE_CLASSES)
        self._nodes = ctx.shared(context.NODES)
        self._claim_queue = ctx.queue()
        self._volume_queue = ctx.queue()
        self._recorder = ctx.recorder(decision.NAME)
        ctx.on_change(self._claims, self._claim_changed)
        ctx.on_change(self._volumes, self._volume_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        for source in (self._claims, self._volumes, self._classes, self._nodes):
            await source.synced()
        async with tasks.Group("local-volume-provisioner") as group:
            group.spawn(self._recorder.run(), "recorder")
            for name, queue, work in (
                ("claims", self._claim_queue, self.reconcile_claim),
                ("volumes", self._volume_queue, self.reconcile_volume),
            ):
                workers = reconciler.Reconciler(f"local-{name}", queue, work, workers=_WORKERS)
                group.spawn(workers.run(), name)

    def _claim_changed(self, change: informer.Change) -> None:
        claim = change.new
        if claim is None:
            return
        asks = facts.PROVISIONER in objects.annotations(claim)
        if (asks and not objects.spec(claim).get("volumeName")) or facts.wants_more(claim):
            self._claim_queue.add(change.key, change.revision)

    def _volume_changed(self, change: informer.Change) -> None:
        if change.new is not None and decision.to_delete(change.new):
            self._volume_queue.add(change.key, change.revision)

    async def reconcile_claim(self, key: str) -> None:
        """See to one claim."""
        claim = self._claims.store.get(key)
        if claim is None:
            return
        volume = self._volumes.store.get(objects.spec(claim).get("volumeName") or "")
        if volume is not None:
            if local.is_ours(volume) and resizing.wanted(claim, volume):
                await self._resize(claim, volume)
            return
        kind = self._classes.store.get(facts.class_of(claim))
        known = self._volumes.store.get(decision.volume_name(claim))
        if kind is not None and known is None and decision.wants_volume(claim, kind):
            await self._provision(claim, kind)

    async def _provision(self, claim: Object, kind: Object) -> None:
        text = f'External provisioner is provisioning volume for claim "{objects.key(claim)}"'
        self._recorder.event(claim, recorder.NORMAL, "Provisioning", text)
        made = decision.provision(claim, kind, self._nodes.store)
        if isinstance(made, decision.Refusal):
            await self._refuse(claim, kind, made)
            return
        try:
            await self._client.create(context.VOLUMES, made)
        except errors.AlreadyExists:
            return  # by an earlier life of this controller, who said so
        text = f"Successfully provisioned volume {objects.name(made)}"
        self._recorder.event(claim, recorder.NORMAL, "ProvisioningSucceeded", text)

    async def _refuse(self, claim: Object, kind: Object, refusal: decision.Refusal) -> None:
        text = f'failed to provision volume with StorageClass "{objects.name(kind)}": {refusal.why}'
        self._recorder.event(claim, recorder.WARNING, "ProvisioningFailed", text)
        if refusal.elsewhere:
            changed = facts.without_annotation(claim, facts.SELECTED_NODE)
            await self._client.update(context.CLAIMS, changed)
        else:
            self._claim_queue.add_after(objects.key(claim), _RETRY)

    async def _resize(self, claim: Object, volume: Object) -> None:
        if not resizing.under_way(claim):
            text = f"External resizer is resizing volume {objects.name(volume)}"
            self._recorder.event(claim, recorder.NORMAL, "Resizing", text)
            began = resizing.begun(claim, self._ctx.clock.now())
            claim = await self._client.update(context.CLAIMS, began, subresource="status")
        grown = resizing.grown(volume, claim)
        if grown is not None:
            await self._client.update(context.VOLUMES, grown)
        await self._client.update(context.CLAIMS, resizing.ended(claim), subresource="status")
        text = "Resize volume succeeded"
        self._recorder.event(claim, recorder.NORMAL, "VolumeResizeSuccessful", text)

    async def reconcile_volume(self, name: str) -> None:
        """Delete a volume that is released."""
        volume = self._volumes.store.get(name)
        if volume is not None and decision.to_delete(volume):
            await self._client.delete(context.VOLUMES, name, uid=objects.uid(volume))
