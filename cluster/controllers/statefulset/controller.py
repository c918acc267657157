"""The StatefulSet controller: the shell around `decision`."""

import asyncio
from collections.abc import Sequence

from cluster.aio import tasks
from cluster.api import conditions, objects
from cluster.client import informer, reconciler
from cluster.controllers import adoption, context, expectations, ownership, selection, staleness
from cluster.controllers.history import keeper
from cluster.controllers.statefulset import (
    acting,
    claims,
    decision,
    identity,
    observed,
    rollout,
    settings,
    status,
)

KIND = "StatefulSet"
SETTLE_RATE = 10_000.0
"""Pods looked at a second, at most, because of changes of single pods (see context.settle)."""
LARGE = 10_000
"""Pods from which on a StatefulSet is looked at no later for having more."""
LOOK_AGAIN = 0.1
"""Seconds until a look at a cache that did not show our own writes yet."""
MAX_UNAVAILABLE_SINCE = 35
"""The Kubernetes 1 minor version whose gate MaxUnavailableStatefulSet is on."""


class StatefulSetController:
    """Keeps the pods of every StatefulSet, their claims and its history."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._client = ctx.client
        self._sets = ctx.shared(context.STATEFUL_SETS)
        self._pods = ctx.shared(context.PODS)
        self._claims = ctx.shared(acting.CLAIMS)
        self._caches = {
            source.resource: source for source in (self._sets, self._pods, self._claims)
        }
        self._rollout = rollout.Rollout(
            keeper.History(ctx.client, ctx.shared(context.CONTROLLER_REVISIONS))
        )
        self._queue = ctx.queue()
        self._recorder = ctx.recorder("statefulset-controller")
        self._expectations = expectations.Expectations()
        self._writes = staleness.OwnWrites()
        ctx.on_change(self._sets, self._set_changed)
        ctx.on_change(self._pods, self._pod_changed)
        ctx.on_change(self._claims, self._claim_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        work = reconciler.Reconciler(
            "statefulset",
            self._queue,
            self.reconcile,
            workers=self._ctx.config.concurrent_statefulset_syncs,
        )
        async with tasks.Group("statefulset") as group:
            group.spawn(self._recorder.run(), "recorder")
            group.spawn(work.run(), "work")

    # What happened

    def _set_changed(self, change: informer.Change) -> None:
        old, new = change.old, change.new
        if old is not None and (new is None or objects.uid(old) != objects.uid(new)):
            self._expectations.forget(change.key)
            self._writes.forget(change.key)
        self._queue.add(change.key, change.revision)

    def _pod_changed(self, change: informer.Change) -> None:
        old, new = change.old, change.new
        pod = change.object
        key = ownership.owner_key(pod, KIND, self._sets.store)
        if key is not None and (new is None or objects.deleting(new)):
            self._expectations.deletion_seen(key, objects.uid(pod))
        if old is not None and new is not None:
            if not _matters(old, new):
                return
            before = ownership.owner_key(old, KIND, self._sets.store)
            if before is not None and before != key:
                self._queue.add(before, change.revision)
        if key is not None:
            self._look_later(key, change.revision)
        elif new is not None and objects.controller_of(new) is None:
            self._orphan_seen(new, change.revision)

    def _claim_changed(self, change: informer.Change) -> None:
        """A claim that is gone may be what the next pod waits for."""
        if change.new is not None or change.old is None:
            return
        space = objects.namespace(change.old)
        found = identity.split(objects.name(change.old))
        # TEMPLATE-SET: where the one ends and the other begins, the name does not tell.
        name = found[0] if found is not None else ""
        while "-" in name:
            name = name.partition("-")[2]
            key = f"{space}/{name}"
            if key in self._sets.store:
                self._queue.add(key, change.revision)

    def _orphan_seen(self, pod: objects.Object, revision: int) -> None:
        found = identity.split(objects.name(pod))
        if found is None:
            return
        key = f"{objects.namespace(pod)}/{found[0]}"
        stateful_set = self._sets.store.get(key)
        if stateful_set is not None and selection.selector_of(stateful_set).matches(
            objects.labels(pod)
        ):
            self._queue.add(key, revision)

    def _look_later(self, key: str, revision: int) -> None:
        found = self._sets.store.get(key)
        size = min(settings.of(found).replicas, LARGE) if found is not None else 0
        self._queue.add_after(key, context.settle(size, SETTLE_RATE), revision)

    # What to do about it

    async def reconcile(self, key: str) -> None:
        """Take one step with one StatefulSet."""
        stateful_set = self._sets.store.get(key)
        if stateful_set is None:
            self._expectations.forget(key)
            self._writes.forget(key)  # an answer may have come after the deletion
            return
        if self._awaits(key) or selection.selector_of(stateful_set).empty:
            return
        owner = adoption.Owner(
            stateful_set,
            context.STATEFUL_SETS,
            ownership.reference(stateful_set, "apps/v1", KIND),
        )
        history = await self._rollout.history(owner)
        name = objects.name(stateful_set)
        pods = await adoption.claimed(
            self._client,
            owner,
            self._pods,
            member=lambda pod: identity.ordinal_of(name, pod) is not None,
        )
        if history is not None:
            await self._step(key, stateful_set, pods, history)
            live = map(identity.revision_of, pods)
            await self._rollout.forget_old(stateful_set, history, live)

    def _awaits(self, key: str) -> bool:
        """Whether the caches are older than our own writes; then they are looked at again later."""
        now = asyncio.get_running_loop().time()
        if self._writes.stale(key, lambda resource: self._caches[resource].revision, now):
            self._queue.add_after(key, LOOK_AGAIN)
            return True
        if not self._expectations.satisfied(key, now):
            # A pod that went while no watch was there may never be seen: time must tell.
            self._queue.add_after(key, self._expectations.seconds_left(key, now))
            return True
        return False

    async def _step(
        self,
        key: str,
        stateful_set: objects.Object,
        pods: Sequence[objects.Object],
        history: rollout.History,
    ) -> None:
        now, loop = self._ctx.clock.now(), asyncio.get_running_loop()
        asked = settings.of(stateful_set)
        seen = observed.of(observed.pods_of(objects.name(stateful_set), pods), asked, now)
        space = objects.namespace(stateful_set)
        lookup = claims.Claims(
            stateful_set, asked, lambda name: self._claims.store.get(f"{space}/{name}")
        )
        step = decision.decide(
            stateful_set,
            asked,
            seen,
            lookup,
            history.names,
            one_by_one=not self._ctx.config.emulates(MAX_UNAVAILABLE_SINCE),
        )
        if step.again_at is not None:
            self._queue.add_after(key, step.again_at - now)
        doomed = dict.fromkeys(acting.doomed(step))
        if doomed:
            self._expectations.expect_deletions(key, doomed, loop.time())
        actor = acting.Actor(
            self._client, self._recorder, stateful_set, history.templates(stateful_set)
        )
        outcome = await actor.carry_out(step)
        for uid in doomed:
            if uid not in outcome.deleted:
                self._expectations.deletion_seen(key, uid)
        for resource, written in outcome.written:
            self._writes.note(key, resource, written, loop.time())
        found = status.compute(
            stateful_set, asked, seen.everyone(), history.names, outcome.replaced
        )
        await self._report(key, stateful_set, found)
        if outcome.failure is not None:
            raise outcome.failure

    async def _report(
        self, key: str, stateful_set: objects.Object, computed: objects.Object
    ) -> None:
        if status.same(objects.status(stateful_set), computed):
            return
        written = await self._client.update(
            context.STATEFUL_SETS, {**stateful_set, "status": computed}, subresource="status"
        )
        now = asyncio.get_running_loop().time()
        self._writes.note(key, context.STATEFUL_SETS, written, now)


def _matters(old: objects.Object, new: objects.Object) -> bool:
    """Whether a pod's change can change what its StatefulSet does or says."""
    return (
        objects.status(old).get("phase") != objects.status(new).get("phase")
        or conditions.find(old, "Ready") != conditions.find(new, "Ready")
        or objects.deleting(old) != objects.deleting(new)
        or objects.labels(old) != objects.labels(new)
        or objects.uid(old) != objects.uid(new)
        or objects.meta(old).get("ownerReferences") != objects.meta(new).get("ownerReferences")
    )
