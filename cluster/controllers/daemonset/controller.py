"""The DaemonSet controller: the shell around the decisions."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Final

from cluster.aio import tasks
from cluster.api import conditions, errors, objects
from cluster.client import informer, reconciler, recorder
from cluster.controllers import (
    adoption,
    context,
    ownership,
    podcontrol,
    reporting,
    selection,
    staleness,
)
from cluster.controllers.daemonset import (
    awaited,
    failures,
    history,
    nodepods,
    observed,
    placements,
    podmaking,
    rollout,
    status,
)
from cluster.controllers.history import keeper

KIND: Final = "DaemonSet"
SETTLE_RATE: Final = 10_000.0
"""Nodes looked at a second, at most, because of changes of single pods and nodes."""
BURST: Final = 250
"""Pods that one step makes, and deletes, at most."""
LOOK_AGAIN: Final = 0.1
"""Seconds until a look at a cache that did not show our own writes yet."""


class DaemonSetController:
    """Keeps a pod of every DaemonSet on each node that should have one, and its history."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._client = ctx.client
        self._sets = ctx.shared(context.DAEMON_SETS)
        self._pods = ctx.shared(context.PODS)
        self._nodes = ctx.shared(context.NODES)
        self._revisions = ctx.shared(context.CONTROLLER_REVISIONS)
        self._histories = history.Histories(ctx.client, keeper.History(ctx.client, self._revisions))
        self._queue = ctx.queue()
        self._recorder = ctx.recorder("daemonset-controller")
        self._control = podcontrol.PodControl(ctx.client, self._recorder)
        self._placements = placements.Placements()
        self._failures = failures.FailedPods()
        self._awaited = awaited.Awaited(ctx.client, self._pods)
        self._statuses = staleness.OwnWrites()
        ctx.on_change(self._sets, self._set_changed)
        ctx.on_change(self._pods, self._pod_changed)
        ctx.on_change(self._nodes, self._node_changed)
        ctx.on_change(self._revisions, self._revision_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        workers = self._ctx.config.concurrent_daemonset_syncs
        work = reconciler.Reconciler("daemonset", self._queue, self.reconcile, workers=workers)
        async with tasks.Group("daemonset") as group:
            group.spawn(self._recorder.run(), "recorder")
            group.spawn(work.run(), "work")

    # What happened

    def _set_changed(self, change: informer.Change) -> None:
        old, new = change.old, change.new
        if old is not None and (new is None or objects.uid(old) != objects.uid(new)):
            self._forget(change.key, objects.uid(old))
        self._queue.add(change.key, change.revision)

    def _forget(self, key: str, uid: str) -> None:
        self._awaited.forget(key)
        self._statuses.forget(key)
        self._placements.forget(uid)
        self._failures.forget(uid)

    def _pod_changed(self, change: informer.Change) -> None:
        old, new = change.old, change.new
        if old is not None and new is not None and not _matters(old, new):
            return
        pod = change.object
        key = ownership.owner_key(pod, KIND, self._sets.store)
        if old is not None and new is not None:
            before = ownership.owner_key(old, KIND, self._sets.store)
            if before is not None and before != key:
                self._queue.add(before, change.revision)
        if key is None:
            if new is not None and objects.controller_of(new) is None:
                self._orphan_seen(new, change.revision)
        elif (new is None or objects.deleting(new)) and self._awaited.leaving(key, pod):
            self._queue.add(key, change.revision)
        else:
            self._look_later(key, change.revision)

    def _node_changed(self, change: informer.Change) -> None:
        """Look at those DaemonSets only for which the node has become another."""
        old, new = change.old, change.new
        if new is None:
            self._failures.forget_node(objects.name(change.object))
        elif old is not None and _same_place(old, new):
            return
        for daemon_set in self._sets.store.list():
            place = self._placements.of(daemon_set)
            if place.verdict(old) != place.verdict(new):
                self._look_later(objects.key(daemon_set), change.revision)

    def _revision_changed(self, change: informer.Change) -> None:
        """A revision that is gone, was changed by others or is nobody's may need a look."""
        key = ownership.owner_key(change.object, KIND, self._sets.store)
        if key is not None:
            if change.old is not None:
                self._queue.add(key, change.revision)
        elif change.new is not None and objects.controller_of(change.new) is None:
            self._orphan_seen(change.new, change.revision)

    def _orphan_seen(self, obj: objects.Object, revision: int) -> None:
        space, labels = objects.namespace(obj), objects.labels(obj)
        for found in selection.selecting(self._sets.store, space, labels):
            self._queue.add(objects.key(found), revision)

    def _look_later(self, key: str, revision: int) -> None:
        self._queue.add_after(key, context.settle(len(self._nodes.store), SETTLE_RATE), revision)

    # What to do about it

    async def reconcile(self, key: str) -> None:
        """Bring one DaemonSet in line."""
        daemon_set = self._sets.store.get(key)
        if daemon_set is None:
            self._awaited.forget(key)
            self._statuses.forget(key)  # an answer may have come after the deletion
            return
        if selection.selector_of(daemon_set).empty:
            text = "This daemon set is selecting all pods. A non-empty selector is required."
            self._recorder.event(daemon_set, recorder.WARNING, "SelectingAll", text)
            return
        if objects.deleting(daemon_set):
            return
        now = asyncio.get_running_loop().time()
        if self._statuses.stale(key, lambda _: self._sets.revision, now):
            self._queue.add_after(key, LOOK_AGAIN)
            return
        reference = ownership.reference(daemon_set, "apps/v1", KIND)
        owner = adoption.Owner(daemon_set, context.DAEMON_SETS, reference)
        found = await self._histories.of(owner, self._controlled(daemon_set))
        ready = await self._awaited.ready(key, daemon_set)
        if not ready:
            # A pod that went while no watch was there may never be seen: time must tell.
            self._queue.add_after(key, self._awaited.seconds_left(key) or LOOK_AGAIN)
        pods = await adoption.claimed(self._client, owner, self._pods)
        seen = self._observe(daemon_set, pods, found.hash)
        failure: errors.StatusError | None = None
        if ready:
            step = self._decide(key, daemon_set, seen)
            failure = await self._act(key, owner, found.hash, step)
            live = {podmaking.hash_of(pod) for pod in pods}
            await self._histories.forget_old(daemon_set, found, live)
        computed = status.compute(daemon_set, seen, found.collisions, acted=ready)
        await self._report(key, daemon_set, computed)
        if failure is not None:
            raise failure

    def _controlled(self, daemon_set: objects.Object) -> Sequence[objects.Object]:
        return self._pods.store.by_index(context.CONTROLLER, objects.uid(daemon_set))

    def _observe(
        self, daemon_set: objects.Object, pods: Sequence[objects.Object], hashed: str
    ) -> observed.Observed:
        place = self._placements.of(daemon_set)
        verdicts = {objects.name(node): place.verdict(node) for node in self._nodes.store.list()}
        min_ready = objects.spec(daemon_set).get("minReadySeconds") or 0
        return observed.of(verdicts, pods, hashed, min_ready, self._ctx.clock.now())

    def _decide(
        self, key: str, daemon_set: objects.Object, seen: observed.Observed
    ) -> nodepods.Step:
        """What the nodes need; where they need nothing, what the rolling update does next."""
        now, wall = asyncio.get_running_loop().time(), self._ctx.clock.now()
        uid, generation = _generation(daemon_set)
        step = nodepods.decide(
            seen,
            rollout.allows_surge(daemon_set),
            lambda node: self._failures.wait(uid, generation, node, now),
        )
        if step.wait is not None:
            self._queue.add_after(key, step.wait)
        due = status.next_available(seen)
        if due is not None:
            self._queue.add_after(key, due - wall)
        if step.empty and rollout.rolling(daemon_set) is not None:
            desired = sum(1 for _ in seen.wanted())
            return rollout.decide(seen, rollout.limits(daemon_set, desired))
        return step

    async def _act(
        self, key: str, owner: adoption.Owner, hashed: str, step: nodepods.Step
    ) -> errors.StatusError | None:
        if step.empty:
            return None
        daemon_set = owner.object
        doomed, nodes = step.delete[:BURST], step.create[:BURST]
        self._tell_ended(daemon_set, step, {objects.uid(pod) for pod in doomed})
        self._awaited.deleting(key, doomed)
        creations = podmaking.creations(daemon_set, owner.reference, hashed, nodes)
        made = await self._control.create(daemon_set, creations)
        ended = await self._control.delete(daemon_set, doomed)
        self._awaited.acted(key, made, ended)
        return made.failure or ended.failure

    def _tell_ended(
        self, daemon_set: objects.Object, step: nodepods.Step, doomed: Collection[str]
    ) -> None:
        """Say which pods ended by themselves; those that failed wait longer the next time."""
        now = asyncio.get_running_loop().time()
        uid, generation = _generation(daemon_set)
        for node, one in step.ended:
            if objects.uid(one.pod) not in doomed:
                continue
            what = f"daemon pod {objects.key(one.pod)} on node {node}, will try to"
            if one.phase == "Failed":
                self._failures.deleted(uid, generation, node, now)
                text = f"Found failed {what} kill it"
                self._recorder.event(daemon_set, recorder.WARNING, "FailedDaemonPod", text)
            else:
                text = f"Found succeeded {what} delete it"
                self._recorder.event(daemon_set, recorder.NORMAL, "SucceededDaemonPod", text)

    async def _report(self, key: str, daemon_set: objects.Object, computed: objects.Object) -> None:
        if reporting.same(objects.status(daemon_set), computed):
            return
        written = await self._client.update(
            context.DAEMON_SETS, {**daemon_set, "status": computed}, subresource="status"
        )
        self._statuses.note(key, key, written, asyncio.get_running_loop().time())


def _generation(daemon_set: objects.Object) -> tuple[str, int]:
    """The uid and the generation, by which back-offs are told apart."""
    return objects.uid(daemon_set), objects.meta(daemon_set).get("generation") or 0


def _same_place(old: objects.Object, new: objects.Object) -> bool:
    """Whether a node is for every DaemonSet what it was: nearly all changes are heartbeats."""
    return objects.labels(old) == objects.labels(new) and objects.spec(old).get(
        "taints"
    ) == objects.spec(new).get("taints")


def _matters(old: objects.Object, new: objects.Object) -> bool:
    """Whether a pod's change can change what its DaemonSet does or says."""
    return (
        objects.status(old).get("phase") != objects.status(new).get("phase")
        or conditions.find(old, "Ready") != conditions.find(new, "Ready")
        or objects.deleting(old) != objects.deleting(new)
        or objects.labels(old) != objects.labels(new)
        or objects.uid(old) != objects.uid(new)
        or objects.spec(old).get("nodeName") != objects.spec(new).get("nodeName")
        or objects.meta(old).get("ownerReferences") != objects.meta(new).get("ownerReferences")
    )
