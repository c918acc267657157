"""The controllers pvc-protection and pv-protection: they take finalizers away in time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cluster.aio import tasks
from cluster.api import objects
from cluster.client import client, informer, reconciler
from cluster.controllers import claimusers, context
from cluster.controllers.volumeprotection import decision


@dataclass(frozen=True, slots=True)
class _Look:
    """Who used which claims of a namespace, by the API at a revision: one look serves all the
    claims that had been marked for deletion by then.
    """

    namespace: str = ""
    revision: int = 0
    users: Mapping[str, Sequence[objects.Object]] = field(default_factory=dict)

    @classmethod
    def by(cls, namespace: str, listing: client.Listing) -> "_Look":
        users: dict[str, list[objects.Object]] = {}
        for pod in listing.items:
            for key in claimusers.claims_of(pod):
                users.setdefault(key, []).append(pod)
        return cls(namespace, listing.revision, users)

    def tells_of(self, claim: objects.Object) -> bool:
        """Whether it tells that the claim is not used."""
        if objects.namespace(claim) != self.namespace or objects.revision(claim) > self.revision:
            return False
        return not self.uses(claim)

    def uses(self, claim: objects.Object) -> bool:
        """Whether somebody used the claim then."""
        return decision.claim_in_use(claim, self.users.get(objects.key(claim), ()))


class ClaimProtection:
    """Lets go of claims that are marked for deletion once no pod uses them."""

    def __init__(self, ctx: context.Context) -> None:
        self._client = ctx.client
        self._claims = ctx.shared(context.CLAIMS)
        self._pods = ctx.shared(context.PODS, claimusers.INDEX)
        self._queue = ctx.queue()
        self._look = _Look()
        ctx.on_change(self._claims, self._claim_changed)
        ctx.on_change(self._pods, self._pod_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        for source in (self._claims, self._pods):
            await source.synced()
        async with tasks.Group("persistentvolumeclaim-protection") as group:
            work = reconciler.Reconciler("pvc-protection", self._queue, self.reconcile)
            group.spawn(work.run(), "work")

    def _claim_changed(self, change: informer.Change) -> None:
        if change.new is not None:
            self._queue.add(change.key, change.revision)

    def _pod_changed(self, change: informer.Change) -> None:
        for pod in (change.old, change.new):
            for key in claimusers.claims_of(pod) if pod is not None else ():
                claim = self._claims.store.get(key)
                if claim is not None and objects.deleting(claim):
                    self._queue.add(key, change.revision)

    async def reconcile(self, key: str) -> None:
        """See to one claim."""
        claim = self._claims.store.get(key)
        if claim is None:
            return
        used = objects.deleting(claim) and await self._used(claim)
        await _finalize(self._client, context.CLAIMS, claim, decision.CLAIM_FINALIZER, used=used)

    async def _used(self, claim: objects.Object) -> bool:
        """Whether it is, by what is known, and if not, by what the API says now: a pod may have
        come to a node that this process has not heard of.
        """
        known = self._pods.store.by_index(claimusers.CLAIM_USERS, objects.key(claim))
        if decision.claim_in_use(claim, known):
            return True
        if self._look.tells_of(claim):
            return False
        listing = await self._client.list(context.PODS, objects.namespace(claim))
        self._look = _Look.by(objects.namespace(claim), listing)
        return self._look.uses(claim)


class VolumeProtection:
    """Lets go of volumes that are marked for deletion once no claim is bound to them."""

    def __init__(self, ctx: context.Context) -> None:
        self._client = ctx.client
        self._volumes = ctx.shared(context.VOLUMES)
        self._queue = ctx.queue()
        ctx.on_change(self._volumes, self._volume_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with tasks.Group("pv-protection") as group:
            work = reconciler.Reconciler("pv-protection", self._queue, self.reconcile)
            group.spawn(work.run(), "work")

    def _volume_changed(self, change: informer.Change) -> None:
        if change.new is not None:
            self._queue.add(change.key, change.revision)

    async def reconcile(self, key: str) -> None:
        """See to one volume."""
        volume = self._volumes.store.get(key)
        if volume is not None:
            used = decision.volume_in_use(volume)
            await _finalize(
                self._client, context.VOLUMES, volume, decision.VOLUME_FINALIZER, used=used
            )


async def _finalize(
    api: client.Client, resource: str, obj: objects.Object, wanted: str, *, used: bool
) -> None:
    finalizers = decision.finalizers(obj, wanted, used=used)
    if finalizers is None:
        return
    meta = objects.meta(obj) | {"finalizers": finalizers}
    await api.update(resource, {**obj, "metadata": meta})
