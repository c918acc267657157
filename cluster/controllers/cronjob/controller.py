"""The CronJob controller: the shell around `decision`."""

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from cluster.aio import tasks
from cluster.api import cron, errors, objects
from cluster.api.operations import Operation, Verb
from cluster.client import informer, reconciler, recorder
from cluster.controllers import context, expectations, ownership, reporting, staleness
from cluster.controllers.cronjob import decision


class CronJobController:
    """Starts the Jobs of every CronJob in time, and keeps its status and its history."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._client = ctx.client
        self._cron_jobs = ctx.shared(context.CRON_JOBS)
        self._jobs = ctx.shared(context.JOBS)
        self._queue = ctx.queue()
        self._recorder = ctx.recorder("cronjob-controller")
        self._deletions = expectations.Expectations()
        self._writes = staleness.OwnWrites()
        ctx.on_change(self._cron_jobs, self._cron_job_changed)
        ctx.on_change(self._jobs, self._job_changed)

    async def run(self) -> None:
        """Serve until cancelled."""
        workers = self._ctx.config.concurrent_cron_job_syncs
        work = reconciler.Reconciler("cronjob", self._queue, self.reconcile, workers=workers)
        async with tasks.Group("cronjob") as group:
            group.spawn(self._recorder.run(), "recorder")
            group.spawn(work.run(), "work")

    # What happened

    def _cron_job_changed(self, change: informer.Change) -> None:
        old, new = change.old, change.new
        if old is None or new is None or not decision.changed_schedule(old, new):
            self._queue.add(change.key, change.revision)
            return
        try:
            wait = decision.wait_for_changed(new, self._ctx.clock.now())
        except cron.InvalidSchedule:
            text = f"unparseable schedule for cronjob: {objects.spec(new)['schedule']}"
            self._recorder.event(new, recorder.WARNING, "UnParseableCronJobSchedule", text)
            return
        if wait is not None:
            self._queue.add_after(change.key, wait, change.revision)

    def _job_changed(self, change: informer.Change) -> None:
        old, new = change.old, change.new
        if old is not None and new is not None and not decision.tells_more(old, new):
            return
        before, key = (
            ownership.owner_key(side, "CronJob", self._cron_jobs.store) for side in (old, new)
        )
        job = change.object
        if (new is None or objects.deleting(job)) and before is not None:
            self._deletions.deletion_seen(before, objects.uid(job))
        for found in dict.fromkeys(key for key in (before, key) if key is not None):
            self._queue.add(found, change.revision)

    # What to do about it

    async def reconcile(self, key: str) -> None:
        """See to one CronJob."""
        cron_job = self._cron_jobs.store.get(key)
        loop_time = asyncio.get_running_loop().time()
        if cron_job is None:
            self._deletions.forget(key)
            self._writes.forget(key)
            return
        if self._writes.stale(key, lambda _: objects.revision(cron_job), loop_time):
            self._queue.add_after(key, 1.0)
            return
        if not self._deletions.satisfied(key, loop_time):
            self._queue.add_after(key, self._deletions.seconds_left(key, loop_time))
            return
        jobs = self._jobs.store.by_index(context.CONTROLLER, objects.uid(cron_job))
        working = {**cron_job, "status": dict(objects.status(cron_job))}
        wait, failure = None, None
        try:
            await self._delete(key, working, decision.surplus(cron_job, jobs))
            wait = await self._sync(key, working, jobs)
        except errors.StatusError as error:
            failure = error  # what was done before it is told all the same
        await self._report(key, cron_job, working)
        if failure is not None:
            raise failure
        if wait is not None:
            self._queue.add_after(key, wait)

    async def _sync(
        self, key: str, working: dict[str, Any], jobs: Iterable[objects.Object]
    ) -> float | None:
        """Bring working's status up to date, and start what is due. Seconds to the next time."""
        observed = decision.observe(working, [*jobs])
        working["status"] = observed.status
        self._tell(working, observed.notes)
        await self._look_closer(working, observed)
        if objects.deleting(working):
            return None
        decided = decision.decide(working, self._ctx.clock.now())
        self._tell(working, decided.notes)
        if decided.time is not None:
            await self._replace(key, working, decided.replace)
            await self._start(working, decided.time)
        return decided.wait

    async def _look_closer(self, working: dict[str, Any], observed: decision.Observed) -> None:
        """Ask the API about Jobs and references that do not fit: a cache may be late."""
        if observed.unexpected:
            space, name = objects.namespace(working), objects.name(working)
            now = await self._client.get(context.CRON_JOBS, name, space)
            known = {ref["uid"] for ref in objects.status(now).get("active") or ()}
            if any(objects.uid(job) in known for job in observed.unexpected):
                raise errors.Conflict(f"the cache is behind on cronjob {space}/{name}")
        for job in observed.unexpected:
            text = f"Saw a job that the controller did not create or forgot: {objects.name(job)}"
            self._recorder.event(working, recorder.WARNING, "UnexpectedJob", text)
        for reference in observed.absent:
            if await self._job(reference) is None:
                text = f"Active job went missing: {reference['name']}"
                self._recorder.event(working, recorder.NORMAL, "MissingJob", text)
                decision.forget(working["status"], reference["uid"])

    async def _replace(
        self, key: str, working: dict[str, Any], references: Iterable[objects.Object]
    ) -> None:
        """Delete the Jobs that run still. errors.StatusError where one could not be."""
        running = []
        for reference in references:
            job = await self._job(reference)
            if job is None:
                text = f'Get job: jobs.batch "{reference["name"]}" not found'
                self._recorder.event(working, recorder.WARNING, "FailedGet", text)
                raise errors.NotFound(text)
            running.append(job)
        if not await self._delete(key, working, running):
            raise errors.InternalError(f"could not replace the jobs of {key}")

    async def _start(self, working: dict[str, Any], time: int) -> None:
        """Make the Job of a time and enter it in the status.

        Where the name is another's, nothing happens until the next time (Kubernetes, until the
        CronJob changes).
        """
        owner = ownership.reference(working, "batch/v1", "CronJob")
        wanted = decision.job(working, owner, time)
        try:
            job = await self._client.create(context.JOBS, wanted)
        except errors.AlreadyExists:
            meta = wanted["metadata"]
            job = await self._client.get(context.JOBS, meta["name"], meta["namespace"])
            if not self._may_enter(working, job):
                return
        except errors.StatusError as failure:
            if not reporting.namespace_terminating(failure):
                text = f"Error creating job: {failure}"
                self._recorder.event(working, recorder.WARNING, "FailedCreate", text)
            raise
        else:
            text = f"Created job {objects.name(job)}"
            self._recorder.event(working, recorder.NORMAL, "SuccessfulCreate", text)
        decision.started(working["status"], job, time)

    def _may_enter(self, working: objects.Object, job: objects.Object) -> bool:
        """Whether a Job that was there already is ours, made before a crash, say, and not told."""
        owner = objects.controller_of(job)
        mine = owner is not None and owner["uid"] == objects.uid(working)
        active = objects.status(working).get("active") or ()
        return mine and all(ref["uid"] != objects.uid(job) for ref in active)

    async def _delete(
        self, key: str, working: dict[str, Any], doomed: Iterable[objects.Object]
    ) -> bool:
        """Delete Jobs with their pods; whether all of them are."""
        doomed = [job for job in doomed if not objects.deleting(job)]
        if not doomed:
            return True
        loop_time = asyncio.get_running_loop().time()
        self._deletions.expect_deletions(key, map(objects.uid, doomed), loop_time)
        outcomes = await self._client.submit_all([_deletion(job) for job in doomed])
        good = True
        for job, outcome in zip(doomed, outcomes, strict=True):
            name, uid = objects.name(job), objects.uid(job)
            if not isinstance(outcome, errors.StatusError):
                decision.forget(working["status"], uid)
                text = f"Deleted job {name}"
                self._recorder.event(working, recorder.NORMAL, "SuccessfulDelete", text)
                continue
            self._deletions.deletion_seen(key, uid)
            good = False
            text = f"Deleted job: {outcome}"
            self._recorder.event(working, recorder.WARNING, "FailedDelete", text)
        return good

    async def _job(self, reference: objects.Object) -> objects.Object | None:
        """The Job of a reference, as it is now."""
        try:
            return await self._client.get(
                context.JOBS, reference["name"], reference.get("namespace") or ""
            )
        except errors.NotFound:
            return None

    async def _report(self, key: str, cron_job: objects.Object, working: dict[str, Any]) -> None:
        if reporting.same(objects.status(cron_job), working["status"]):
            return
        written = await self._client.update(context.CRON_JOBS, working, subresource="status")
        self._writes.note(key, key, written, asyncio.get_running_loop().time())

    def _tell(self, cron_job: objects.Object, notes: Iterable[decision.Note]) -> None:
        for note in notes:
            self._recorder.event(cron_job, note.type, note.reason, note.message)


def _deletion(job: objects.Object) -> Operation:
    """The deletion of this very Job; its pods follow."""
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": objects.uid(job)},
        "propagationPolicy": "Background",
    }
    return Operation(
        Verb.DELETE, context.JOBS, objects.namespace(job), objects.name(job),
        body=msgspec.json.encode(options), want_object=False,
    )  # fmt: skip
