"""The Job controller: the shell around survey, management and accounting."""

import asyncio
from collections.abc import Sequence

from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.client import informer, ratelimit, reconciler, recorder, workqueue
from cluster.controllers import adoption, context, staleness
from cluster.controllers.job import (
    accounting,
    awaited,
    ending,
    fields,
    finishing,
    indices,
    management,
    marks,
    orphans,
    podcontrol,
    pods,
    survey,
)
from cluster.controllers.job.podevents import PodEvents

API_BACKOFF, MAX_API_BACKOFF = 1.0, 60.0
"""Seconds before a step that failed is tried again (DefaultJobApiBackOff, MaxJobApiBackOff)."""
_UNSTARTED_SINCE = 36
"""The minor version from which a suspended job has no startTime (KEP-5440)."""
SETTLE_RATE = 10_000.0
"""Pods looked at a second, at most, because of changes of single pods (see context.settle)."""


class JobController:
    """Runs the pods of every Job until it is complete or has failed, and keeps its status true."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._client = ctx.client
        self._jobs = ctx.shared(context.JOBS)
        self._pods = ctx.shared(context.PODS, indices.INDEX)
        limiter = ratelimit.ItemExponentialLimiter(
            ctx.random, base=API_BACKOFF, maximum=MAX_API_BACKOFF
        )
        self._queue = workqueue.WorkQueue(ctx.random, limiter=limiter)
        self._recorder = ctx.recorder("job-controller")
        self._awaited = awaited.Awaited()
        self._writes = staleness.OwnWrites()
        self._backoffs: dict[str, finishing.Record] = {}
        self._claimed: dict[str, str] = {}
        """The uid of each job that has adopted and released what there was to it."""
        self._control = podcontrol.PodControl(
            ctx.client, self._recorder, self._awaited, self._pods.store
        )
        self._orphans = orphans.Orphans(ctx.client, self._jobs, self._pods, ctx.random)
        events = PodEvents(self._jobs, self._awaited, self._orphans, self._look, self._unclaim)
        ctx.on_change(self._jobs, self._job_changed)
        ctx.on_change(self._pods, events.changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        work = reconciler.Reconciler(
            "job", self._queue, self.reconcile, workers=self._ctx.config.concurrent_job_syncs
        )
        async with tasks.Group("job") as group:
            group.spawn(self._recorder.run(), "recorder")
            group.spawn(self._orphans.run(), "orphans")
            group.spawn(work.run(), "work")

    # What happened

    def _job_changed(self, change: informer.Change) -> None:
        old, new = change.old, change.new
        if new is None:
            self._forget(change.key)
            self._release_pods(change.object)
        elif fields.finished(new) and not fields.foreign(new):
            self._release_pods(new)
        if old is not None and new is not None and _generation(old) == _generation(new):
            self._look(change.key, change.revision)
        else:
            self._queue.add(change.key, change.revision)

    def _release_pods(self, job: Object) -> None:
        """Nobody counts the pods of this job any more."""
        for pod in self._pods.store.by_index(indices.JOB_PODS, objects.uid(job)):
            if fields.tracked(pod):
                self._orphans.add(pod)

    def _look(self, key: str, revision: int) -> None:
        """Look at a job a little later: more of its pods will change by then."""
        job = self._jobs.store.get(key)
        size = fields.number(job, "parallelism", 1) if job is not None else 0
        active = objects.status(job).get("active") or 0 if job is not None else 0
        pause = context.settle(min(size, active + management.BURST), SETTLE_RATE)
        self._queue.add_after(key, pause, revision)

    def _unclaim(self, key: str) -> None:
        self._claimed.pop(key, None)

    def _forget(self, key: str) -> None:
        self._awaited.forget(key)
        self._control.forget(key)
        self._writes.forget(key)
        self._backoffs.pop(key, None)
        self._claimed.pop(key, None)

    # What to do about it

    async def reconcile(self, key: str) -> None:
        """Bring one Job a step further."""
        job = self._jobs.store.get(key)
        if job is None or fields.finished(job):
            self._forget(key)
            return
        if fields.foreign(job):
            return
        loop_time = asyncio.get_running_loop().time()
        if self._writes.stale(key, lambda _: objects.revision(job), loop_time):
            self._queue.add_after(key, 1.0)
            return
        await self._control.catch_up(key, job)
        satisfied = self._awaited.satisfied(key, loop_time)
        if not satisfied:
            # A pod that came and went while no watch was there is never seen: time must tell.
            self._queue.add_after(key, self._awaited.seconds_left(key, loop_time))
        found = survey.survey(
            job,
            await self._own_pods(key, job),
            survey.Asked(self._awaited.being_left(key), self._awaited.being_removed(key)),
            self._backoffs.get(key, finishing.Record()),
            self._ctx.clock.now(),
        )
        await self._step(key, found, satisfied)

    async def _own_pods(self, key: str, job: Object) -> Sequence[Object]:
        """The pods that are not settled, after adopting and releasing where that is needed."""
        if self._claimed.get(key) == objects.uid(job):
            return self._pods.store.by_index(indices.JOB_PODS, objects.uid(job))
        self._claimed[key] = objects.uid(job)
        owner = adoption.Owner(job, context.JOBS, pods.reference(job), (fields.TRACKING,))
        try:
            mine = await adoption.claimed(self._client, owner, self._pods)
        except BaseException:
            self._unclaim(key)
            raise
        unseen = [pod for pod in mine if not self._is_shown(pod, job)]
        now = asyncio.get_running_loop().time()
        self._awaited.created(key, [objects.uid(pod) for pod in unseen], now)
        return [pod for pod in mine if indices.unsettled(pod)]

    def _is_shown(self, pod: Object, job: Object) -> bool:
        """Whether the cache shows the pod as the job's own."""
        known = self._pods.store.get(objects.key(pod))
        owner = objects.controller_of(known) if known is not None else None
        return owner is not None and owner["uid"] == objects.uid(job)

    async def _step(self, key: str, found: survey.Survey, satisfied: bool) -> None:
        counts = accounting.Counts(len(found.active), found.ready, len(found.terminating))
        end, event = found.end, None
        failure: errors.StatusError | None = None
        if end is not None:
            failure = await self._end_all(key, found, counts)
            if counts.active or not satisfied:
                end = None  # there are pods that are not counted yet, or not even seen
        elif satisfied:
            managed = not objects.deleting(found.job)
            if managed:
                failure = await self._manage(key, found, counts)
            end = ending.complete(found, counts.active)
            if end is None and managed:
                newer = self._ctx.config.emulates(_UNSTARTED_SINCE)
                event = ending.suspension(found, unstarted=newer)
        self._watch_deadline(key, found)
        await self._account(key, found, accounting.begin(found, counts, end), event)
        if failure is not None:
            raise failure

    async def _end_all(
        self, key: str, found: survey.Survey, counts: accounting.Counts
    ) -> errors.StatusError | None:
        """End what still runs. Their finalizers stay: they are counted with the others."""
        going, failure = await self._control.end(key, found.job, found.active)
        counts.leave(going)
        return failure

    async def _manage(
        self, key: str, found: survey.Survey, counts: accounting.Counts
    ) -> errors.StatusError | None:
        """Make or end as many pods as are missing or too many."""
        orders = management.orders(found)
        if orders.end:
            going, failure = await self._control.discard(key, found.job, orders.end)
            counts.leave(going)
            return failure
        if orders.wait > 0:
            self._queue.add_after(key, orders.wait)
        made, failure = await self._control.create(key, found.job, orders.make)
        counts.active += made
        return failure

    def _watch_deadline(self, key: str, found: survey.Survey) -> None:
        left = survey.deadline_in(found)
        if left is not None and left > 0:
            self._queue.add_after(key, left)

    async def _account(
        self,
        key: str,
        found: survey.Survey,
        account: accounting.Account,
        event: tuple[str, str] | None,
    ) -> None:
        """Name the pods that ended, release them, count them, and finish the job: in this order."""
        job = found.job
        if event is not None:
            self._recorder.event(job, recorder.NORMAL, *event)
        if account.changed:
            job = await self._write(key, job, account)
            self._backoffs[key] = found.backoff
        wrong: errors.StatusError | None = None
        if account.release:
            freed, wrong = await self._control.release(key, account.release)
            account.held -= freed
        pending = accounting.settled(account)
        finished = wrong is None and accounting.finish(account, self._ctx.clock.now())
        if pending or finished:
            job = await self._write(key, job, account)
        if finished and account.end is not None:
            self._tell_end(job, account.end)
        if wrong is not None:
            raise wrong

    async def _write(self, key: str, job: Object, account: accounting.Account) -> Object:
        """Write the status; errors.Conflict where the job changed meanwhile."""
        written = await self._client.update(
            context.JOBS,
            {**job, "status": accounting.written(account.status)},
            subresource="status",
        )
        self._writes.note(key, key, written, asyncio.get_running_loop().time())
        return written

    def _tell_end(self, job: Object, end: marks.Condition) -> None:
        wanted = fields.completions(job)
        if end["type"] != marks.COMPLETE:
            self._recorder.event(job, recorder.WARNING, end["reason"], end["message"])
            return
        if wanted is not None and (objects.status(job).get("succeeded") or 0) > wanted:
            text = "Too many succeeded pods running after completion count reached"
            self._recorder.event(job, recorder.WARNING, "TooManySucceededPods", text)
        self._recorder.event(job, recorder.NORMAL, "Completed", "Job completed")


def _generation(job: Object) -> int:
    return objects.meta(job).get("generation") or 0
