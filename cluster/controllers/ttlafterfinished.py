"""The TTL-after-finished controller: deletes Jobs some time after they have ended.

Source: pkg/controller/ttlafterfinished. The time runs from the transition of the condition with
which the job ended; dependents go first (foreground deletion).
"""

from cluster.aio import tasks
from cluster.api import errors, objects, timestamps
from cluster.api.objects import Object
from cluster.client import informer, reconciler
from cluster.controllers import context

_ENDS = ("Complete", "Failed")


def seconds_left(job: Object, now: float) -> float | None:
    """Seconds from `now` (wall) until the job is to be deleted; None where it is not to be.

    errors.InternalError for a finished job that does not tell when it ended.
    """
    lifetime = objects.spec(job).get("ttlSecondsAfterFinished")
    if lifetime is None or objects.deleting(job):
        return None
    for condition in objects.status(job).get("conditions") or ():
        if condition.get("type") in _ENDS and condition.get("status") == "True":
            ended = condition.get("lastTransitionTime")
            if not ended:
                raise errors.InternalError(
                    f"unable to find the time when the Job {objects.key(job)} finished"
                )
            return timestamps.decode(ended) + float(lifetime) - now
    return None


class TtlAfterFinished:
    """Deletes finished Jobs whose spec.ttlSecondsAfterFinished are over."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._client = ctx.client
        self._jobs = ctx.shared(context.JOBS)
        self._queue = ctx.queue()
        ctx.on_change(self._jobs, self._job_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        workers = self._ctx.config.concurrent_ttl_after_finished_syncs
        work = reconciler.Reconciler(
            "ttl-after-finished", self._queue, self.reconcile, workers=workers
        )
        async with tasks.Group("ttl-after-finished") as group:
            group.spawn(work.run(), "work")

    def _job_changed(self, change: informer.Change) -> None:
        job = change.new
        if job is not None and objects.spec(job).get("ttlSecondsAfterFinished") is not None:
            self._queue.add(change.key, change.revision)

    async def reconcile(self, key: str) -> None:
        """Delete the Job if its time is over, by the cache and by the API server."""
        job = self._jobs.store.get(key)
        if job is None or not self._expired(key, job):
            return
        space, name = objects.split_key(key)
        try:
            # Somebody may just have given it more time.
            fresh = await self._client.get(context.JOBS, name, space)
            if self._expired(key, fresh):
                await self._client.delete(
                    context.JOBS, name, space, uid=objects.uid(fresh), propagation="Foreground"
                )
        except errors.NotFound:
            return

    def _expired(self, key: str, job: Object) -> bool:
        """Whether its time is over; where it will be, it is looked at again then."""
        left = seconds_left(job, self._ctx.clock.now())
        if left is None:
            return False
        if left > 0:
            self._queue.add_after(key, left)
            return False
        return True
