"""The ReplicaSet controller: the shell around ranking and status.

A ReplicationController is an older ReplicaSet: the same controller serves both (`Kind`).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from cluster.aio import tasks
from cluster.api import conditions, errors, objects
from cluster.client import informer, reconciler
from cluster.controllers import (
    adoption,
    context,
    expectations,
    ownership,
    podcontrol,
    podstate,
    podtemplate,
    reporting,
    selection,
    staleness,
)
from cluster.controllers.replicaset import doubt, ranking, status

BURST = 500
"""Pods that one reconciliation creates or deletes at most."""
TERMINATING_SINCE = 35
"""The minor version that tells status.terminatingReplicas (beta, on by default)."""
SETTLE_RATE = 10_000.0
"""Pods looked at a second, at most, because of changes of single pods (see context.settle)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What the controller serves; `title` names it in logs, `component` is the events' source."""

    resource: str
    api_version: str
    kind: str
    title: str
    component: str

    def reference(self, owner: objects.Object) -> objects.Object:
        """The ownerReference of its pods."""
        return ownership.reference(owner, self.api_version, self.kind)


REPLICA_SET = Kind(
    context.REPLICA_SETS, "apps/v1", "ReplicaSet", "replicaset", "replicaset-controller"
)
REPLICATION_CONTROLLER = Kind(
    context.REPLICATION_CONTROLLERS, "v1", "ReplicationController", "replicationcontroller",
    "replication-controller",
)  # fmt: skip


