"""The namespace controller: deletes the content of a namespace that is going, pods first."""

from collections.abc import Sequence

from cluster.aio import tasks
from cluster.api import errors, objects, resources
from cluster.api.operations import Operation, Verb
from cluster.client import informer, reconciler
from cluster.controllers import context, customresources
from cluster.controllers.namespace import extensionservers, progress

FINALIZER = "kubernetes"
PAGE = 500
"""Objects that are deleted in one batch."""
UNWATCHED = ("events",)
"""Not followed: there are many, and none is ever the last to go (nobody gives them finalizers)."""
CHECK_AGAIN = 15.0
"""Seconds after which a namespace is looked at again though nothing was heard of its content."""

_OPTIONS = b'{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background"}'


class NamespaceController:
    """Empties namespaces that have a deletionTimestamp, then finalizes them."""

    def __init__(self, ctx: context.Context, table: resources.Table) -> None:
        self._ctx = ctx
        self._client = ctx.client
        self._table = table
        self._namespaces = ctx.shared(context.NAMESPACES)
        self._queue = ctx.queue()
        self._services = ctx.shared(extensionservers.SERVICES)
        ctx.on_change(self._namespaces, self._changed)
        ctx.on_change(self._services, self._service_changed)
        self._followed: dict[str, None] = {}
        for row in _deletable(table):
            self._follow(row)
        ctx.on_resource(table, self._resource_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        work = reconciler.Reconciler(
            "namespace",
            self._queue,
            self.reconcile,
            workers=self._ctx.config.concurrent_namespace_syncs,
        )
        async with tasks.Group("namespace") as group:
            group.spawn(work.run(), "work")

    def _follow(self, row: resources.Resource) -> None:
        if row.id not in UNWATCHED and row.id not in self._followed:
            self._followed[row.id] = None
            self._ctx.on_change(self._ctx.shared(row.id), self._content_changed)

    def _resource_changed(self, name: str) -> None:
        """A custom resource has come, changed or gone."""
        row = self._table.get(name)
        if row is None:
            self._followed.pop(name, None)
            self._ctx.informers.discard(name)
        elif row in _deletable(self._table):
            self._follow(row)

    def _changed(self, change: informer.Change) -> None:
        if change.new is not None and objects.deleting(change.new):
            self._queue.add(change.key, change.revision)

    def _service_changed(self, change: informer.Change) -> None:
        """An extension server can be asked now, or nobody asks for it any more."""
        if extensionservers.is_remote(change.object):
            for namespace in self._namespaces.store.list():
                if objects.deleting(namespace):
                    self._queue.add(objects.name(namespace), change.revision)

    def _content_changed(self, change: informer.Change) -> None:
        """Something went: perhaps it was the last thing in its namespace."""
        if change.new is not None:
            return
        name = objects.namespace(change.object)
        namespace = self._namespaces.store.get(name)
        if namespace is not None and objects.deleting(namespace):
            # A moment's wait gathers what goes together.
            self._queue.add_after(name, 0.05, change.revision)

    async def reconcile(self, key: str) -> None:
        """Take one pass over one namespace."""
        namespace = self._namespaces.store.get(key)
        if namespace is None or not objects.deleting(namespace):
            return
        if FINALIZER not in (objects.spec(namespace).get("finalizers") or ()):
            return
        remains = await self._empty(key)
        namespace = await self._report(namespace, remains)
        if remains.empty:
            await self._finalize(namespace)
        else:
            self._queue.add_after(key, CHECK_AGAIN)

    async def _empty(self, namespace: str) -> progress.Remains:
        """Delete what is there. Other content stays until the pods, which use it, are gone."""
        remains = progress.Remains()
        rows = _deletable(self._table)
        for row in rows:
            await self._empty_of(namespace, row, remains)
            if row.id == context.PODS and not remains.empty:
                break
        await extensionservers.look(self._client, self._services.store.list(), namespace, remains)
        return remains

    async def _empty_of(
        self, namespace: str, row: resources.Resource, remains: progress.Remains
    ) -> None:
        try:
            listing = await self._client.list(row.id, namespace)
        except errors.NotFound:  # a custom resource whose definition has just gone
            return
        doomed = [found for found in listing.items if not objects.deleting(found)]
        for start in range(0, len(doomed), PAGE):
            batch = [_deletion(row, found) for found in doomed[start : start + PAGE]]
            for outcome in await self._client.submit_all(batch):
                if isinstance(outcome, errors.StatusError) and not isinstance(
                    outcome, errors.NotFound
                ):
                    remains.failures.append(str(outcome))
        if doomed:
            listing = await self._client.list(row.id, namespace)
        _count(row, listing.items, remains)

    async def _report(self, namespace: objects.Object, remains: progress.Remains) -> objects.Object:
        status = objects.status(namespace)
        old = status.get("conditions") or []
        new = progress.conditions(old, remains, self._ctx.clock.now())
        if new == old:
            return namespace
        changed = {**namespace, "status": {**status, "phase": "Terminating", "conditions": new}}
        return await self._client.update(context.NAMESPACES, changed, subresource="status")

    async def _finalize(self, namespace: objects.Object) -> None:
        spec = objects.spec(namespace)
        left = [name for name in spec.get("finalizers") or () if name != FINALIZER]
        try:
            await self._client.update(
                context.NAMESPACES,
                {**namespace, "spec": {**spec, "finalizers": left}},
                subresource="finalize",
            )
        except errors.NotFound:
            return


def _deletable(table: resources.Table) -> list[resources.Resource]:
    """The namespaced resources that can be listed and deleted, pods first."""
    rows = [row for row in customresources.deletable(table) if row.namespaced]
    return sorted(rows, key=lambda row: row.id != context.PODS)


def _deletion(row: resources.Resource, found: objects.Object) -> Operation:
    return Operation(
        Verb.DELETE,
        row.id,
        objects.namespace(found),
        objects.name(found),
        body=_OPTIONS,
        want_object=False,
    )


def _count(
    row: resources.Resource, items: Sequence[objects.Object], remains: progress.Remains
) -> None:
    if items:
        remains.objects[f"{row.plural}.{row.group}"] = len(items)
    for item in items:
        for name in objects.meta(item).get("finalizers") or ():
            remains.finalizers[name] = remains.finalizers.get(name, 0) + 1
