"""The Deployment controller: the shell around `decision`."""

import asyncio
from collections.abc import Sequence

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.client import informer, reconciler, recorder
from cluster.controllers import (
    adoption,
    context,
    ownership,
    podstate,
    reporting,
    selection,
    staleness,
)
from cluster.controllers.deployment import budget, decision, hashing, revisions, status

_SET = "replicaset:"
_SERVER_FAULT = 500
"""From this code on, a server may have done what it could not say it did."""


class DeploymentController:
    """Rolls Deployments out and reports how that goes."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._client = ctx.client
        self._deployments = ctx.shared(context.DEPLOYMENTS)
        self._sets = ctx.shared(context.REPLICA_SETS)
        self._pods = ctx.shared(context.PODS)
        self._queue = ctx.queue()
        self._recorder = ctx.recorder("deployment-controller")
        self._writes = staleness.OwnWrites()
        self._unsure: dict[str, None] = {}
        ctx.on_change(self._deployments, self._deployment_changed)
        ctx.on_change(self._sets, self._set_changed)
        ctx.on_change(self._pods, self._pod_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        work = reconciler.Reconciler(
            "deployment",
            self._queue,
            self.reconcile,
            workers=self._ctx.config.concurrent_deployment_syncs,
        )
        async with tasks.Group("deployment") as group:
            group.spawn(self._recorder.run(), "recorder")
            group.spawn(work.run(), "work")

    # What happened

    def _deployment_changed(self, change: informer.Change) -> None:
        if change.new is None:
            self._writes.forget(change.key)
        self._queue.add(change.key, change.revision)

    def _set_changed(self, change: informer.Change) -> None:
        owners = [
            key
            for key in (self._owner_key(side) for side in (change.old, change.new) if side)
            if key is not None
        ]
        for key in dict.fromkeys(owners):
            self._queue.add(key, change.revision)
        if change.new is not None and objects.controller_of(change.new) is None:
            space, labels = objects.namespace(change.new), objects.labels(change.new)
            for found in selection.selecting(self._deployments.store, space, labels):
                self._queue.add(objects.key(found), change.revision)

    def _pod_changed(self, change: informer.Change) -> None:
        """Recreate waits for the last old pod: nothing else here hears of its end."""
        pod = change.object
        ended = change.new is None or podstate.is_finished(pod)
        owner = objects.controller_of(pod) if ended else None
        if owner is None or owner.get("kind") != "ReplicaSet":
            return
        replica_set = self._sets.store.get(f"{objects.namespace(pod)}/{owner['name']}")
        key = self._owner_key(replica_set) if replica_set is not None else None
        deployment = self._deployments.store.get(key) if key is not None else None
        if key is not None and deployment is not None and not budget.is_rolling(deployment):
            self._queue.add(key, change.revision)

    def _owner_key(self, replica_set: objects.Object) -> str | None:
        return ownership.owner_key(replica_set, "Deployment", self._deployments.store)

    # What to do about it

    async def reconcile(self, key: str) -> None:
        """Take one step with one Deployment."""
        deployment = self._deployments.store.get(key)
        if deployment is None:
            self._writes.forget(key)  # an answer may have come after the deletion
            self._unsure.pop(key, None)
            return
        if key in self._unsure:
            await self._look_up(key, deployment)
        if self._writes.stale(key, self._cached_revision, self._loop_time()):
            self._queue.add_after(key, 1.0)
            return
        if selection.selector_of(deployment).empty:
            await self._refuse(key, deployment)
            return
        replica_sets = await self._claimed(deployment)
        step = decision.decide(
            deployment,
            replica_sets,
            self._old_pods_remain(deployment, replica_sets),
            self._ctx.clock.now(),
        )
        for action in step.actions:
            try:
                await self._carry_out(key, deployment, action)
            except errors.StatusError as failure:
                if failure.code >= _SERVER_FAULT:
                    self._unsure[key] = None
                raise
        await self._report(key, deployment, step.status, step.revision)
        if step.again_in is not None:
            self._queue.add_after(key, step.again_in)

    async def _look_up(self, key: str, deployment: objects.Object) -> None:
        """A write's answer never came: wait until the cache shows the ReplicaSets as they are."""
        listing = await self._client.list(context.REPLICA_SETS, objects.namespace(deployment))
        for found in ownership.controlled(deployment, listing.items):
            self._writes.note(key, _SET + objects.key(found), found, self._loop_time())
        self._unsure.pop(key, None)

    def _loop_time(self) -> float:
        return asyncio.get_running_loop().time()

    def _cached_revision(self, item: str) -> int:
        store = self._sets.store if item.startswith(_SET) else self._deployments.store
        found = store.get(item.removeprefix(_SET))
        return objects.revision(found) if found is not None else 0

    async def _claimed(self, deployment: objects.Object) -> list[objects.Object]:
        reference = ownership.reference(deployment, "apps/v1", "Deployment")
        return await adoption.claimed(
            self._client,
            adoption.Owner(deployment, context.DEPLOYMENTS, reference),
            self._sets,
        )

    def _old_pods_remain(
        self, deployment: objects.Object, replica_sets: Sequence[objects.Object]
    ) -> bool:
        if budget.is_rolling(deployment):
            return False
        _, old = revisions.split(deployment, replica_sets)
        return any(
            not podstate.is_finished(pod)
            for replica_set in old
            for pod in self._pods.store.by_index(context.CONTROLLER, objects.uid(replica_set))
        )

    async def _refuse(self, key: str, deployment: objects.Object) -> None:
        text = "This deployment is selecting all pods. A non-empty selector is required."
        self._recorder.event(deployment, recorder.WARNING, "SelectingAll", text)
        generation = objects.meta(deployment).get("generation") or 0
        if objects.status(deployment).get("observedGeneration", 0) < generation:
            seen = {**objects.status(deployment), "observedGeneration": generation}
            await self._report(key, deployment, seen, revisions.of(deployment))

    async def _carry_out(
        self, key: str, deployment: objects.Object, action: decision.Action
    ) -> None:
        match action:
            case decision.CreateReplicaSet(object=wanted):
                await self._create(key, deployment, wanted)
            case decision.UpdateReplicaSet(object=changed, before=before, after=after):
                written = await self._client.update(context.REPLICA_SETS, changed)
                self._writes.note(key, _SET + objects.key(changed), written, self._loop_time())
                if before != after:
                    self._say_scaled(deployment, objects.name(changed), before, after)
            case decision.DeleteReplicaSet(object=doomed):
                await self._delete(doomed)

    async def _create(self, key: str, deployment: objects.Object, wanted: objects.Object) -> None:
        try:
            written = await self._client.create(context.REPLICA_SETS, wanted)
        except errors.AlreadyExists:
            written = await self._existing(key, deployment, wanted)
        except errors.StatusError as failure:
            if reporting.namespace_terminating(failure):
                return
            await self._report_failed_creation(key, deployment, wanted, failure)
            raise
        else:
            size = budget.replicas(wanted)
            if size > 0:
                self._say_scaled(deployment, objects.name(wanted), 0, size)
        self._writes.note(key, _SET + objects.key(wanted), written, self._loop_time())

    async def _existing(
        self, key: str, deployment: objects.Object, wanted: objects.Object
    ) -> objects.Object:
        """The ReplicaSet of that name, where it is our own; else count a collision and raise."""
        name = objects.name(wanted)
        found = await self._client.get(context.REPLICA_SETS, name, objects.namespace(wanted))
        owner = objects.controller_of(found)
        ours = owner is not None and owner.get("uid") == objects.uid(deployment)
        templates = [objects.spec(rs).get("template") or {} for rs in (found, wanted)]
        if ours and hashing.same_template(templates[0], templates[1]):
            return found
        counted = dict(objects.status(deployment))
        counted["collisionCount"] = (counted.get("collisionCount") or 0) + 1
        await self._report(key, deployment, counted, revisions.of(deployment))
        raise errors.already_exists(context.REPLICA_SETS, name)

    async def _report_failed_creation(
        self,
        key: str,
        deployment: objects.Object,
        wanted: objects.Object,
        failure: errors.StatusError,
    ) -> None:
        reason = "ReplicaSetCreateError"
        message = f'Failed to create new replica set "{objects.name(wanted)}": {failure}'
        if budget.progress_deadline(deployment) is not None:
            told = dict(objects.status(deployment))
            now = self._ctx.clock.now()
            status.put(told, status.condition(status.PROGRESSING, "False", reason, message, now))
            await self._report(key, deployment, told, revisions.of(deployment))
        self._recorder.event(deployment, recorder.WARNING, reason, message)

    async def _delete(self, replica_set: objects.Object) -> None:
        try:
            await self._client.delete(
                context.REPLICA_SETS,
                objects.name(replica_set),
                objects.namespace(replica_set),
                uid=objects.uid(replica_set),
            )
        except errors.NotFound:
            return

    def _say_scaled(self, deployment: objects.Object, name: str, before: int, after: int) -> None:
        way = "up" if after > before else "down"
        text = f"Scaled {way} replica set {name} from {before} to {after}"
        self._recorder.event(deployment, recorder.NORMAL, "ScalingReplicaSet", text)

    async def _report(
        self, key: str, deployment: objects.Object, new: objects.Object, revision: int
    ) -> None:
        """Write status and revision together, where they differ from what the cache shows."""
        annotations = dict(objects.annotations(deployment))
        if revision:
            annotations[revisions.REVISION] = str(revision)
        same = annotations == objects.annotations(deployment)
        if same and reporting.same(objects.status(deployment), new):
            return
        metadata = {**objects.meta(deployment), "annotations": annotations}
        changed = {**deployment, "metadata": metadata, "status": new}
        written = await self._client.update(context.DEPLOYMENTS, changed, subresource="status")
        self._writes.note(key, key, written, self._loop_time())