class ReplicaSetController:
    """Keeps the pods of every ReplicaSet at spec.replicas, and its status true."""

    def __init__(self, ctx: context.Context, kind: Kind = REPLICA_SET) -> None:
        self._ctx = ctx
        self._kind = kind
        self._client = ctx.client
        self._sets = ctx.shared(kind.resource)
        self._pods = ctx.shared(context.PODS)
        self._queue = ctx.queue()
        self._recorder = ctx.recorder(kind.component)
        self._control = podcontrol.PodControl(ctx.client, self._recorder)
        self._expectations = expectations.Expectations()
        self._doubts = doubt.Doubts(ctx.client, self._pods)
        self._writes = staleness.OwnWrites()
        ctx.on_change(self._sets, self._set_changed)
        ctx.on_change(self._pods, self._pod_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        work = reconciler.Reconciler(
            self._kind.title, self._queue, self.reconcile, workers=self._workers()
        )
        async with tasks.Group(self._kind.title) as group:
            group.spawn(self._recorder.run(), "recorder")
            group.spawn(work.run(), "work")

    def _workers(self) -> int:
        config = self._ctx.config
        if self._kind is REPLICATION_CONTROLLER:
            return config.concurrent_rc_syncs
        return config.concurrent_replicaset_syncs

    # What happened

    def _set_changed(self, change: informer.Change) -> None:
        old, new = change.old, change.new
        if old is not None and (new is None or objects.uid(old) != objects.uid(new)):
            self._expectations.forget(change.key)
            self._writes.forget(change.key)
        self._queue.add(change.key, change.revision)

    def _pod_changed(self, change: informer.Change) -> None:
        old, new = change.old, change.new
        if new is None:
            self._pod_leaving(change.object, change.revision)
            return
        if objects.deleting(new) and (old is None or not objects.deleting(old)):
            self._pod_leaving(new, change.revision)
            return
        if old is None:
            self._pod_added(new, change.revision)
        elif _matters(old, new):
            self._pod_updated(old, new, change.revision)

    def _pod_added(self, pod: objects.Object, revision: int) -> None:
        key = self._owner_key(pod)
        if key is None:
            self._orphan_seen(pod, revision)
        elif self._expectations.creation_seen(key):
            self._queue.add(key, revision)
        else:
            self._look_later(key, revision)

    def _pod_updated(self, old: objects.Object, new: objects.Object, revision: int) -> None:
        before, key = self._owner_key(old), self._owner_key(new)
        if before is not None and before != key:
            self._queue.add(before, revision)
        if key is None:
            self._orphan_seen(new, revision)
        else:
            self._look_later(key, revision)

    def _pod_leaving(self, pod: objects.Object, revision: int) -> None:
        key = self._owner_key(pod)
        if key is None:
            return
        if self._expectations.deletion_seen(key, objects.uid(pod)):
            self._queue.add(key, revision)
        else:
            self._look_later(key, revision)

    def _orphan_seen(self, pod: objects.Object, revision: int) -> None:
        if objects.controller_of(pod) is not None:
            return
        space, labels = objects.namespace(pod), objects.labels(pod)
        for found in selection.selecting(self._sets.store, space, labels):
            self._queue.add(objects.key(found), revision)

    def _owner_key(self, pod: objects.Object) -> str | None:
        return ownership.owner_key(pod, self._kind.kind, self._sets.store)

    def _look_later(self, key: str, revision: int) -> None:
        found = self._sets.store.get(key)
        size = _wanted(found) if found is not None else 0
        self._queue.add_after(key, context.settle(size, SETTLE_RATE), revision)

    # What to do about it

    async def reconcile(self, key: str) -> None:
        """Bring one ReplicaSet in line."""
        replica_set = self._sets.store.get(key)
        loop_time = asyncio.get_running_loop().time()
        if replica_set is None:
            self._expectations.forget(key)
            self._doubts.forget(key)
            self._writes.forget(key)  # an answer may have come after the deletion
            return
        if self._writes.stale(key, lambda _: objects.revision(replica_set), loop_time):
            self._queue.add_after(key, 1.0)
            return
        due = self._expectations.satisfied(key, loop_time)
        if not due:
            # A pod that came and went while no watch was there is never seen: time must tell.
            self._queue.add_after(key, self._expectations.seconds_left(key, loop_time))
        if due and not await self._doubts.settled(key, replica_set):
            due = False
            self._queue.add_after(key, doubt.AGAIN)
        active = await self._active(replica_set)
        failure: status.Failure | None = None
        if due and not objects.deleting(replica_set):
            failure = await self._manage(key, replica_set, active)
        now = self._ctx.clock.now()
        terminating = self._terminating(replica_set)
        staying = self._staying(key, active)
        computed = status.compute(replica_set, staying, failure, now, terminating)
        await self._report(key, replica_set, computed.status)
        if computed.next_available is not None:
            self._queue.add_after(key, computed.next_available - now)
        if failure is not None:
            raise errors.InternalError(f"{failure.reason}: {failure.message}")

    async def _active(self, replica_set: objects.Object) -> list[objects.Object]:
        """The pods that count, after adopting and releasing."""
        return await adoption.claimed(
            self._client,
            adoption.Owner(replica_set, self._kind.resource, self._kind.reference(replica_set)),
            self._pods,
            podstate.is_active,
        )

    def _staying(self, key: str, active: Sequence[objects.Object]) -> Sequence[objects.Object]:
        """The active pods but those whose deletion was asked for: nobody is to count on these,
        though the cache does not show it yet.
        """
        leaving = {*self._expectations.leaving(key), *self._doubts.leaving(key)}
        return [pod for pod in active if objects.uid(pod) not in leaving] if leaving else active

    def _terminating(self, replica_set: objects.Object) -> int | None:
        """How many of its pods are being deleted: told by ReplicaSets, from 1.35 on."""
        if self._kind is not REPLICA_SET or not self._ctx.config.emulates(TERMINATING_SINCE):
            return None
        matches = selection.matcher_of(replica_set)
        return sum(
            podstate.is_terminating(pod) and matches(objects.labels(pod))
            for pod in self._pods.store.by_index(context.CONTROLLER, objects.uid(replica_set))
        )

    async def _manage(
        self, key: str, replica_set: objects.Object, active: Sequence[objects.Object]
    ) -> status.Failure | None:
        missing = _wanted(replica_set) - len(active)
        if missing > 0:
            return await self._create(key, replica_set, min(missing, BURST))
        if missing < 0:
            return await self._delete(key, replica_set, active, min(-missing, BURST))
        return None

    async def _create(
        self, key: str, replica_set: objects.Object, count: int
    ) -> status.Failure | None:
        self._expectations.expect_creations(key, count, asyncio.get_running_loop().time())
        operation = podtemplate.creation(
            self._kind.reference(replica_set),
            objects.namespace(replica_set),
            objects.spec(replica_set).get("template") or {},
            generate_name=f"{objects.name(replica_set)}-",
        )
        outcome = await self._control.create(replica_set, [operation] * count)
        if outcome.unsure:
            self._doubts.note(key)
        # Those that were not made will not be seen. Trying again is the failure's business.
        self._expectations.creation_seen(key, count - len(outcome.made))
        return _failure("FailedCreate", outcome.failure)

    async def _delete(
        self,
        key: str,
        replica_set: objects.Object,
        active: Sequence[objects.Object],
        count: int,
    ) -> status.Failure | None:
        ranks = self._per_node(replica_set)
        doomed = ranking.victims(active, count, ranks, self._ctx.clock.now())
        uids = [objects.uid(pod) for pod in doomed]
        self._expectations.expect_deletions(key, uids, asyncio.get_running_loop().time())
        outcome = await self._control.delete(replica_set, doomed)
        if outcome.unsure:
            self._doubts.note(key, map(objects.uid, outcome.failed))
        for pod in (*outcome.gone, *outcome.failed):
            self._expectations.deletion_seen(key, objects.uid(pod))
        return _failure("FailedDelete", outcome.failure)

    def _per_node(self, replica_set: objects.Object) -> dict[str, int]:
        """How many active pods of this ReplicaSet and its siblings each node runs."""
        owner = objects.controller_of(replica_set)
        related: Sequence[objects.Object] = [replica_set]
        if owner is not None:
            related = self._sets.store.by_index(context.CONTROLLER, owner["uid"])
        counts: dict[str, int] = {}
        for sibling in related:
            for pod in self._pods.store.by_index(context.CONTROLLER, objects.uid(sibling)):
                node = objects.spec(pod).get("nodeName")
                if node and podstate.is_active(pod):
                    counts[node] = counts.get(node, 0) + 1
        return counts

    async def _report(
        self, key: str, replica_set: objects.Object, computed: objects.Object
    ) -> None:
        if reporting.same(objects.status(replica_set), computed):
            return
        written = await self._client.update(
            self._kind.resource, {**replica_set, "status": computed}, subresource="status"
        )
        self._writes.note(key, key, written, asyncio.get_running_loop().time())


def _failure(reason: str, failure: errors.StatusError | None) -> status.Failure | None:
    return status.Failure(reason, str(failure)) if failure is not None else None


def _wanted(replica_set: objects.Object) -> int:
    count = objects.spec(replica_set).get("replicas")
    return 1 if count is None else int(count)


def _matters(old: objects.Object, new: objects.Object) -> bool:
    """Whether a pod's change can change what its ReplicaSet does or says."""
    return (
        podstate.is_finished(old) != podstate.is_finished(new)
        or conditions.find(old, "Ready") != conditions.find(new, "Ready")
        or objects.labels(old) != objects.labels(new)
        or objects.meta(old).get("ownerReferences") != objects.meta(new).get("ownerReferences")
    )
