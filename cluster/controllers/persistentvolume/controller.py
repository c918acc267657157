"""The shell of the binder: informers and queues around `claims` and `volumes`.

Claims that wait are looked at again when a volume or class comes that may help, and every
`pvclaimbinder_sync_period` in any case, as Kubernetes does.
"""

from typing import Final

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts
from cluster.client import informer, reconciler, recorder
from cluster.controllers import context
from cluster.controllers.persistentvolume import actions, changes, claims, volumes
from cluster.controllers.persistentvolume.known import Known

_WORKERS: Final = 10
_CLASS: Final = "*/"
"""Prefix of the queue's keys that stand for all unbound claims of a class."""
_GATHER: Final = 0.05
"""Seconds in which many new volumes count as one reason to look at the claims of their class."""


class VolumeBinder:
    """Binds claims to volumes, and releases volumes whose claims are gone."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._client = ctx.client
        self._known = Known(ctx)
        self._claim_queue = ctx.queue()
        self._volume_queue = ctx.queue()
        self._recorder = ctx.recorder("persistentvolume-controller")
        ctx.on_change(self._known.volume_source, self._volume_changed)
        ctx.on_change(self._known.claims, self._claim_changed)
        ctx.on_change(self._known.classes, self._class_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        known = self._known
        for source in (known.claims, known.volume_source, known.classes, known.pods):
            await source.synced()
        async with tasks.Group("persistentvolume-binder") as group:
            group.spawn(self._recorder.run(), "recorder")
            for name, queue, work in (
                ("claims", self._claim_queue, self.reconcile_claim),
                ("volumes", self._volume_queue, self.reconcile_volume),
            ):
                workers = reconciler.Reconciler(f"pv-{name}", queue, work, workers=_WORKERS)
                group.spawn(workers.run(), name)

    def _volume_changed(self, change: informer.Change) -> None:
        name = objects.name(change.object)
        if change.new is None:
            self._known.volumes.remove(name)
        else:
            self._known.volumes.put(change.new)
            self._volume_queue.add(name, change.revision)
        for state in (change.old, change.new):
            claim = facts.claim_of(state) if state is not None else ""
            if claim:
                self._claim_queue.add(claim, change.revision)
        for claim in self._known.naming(name):
            self._claim_queue.add(claim, change.revision)
        if change.new is not None and not facts.claim_of(change.new):
            self._look_again(facts.class_of(change.new), change.revision)

    def _claim_changed(self, change: informer.Change) -> None:
        if change.new is not None:
            self._claim_queue.add(change.key, change.revision)
        for name in self._known.volumes.of_claim(change.key):
            self._volume_queue.add(name, change.revision)

    def _class_changed(self, change: informer.Change) -> None:
        if change.new is not None:
            for name in (objects.name(change.new), ""):
                self._look_again(name, change.revision)

    def _look_again(self, storage_class: str, revision: int) -> None:
        if self._known.unbound_of(storage_class):
            self._claim_queue.add_after(f"{_CLASS}{storage_class}", _GATHER, revision)

    async def reconcile_claim(self, key: str) -> None:
        """See to one claim, or have all unbound ones of a class looked at."""
        if key.startswith(_CLASS):
            for each in self._known.unbound_of(key.removeprefix(_CLASS)):
                self._claim_queue.add(each)
            return
        claim = self._known.claims.store.get(key)
        if claim is None:
            return
        match claims.decide(claim, self._known):
            case actions.Bind(volume):
                await self._bind(claim, volume)
            case actions.Assign(name):
                spec = objects.spec(claim) | {"storageClassName": name}
                await self._client.update(context.CLAIMS, {**claim, "spec": spec})
            case actions.Provision(provisioner, event):
                await self._ask(claim, provisioner, event)
            case actions.Wait(event, phase):
                await self._stay(claim, phase, event)

    async def _bind(self, claim: Object, volume: Object) -> None:
        """Volume first, then claim: each step is found done when the next one failed."""
        name = objects.name(volume)
        self._known.volumes.take(name, objects.uid(claim))
        try:
            changed = facts.volume_bound(volume, claim)
            if changed is not None:
                volume = self._known.note(await self._client.update(context.VOLUMES, changed))
            volume = await self._set_phase(volume, actions.Phase("Bound"))
        finally:
            self._known.volumes.give_back(name)
        changed = changes.claim_bound(claim, volume)
        if changed is not None:
            claim = await self._client.update(context.CLAIMS, changed)
        changed = changes.claim_status(claim, "Bound", volume)
        if changed is not None:
            await self._client.update(context.CLAIMS, changed, subresource="status")

    async def _ask(self, claim: Object, provisioner: str, event: actions.Event) -> None:
        """Name the provisioner: that is what it waits for."""
        changed = changes.provisioned_by(claim, provisioner)
        if changed is not None:
            claim = await self._client.update(context.CLAIMS, changed)
        await self._stay(claim, "Pending", event)

    async def _stay(self, claim: Object, phase: str, event: actions.Event | None) -> None:
        lost = phase != "Pending"
        known = objects.status(claim).get("phase") == phase
        changed = None if lost and known else changes.claim_status(claim, phase, None)
        if changed is not None:
            claim = await self._client.update(context.CLAIMS, changed, subresource="status")
        if event is not None and not (lost and known):
            self._tell(claim, event)
        if not lost:
            period = self._ctx.config.pvclaimbinder_sync_period
            self._claim_queue.add_after(objects.key(claim), period)

    async def reconcile_volume(self, name: str) -> None:
        """See to one volume, until nothing is left to do about it."""
        volume = self._known.volumes.get(name)
        if volume is None:
            return
        found = volumes.decide(volume, await self._claim_of(volume))
        match found:
            case actions.Phase():
                await self._set_phase(volume, found)
                if found.phase == volumes.RELEASED:
                    self._volume_queue.add(name, objects.revision(volume))
            case actions.Unbind():
                volume = self._known.note(
                    await self._client.update(context.VOLUMES, changes.unbound(volume))
                )
                await self._set_phase(volume, actions.Phase("Available"))
            case actions.Delete():
                await self._client.delete(context.VOLUMES, name, uid=objects.uid(volume))
            case actions.Wake(claim, on_volume, on_claim):
                if on_volume is None or on_claim is None:
                    self._claim_queue.add(objects.key(claim), objects.revision(volume))
                else:
                    self._tell(volume, on_volume)
                    self._tell(claim, on_claim)

    async def _claim_of(self, volume: Object) -> Object | None:
        """The claim of the name that a volume names.

        Before a volume is released the API is asked: whoever made the volume may know a claim of
        which this process has not heard yet.
        """
        reference = objects.spec(volume).get("claimRef") or {}
        if not reference.get("uid"):
            return None
        claim = self._known.claims.store.get(facts.claim_of(volume))
        if claim is not None and objects.uid(claim) == reference["uid"]:
            return claim
        if objects.status(volume).get("phase") in volumes.ENDED:
            return claim
        try:
            return await self._client.get(context.CLAIMS, reference["name"], reference["namespace"])
        except errors.NotFound:
            return None

    async def _set_phase(self, volume: Object, wanted: actions.Phase) -> Object:
        now = self._ctx.clock.now()
        changed = changes.phase(volume, wanted.phase, wanted.message, now)
        if changed is None:
            return volume
        volume = await self._client.update(context.VOLUMES, changed, subresource="status")
        if wanted.event is not None:
            self._tell(volume, wanted.event)
        return self._known.note(volume)

    def _tell(self, obj: Object, event: actions.Event) -> None:
        kind = recorder.WARNING if event.warning else recorder.NORMAL
        self._recorder.event(obj, kind, event.reason, event.message)
