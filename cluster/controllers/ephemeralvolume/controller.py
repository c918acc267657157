"""The shell of the ephemeral volume controller."""

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.client import informer, reconciler, recorder
from cluster.controllers import claimusers, context, reporting
from cluster.controllers.ephemeralvolume import decision


class EphemeralVolumeController:
    """Makes a claim for each ephemeral volume; the garbage collector deletes it with the pod."""

    def __init__(self, ctx: context.Context) -> None:
        self._client = ctx.client
        self._workers = ctx.config.concurrent_ephemeralvolume_syncs
        self._claims = ctx.shared(context.CLAIMS)
        self._pods = ctx.shared(context.PODS, claimusers.INDEX)
        self._queue = ctx.queue()
        self._recorder = ctx.recorder("ephemeral_volume")
        ctx.on_change(self._pods, self._pod_changed)
        ctx.on_change(self._claims, self._claim_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        for source in (self._claims, self._pods):
            await source.synced()
        async with tasks.Group("ephemeral-volume") as group:
            group.spawn(self._recorder.run(), "recorder")
            work = reconciler.Reconciler(
                "ephemeral-volume", self._queue, self.reconcile, workers=self._workers
            )
            group.spawn(work.run(), "work")

    def _pod_changed(self, change: informer.Change) -> None:
        # Volumes of a pod never change, so its first sight is enough.
        if change.new is not None and change.old is None:
            self._enqueue(change.new, change.revision)

    def _claim_changed(self, change: informer.Change) -> None:
        """One that somebody deleted is made again while its pod is there."""
        if change.new is None:
            for pod in self._pods.store.by_index(claimusers.CLAIM_USERS, change.key):
                self._enqueue(pod, change.revision)

    def _enqueue(self, pod: Object, revision: int) -> None:
        if any("ephemeral" in volume for volume in claimusers.volumes_of(pod)):
            self._queue.add(objects.key(pod), revision)

    async def reconcile(self, key: str) -> None:
        """See to one pod."""
        pod = self._pods.store.get(key)
        if pod is None:
            return
        for each in decision.needed(pod):
            known = self._claims.store.get(objects.key(each.claim))
            if known is None:
                known = await self._create(pod, each)
            wrong = decision.foreign(pod, known) if known is not None else ""
            if wrong:
                self._fail(pod, each, wrong)
                raise errors.Conflict(wrong)  # tried again: the claim may go

    async def _create(self, pod: Object, needed: decision.Needed) -> Object | None:
        """Make a claim; gives what is there already by its name."""
        claim = needed.claim
        try:
            await self._client.create(context.CLAIMS, claim)
        except errors.AlreadyExists:
            return await self._client.get(
                context.CLAIMS, objects.name(claim), objects.namespace(claim)
            )
        except errors.StatusError as failure:
            if reporting.namespace_terminating(failure):
                return None
            self._fail(pod, needed, f"create PVC {objects.name(claim)}: {failure.message}")
            raise
        return None

    def _fail(self, pod: Object, needed: decision.Needed, why: str) -> None:
        text = f"ephemeral volume {needed.volume}: {why}"
        self._recorder.event(pod, recorder.WARNING, "FailedBinding", text)
