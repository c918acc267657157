"""A world for CronJobs: Jobs are ended by a fake, so that runs last as long as a test says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from controllerworld import EPOCH, World, running

from cluster.aio import tasks
from cluster.api import errors, objects, timestamps
from cluster.client import informer
from cluster.controllers.config import Config

CRON_JOBS, JOBS = "cronjobs.batch", "jobs.batch"
CONFIG = Config(controllers=("*", "-job"))


class FakeJobs:
    """Starts every Job at once and ends it: `ending(job)` gives seconds and outcome, or None."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.ending: Callable[[dict[str, Any]], tuple[float, str] | None]
        self.ending = lambda job: (20.0, "Complete")
        self.made: list[dict[str, Any]] = []
        self._seen: set[str] = set()
        self._group: tasks.Group | None = None

    async def run(self) -> None:
        jobs = informer.Informer(self._world.client, JOBS)
        async with tasks.Group("fake jobs") as group:
            self._group = group
            jobs.on_change(self._changed)
            group.spawn(jobs.run(), "jobs")

    def _changed(self, change: informer.Change) -> None:
        job = change.new
        if job is None or self._group is None or objects.uid(job) in self._seen:
            return
        self._seen.add(objects.uid(job))
        self.made.append(job)
        self._group.spawn(self._live(job), objects.name(job))

    async def _live(self, job: dict[str, Any]) -> None:
        start = timestamps.encode(self._world.clock.now())
        with contextlib.suppress(errors.NotFound):
            await self._status(job, {"startTime": start, "active": 1})
            end = self.ending(job)
            if end is None:
                return
            await asyncio.sleep(end[0])
            now = timestamps.encode(self._world.clock.now())
            done: dict[str, Any] = {"active": 0, "conditions": _conditions(end[1], now)}
            if end[1] == "Complete":
                done |= {"completionTime": now, "succeeded": 1}
            await self._status(job, done)

    async def _status(self, job: dict[str, Any], status: dict[str, Any]) -> None:
        patch = {"metadata": {"uid": objects.uid(job)}, "status": status}
        await self._world.client.patch(
            JOBS, objects.name(job), patch, objects.namespace(job), subresource="status"
        )


def _conditions(outcome: str, now: str) -> list[dict[str, Any]]:
    kinds = ["SuccessCriteriaMet", "Complete"] if outcome == "Complete" else [outcome]
    kinds = ["FailureTarget", "Failed"] if outcome == "Failed" else kinds
    return [
        {"type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now}
        for kind in kinds
    ]


@contextlib.asynccontextmanager
async def with_jobs(
    config: Config = CONFIG, crash_every: int | None = None
) -> AsyncIterator[tuple[World, FakeJobs]]:
    """A world in which fakes end Jobs."""
    async with running(config, nodes=1, crash_every=crash_every) as world:
        jobs = FakeJobs(world)
        async with tasks.Group("jobs") as group:
            group.spawn(jobs.run(), "jobs")
            yield world, jobs
            await world.settle()
            group.cancel()


def cron_job(name: str = "report", schedule: str = "*/5 * * * *", **spec: Any) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "schedule": schedule,
            "jobTemplate": {
                "metadata": {"labels": {"app": name}, "annotations": {"team": "numbers"}},
                "spec": {"template": {"spec": pod}},
            },
            **spec,
        },
    }


async def until_wall(world: World, text: str) -> None:
    """Wait until the wall clock says so."""
    await asyncio.sleep(max(0.0, timestamps.decode(text) - world.clock.now()))


START = timestamps.encode(EPOCH)
"""When a world begins: 2027-01-15T08:00:00Z."""
