"""Recounts a quota when it changes and when something that it counts goes, and all of them every
five minutes.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from cluster.aio import tasks
from cluster.api import objects, resources
from cluster.client import informer, reconciler
from cluster.controllers import context
from cluster.controllers.resourcequota import decision

QUOTAS: Final = "resourcequotas"
RESYNC_SECONDS: Final = 300.0
"""--resource-quota-sync-period of kube-controller-manager."""


class ResourceQuotaController:
    """Keeps status.hard and status.used of every quota. Resources are followed once a quota counts
    them; those that the table does not know (yet) count as none.
    """

    def __init__(self, ctx: context.Context, table: resources.Table) -> None:
        self._ctx = ctx
        self._table = table
        self._client = ctx.client
        self._quotas = ctx.shared(QUOTAS)
        self._followed: dict[str, informer.Informer] = {}
        self._by_namespace: dict[str, dict[str, tuple[str, ...]]] = {}
        self._queue = ctx.queue()
        ctx.on_change(self._quotas, self._quota_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with tasks.Group("resourcequota") as group:
            workers = self._ctx.config.concurrent_resource_quota_syncs
            work = reconciler.Reconciler(
                "resourcequota", self._queue, self.reconcile, workers=workers
            )
            group.spawn(work.run(), "work")
            group.spawn(self._resync(), "resync")

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(RESYNC_SECONDS)
            for quota in self._quotas.store.list():
                self._queue.add(objects.key(quota))

    def _quota_changed(self, change: informer.Change) -> None:
        namespace, name = objects.split_key(change.key)
        if change.new is None:
            found = self._by_namespace.get(namespace, {})
            found.pop(name, None)
            if not found:
                self._by_namespace.pop(namespace, None)
            return
        counted = decision.counted(change.new)
        self._by_namespace.setdefault(namespace, {})[name] = counted
        if change.old is None or objects.spec(change.old) != objects.spec(change.new):
            self._queue.add(change.key, change.revision)

    def _object_changed(self, resource: str, change: informer.Change) -> None:
        quotas = self._by_namespace.get(objects.namespace(change.object))
        if not quotas or not decision.replenishes(change.old, change.new, resource):
            return
        for name, counted in quotas.items():
            if resource in counted:
                self._queue.add(f"{objects.namespace(change.object)}/{name}", change.revision)

    async def reconcile(self, key: str) -> None:
        """Recount one quota."""
        quota = self._quotas.store.get(key)
        if quota is None or objects.deleting(quota):
            return
        namespace, _ = objects.split_key(key)
        for resource in decision.counted(quota):
            await self._follow(resource)

        def present(resource: str) -> Iterable[objects.Object]:
            followed = self._followed.get(resource)
            if followed is None:
                return ()
            return followed.store.by_index(context.NAMESPACE, namespace)

        wanted = decision.status(quota, present, self._ctx.clock.now())
        if decision.differs(quota, wanted):
            status = objects.status(quota) | wanted
            await self._client.update(QUOTAS, {**quota, "status": status}, subresource="status")

    async def _follow(self, resource: str) -> None:
        row = self._table.get(resource)
        if resource in self._followed or row is None or not {"list", "watch"} <= {*row.verbs}:
            return
        source = self._ctx.by_namespace(resource)
        self._followed[resource] = source
        self._ctx.on_change(source, lambda change: self._object_changed(resource, change))
        await source.synced()
