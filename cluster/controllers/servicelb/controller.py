"""The service controller: load balancers of a cloud that is this machine."""

import contextlib
from collections.abc import Mapping
from typing import Any

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.client import informer, reconciler, recorder
from cluster.controllers import context
from cluster.controllers.servicelb import decision, pool

_WORKERS = 4


class ServiceController:
    """Gives Services of type LoadBalancer an address each, and takes it back."""

    def __init__(self, ctx: context.Context) -> None:
        self._client = ctx.client
        self._services = ctx.shared(context.SERVICES)
        self._nodes = ctx.shared(context.NODES)
        self._queue = ctx.queue()
        self._recorder = ctx.recorder("service-controller")
        self._pool = pool.Pool(ctx.config.load_balancer_pool)
        self._waiting: dict[str, None] = {}
        """Services for which no address could be had."""
        self._changed_since: dict[str, None] = {}
        """Services of whose change the balancer has not heard yet."""
        self._written: dict[str, int] = {}
        """What was written last, whose event may still be on its way."""
        ctx.on_change(self._services, self._changed)

    async def run(self) -> None:
        """Serve until cancelled: only once every address that is in use is known."""
        for source in (self._services, self._nodes):
            await source.synced()
        work = reconciler.Reconciler("service", self._queue, self.reconcile, workers=_WORKERS)
        async with tasks.Group("service") as group:
            group.spawn(self._recorder.run(), "recorder")
            group.spawn(work.run(), "work")

    def _changed(self, change: informer.Change) -> None:
        service = change.new
        if service is None:
            self._waiting.pop(change.key, None)
            self._changed_since.pop(change.key, None)
            self._written.pop(change.key, None)
            self._release(change.key, change.revision)
            return
        wants = decision.wants(service)
        if wants:
            for address in decision.addresses(service):
                self._pool.occupy(change.key, address)
        if change.old is not None and objects.uid(change.old) == objects.uid(service):
            found = decision.news(change.old, service)
            for reason, message in found or ():
                self._recorder.event(service, recorder.NORMAL, reason, message)
            if found is not None:
                self._changed_since[change.key] = None
        if wants or decision.needs_cleanup(service):
            self._queue.add(change.key, change.revision)

    async def reconcile(self, key: str) -> None:
        """See to one Service."""
        service = self._services.store.get(key)
        if service is None or objects.revision(service) < self._written.get(key, 0):
            return
        if decision.needs_cleanup(service):
            await self._clean_up(key, service)
        elif decision.wants(service) and not objects.deleting(service):
            await self._ensure(key, service)

    async def _ensure(self, key: str, service: objects.Object) -> None:
        """Give it an address, unless it has the one that it is to have."""
        wanted = objects.spec(service).get("loadBalancerIP") or ""
        there = self._pool.address_of(key)
        told = decision.is_ours(service) and decision.addresses(service) == [there]
        if told and wanted in ("", there) and key not in self._changed_since:
            return
        if key in self._changed_since or key not in self._waiting:
            self._say(service, recorder.NORMAL, "EnsuringLoadBalancer", "Ensuring load balancer")
        if not decision.is_ours(service):
            service = await self._finalize(service, keep=True)
        try:
            if decision.families(service)[0] != self._pool.family:
                raise pool.Unavailable(f"there are addresses of {self._pool.family} only")
            address = self._pool.allocate(key, wanted)
        except pool.Unavailable as failure:
            self._refuse(key, service, failure)
            return
        self._waiting.pop(key, None)
        if not any(decision.takes_traffic(node) for node in self._nodes.store.list()):
            text = "There are no available nodes for LoadBalancer"
            self._say(service, recorder.WARNING, "UnAvailableLoadBalancer", text)
        await self._tell(service, {"ingress": [{"ip": address}]})
        self._changed_since.pop(key, None)
        self._say(service, recorder.NORMAL, "EnsuredLoadBalancer", "Ensured load balancer")

    async def _clean_up(self, key: str, service: objects.Object) -> None:
        self._waiting.pop(key, None)
        self._changed_since.pop(key, None)
        self._say(service, recorder.NORMAL, "DeletingLoadBalancer", "Deleting load balancer")
        service = await self._finalize(service, keep=False)
        self._say(service, recorder.NORMAL, "DeletedLoadBalancer", "Deleted load balancer")
        if decision.addresses(service):
            with contextlib.suppress(errors.NotFound):  # the finalizer alone held it
                await self._tell(service, {"ingress": None})
        self._release(key, objects.revision(service))

    def _refuse(self, key: str, service: objects.Object, failure: pool.Unavailable) -> None:
        """It waits for an address, and is told of it once for each thing that it asks for."""
        if key in self._changed_since or key not in self._waiting:
            text = f"Error syncing load balancer: failed to ensure load balancer: {failure}"
            self._say(service, recorder.WARNING, "SyncLoadBalancerFailed", text)
        self._waiting[key] = None
        self._changed_since.pop(key, None)

    def _release(self, key: str, revision: int) -> None:
        """Take an address back; those who wait may have it."""
        if self._pool.release(key):
            for waiting in self._waiting:
                self._queue.add(waiting, revision)

    async def _finalize(self, service: objects.Object, *, keep: bool) -> objects.Object:
        """Have the Service wait for its balancer's end, or no more."""
        there = objects.meta(service).get("finalizers") or ()
        kept = [one for one in there if one != decision.FINALIZER]
        version = objects.meta(service)["resourceVersion"]
        finalizers = [*kept, decision.FINALIZER] if keep else kept
        meta = {"finalizers": finalizers, "resourceVersion": version}
        return await self._patch(service, {"metadata": meta})

    async def _tell(self, service: objects.Object, balancer: Mapping[str, Any]) -> None:
        meta = {"uid": objects.uid(service)}
        await self._patch(service, {"metadata": meta, "status": {"loadBalancer": dict(balancer)}})

    async def _patch(self, service: objects.Object, patch: objects.Object) -> objects.Object:
        """By the status, which is all that the controller may write."""
        name, namespace = objects.name(service), objects.namespace(service)
        written = await self._client.patch(
            context.SERVICES, name, patch, namespace, subresource="status"
        )
        if self._services.store.get(objects.key(service)) is not None:
            self._written[objects.key(service)] = objects.revision(written)
        return written

    def _say(self, service: objects.Object, kind: str, reason: str, message: str) -> None:
        self._recorder.event(service, kind, reason, message)
