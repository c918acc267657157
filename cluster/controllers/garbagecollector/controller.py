"""The garbage collector: the shell around the owner graph."""

import asyncio
import functools

import msgspec
import structlog

from cluster.aio import tasks
from cluster.api import errors, objects, resources
from cluster.api.operations import MERGE_PATCH, Operation, Verb
from cluster.client import informer, reconciler, recorder
from cluster.controllers import context, customresources
from cluster.controllers.garbagecollector import graph, lookup, verdict

_encode = msgspec.json.Encoder().encode

IGNORED = ("events",)
"""Resources that neither own nor are owned, and are many."""
CUSTOM_SECONDS = 30.0
"""How long a custom resource may take to be listed before the others go on without it."""
BATCH = 500
"""Dependents that are orphaned in one batch of writes."""


class GarbageCollector:
    """Deletes what nobody owns any more, as the owners' deletion asked for."""

    def __init__(self, ctx: context.Context, table: resources.Table) -> None:
        self._ctx = ctx
        self._client = ctx.client
        self._graph = graph.Graph()
        self._lookup = lookup.Lookup(ctx.client, table)
        self._delete = ctx.queue()
        self._orphan = ctx.queue()
        self._recorder = ctx.recorder("garbage-collector-controller")
        self._log = structlog.get_logger().bind(controller="garbagecollector")
        self._sources: dict[str, informer.Informer] = {}
        self._table = table
        for row in customresources.deletable(table):
            self._follow(row)
        ctx.on_resource(table, self._resource_changed)

    async def run(self) -> None:
        """Serve until cancelled. What is listed first comes in any order: all of it must be in."""
        for name, source in list(self._sources.items()):
            await self._synced(name, source)
        async with tasks.Group("garbagecollector") as group:
            workers = self._ctx.config.concurrent_gc_syncs
            deleting = reconciler.Reconciler(
                "garbagecollector-delete", self._delete, self._attempt_delete, workers=workers
            )
            orphaning = reconciler.Reconciler(
                "garbagecollector-orphan", self._orphan, self._attempt_orphan, workers=4
            )
            group.spawn(self._recorder.run(), "events")
            group.spawn(deleting.run(), "delete")
            group.spawn(orphaning.run(), "orphan")

    async def _synced(self, name: str, source: informer.Informer) -> None:
        row = self._table.get(name)
        if row is None or row.custom is None:
            await source.synced()
            return
        try:
            async with asyncio.timeout(CUSTOM_SECONDS):
                await source.synced()
        except TimeoutError:  # perhaps its conversion webhook is down: the others must not wait
            self._log.warning("custom resource not listed in time", resource=name)

    def _follow(self, row: resources.Resource) -> None:
        if row.id not in IGNORED and row.id not in self._sources:
            source = self._sources[row.id] = self._ctx.shared(row.id)
            self._ctx.on_change(source, functools.partial(self._changed, row))

    def _resource_changed(self, name: str) -> None:
        """A custom resource has come, changed or gone."""
        row = self._table.get(name)
        if row is not None and customresources.is_deletable(row):
            self._follow(row)
        elif self._sources.pop(name, None) is not None:
            self._ctx.informers.discard(name)

    def _changed(self, row: resources.Resource, change: informer.Change) -> None:
        new, old = change.new, change.old
        if new is None:
            uid = objects.uid(change.object)
            node = self._graph.get(uid)
            if node is not None and node.dependents:
                self._lookup.gone(uid)
            self._take(self._graph.forget(uid), change.revision)
        elif old is None or _ownership_changed(old, new):
            work = self._graph.observe(row.id, new, row.api_version, row.kind)
            self._take(work, change.revision)

    def _take(self, work: graph.Work, cause: int) -> None:
        for uid in work.delete:
            self._delete.add(uid, cause)
        for uid in work.orphan:
            self._orphan.add(uid, cause)
        for dependent, owner in work.misplaced:
            self._tell_misplaced(dependent, owner)

    def _tell_misplaced(self, uid: str, owner: str) -> None:
        node = self._graph.get(uid)
        obj = self._cached(node) if node is not None else None
        if node is None or obj is None:
            return
        space = node.identity.namespace
        for ref in graph.owners_of(obj):
            if ref.uid == owner:
                named = f"namespace: {space}, name: {ref.name}, uid: {ref.uid}"
                self._recorder.event(
                    {**obj, "apiVersion": node.identity.api_version, "kind": node.identity.kind},
                    recorder.WARNING,
                    "OwnerRefInvalidNamespace",
                    f"ownerRef [{ref.api_version}/{ref.kind}, {named}] does not exist in namespace"
                    f' "{space}"',
                )

    # Deleting

    async def _attempt_delete(self, uid: str) -> None:
        node = self._graph.get(uid)
        if node is None:
            return
        if node.virtual:
            await self._look_up_virtual(node)
            return
        if node.being_deleted and not node.deleting_dependents:
            return  # under way; its finalizers are others' business
        if node.deleting_dependents:
            await self._finish_foreground(node)
            return
        obj = self._cached(node)
        if obj is None:
            return  # its deletion is on its way to the graph
        await self._collect(node, obj)

    async def _look_up_virtual(self, node: graph.Node) -> None:
        """Nobody has seen this owner: if it is not there, its dependents must know."""
        identity = node.identity
        owner = graph.Owner(
            identity.uid, identity.api_version, identity.kind, identity.name, blocking=False
        )
        if self._lookup.row_of(owner.api_version, owner.kind) is None:
            self._log.debug("owner of a kind that is not served", kind=owner.kind, uid=owner.uid)
            return
        try:
            state = await self._lookup.state(owner, identity.namespace)
        except errors.NotFound as failure:
            self._log.debug("owner not judged", uid=owner.uid, why=str(failure))
            return
        if state is verdict.State.ABSENT:
            self._take(self._graph.forget(identity.uid), 0)

    async def _collect(self, node: graph.Node, obj: objects.Object) -> None:
        owners = graph.owners_of(obj)
        namespace = node.identity.namespace
        try:
            states = [(owner, await self._lookup.state(owner, namespace)) for owner in owners]
        except errors.NotFound as failure:
            self._log.debug("owner not judged", object=objects.key(obj), why=str(failure))
            return
        judged = verdict.judge(obj, states, node)
        match judged:
            case verdict.Detach(uids=uids):
                await self._patch(node, verdict.without_owners(obj, uids))
            case verdict.Delete(propagation=propagation, unblock=unblock):
                revision = objects.revision(obj)
                if unblock:
                    written = await self._patch(node, verdict.unblocked(obj))
                    if written is None:
                        return
                    revision = objects.revision(written)
                await self._remove(node, revision, propagation)
            case verdict.Keep():
                return

    async def _remove(self, node: graph.Node, revision: int, propagation: str) -> None:
        """Delete it as it was judged. errors.Conflict: it changed, and is judged again."""
        identity = node.identity
        try:
            await self._client.delete(
                node.resource,
                identity.name,
                identity.namespace,
                uid=identity.uid,
                revision=revision,
                propagation=propagation,
            )
        except errors.NotFound:
            return

    async def _finish_foreground(self, node: graph.Node) -> None:
        """Let an owner go that waits for its dependents, or see to it that they are deleted."""
        blocking = node.blocking_dependents()
        for dependent in blocking:
            if not dependent.deleting_dependents and not dependent.being_deleted:
                self._delete.add(dependent.identity.uid)
        if not blocking:
            await self._drop_finalizer(node, graph.FOREGROUND)

    # Orphaning

    async def _attempt_orphan(self, uid: str) -> None:
        """Take the owner out of its dependents, then let it go."""
        node = self._graph.get(uid)
        if node is None or node.virtual:
            return
        dependents = list(node.dependents.values())
        for start in range(0, len(dependents), BATCH):
            operations = [
                operation
                for dependent in dependents[start : start + BATCH]
                if (operation := self._release(dependent, uid)) is not None
            ]
            for outcome in await self._client.submit_all(operations):
                if isinstance(outcome, errors.StatusError) and not isinstance(
                    outcome, errors.NotFound
                ):
                    raise outcome
        await self._drop_finalizer(node, graph.ORPHAN)

    def _release(self, dependent: graph.Node, uid: str) -> Operation | None:
        obj = self._cached(dependent)
        if obj is None:
            return None
        return _patching(dependent, verdict.without_owners(obj, (uid,)))

    # Writing

    def _cached(self, node: graph.Node) -> objects.Object | None:
        """The object of a node as its informer has it, if it is still the same one."""
        identity = node.identity
        key = f"{identity.namespace}/{identity.name}" if identity.namespace else identity.name
        source = self._sources.get(node.resource)
        found = source.store.get(key) if source is not None else None
        return found if found is not None and objects.uid(found) == identity.uid else None

    async def _drop_finalizer(self, node: graph.Node, finalizer: str) -> None:
        obj = self._cached(node)
        if obj is not None and finalizer in (objects.meta(obj).get("finalizers") or ()):
            await self._patch(node, verdict.without_finalizer(obj, finalizer))

    async def _patch(self, node: graph.Node, patch: objects.Object) -> objects.Object | None:
        """Patch an object as it was judged; None where it is gone. errors.Conflict."""
        try:
            return await self._client.submit(_patching(node, patch))
        except errors.NotFound:
            return None


def _patching(node: graph.Node, patch: objects.Object) -> Operation:
    identity = node.identity
    return Operation(
        Verb.PATCH,
        node.resource,
        identity.namespace,
        identity.name,
        body=_encode(patch),
        patch_type=MERGE_PATCH,
    )


def _ownership_changed(old: objects.Object, new: objects.Object) -> bool:
    """Whether anything changed that the graph keeps: most changes are of status."""
    before, after = objects.meta(old).get, objects.meta(new).get
    return bool(  # without a loop: it is asked of every change in the cluster
        before("ownerReferences") != after("ownerReferences")
        or before("deletionTimestamp") != after("deletionTimestamp")
        or before("finalizers") != after("finalizers")
        or before("uid") != after("uid")
    )
