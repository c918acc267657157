"""The lab under a hundred hourly CronJobs: what a virtual hour costs, and whether it grows."""

import logging
import resource
import time
from dataclasses import dataclass
from typing import Any, Final

import structlog

from cluster.lab.lab import Lab
from cluster.lab.mirror import Change
from cluster.lab.world import Cluster

TITLE: Final = "lab: 30 virtual days, 100 hourly CronJobs, 3 nodes"
TARGET: Final = 600.0
CRON_JOBS: Final = 100
_NODES: Final = 3
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Ran:
    """A run. `hours` are the seconds of each virtual hour, `seconds` those of all of it."""

    hours: list[float]
    seconds: float
    jobs: int
    writes: int
    memory: int

    @property
    def note(self) -> str:
        """What was done in it."""
        return f"{self.jobs:,} Jobs, {self.writes:,} writes, {self.memory} MB at most"


class _Count:
    """What was made, as the store tells it."""

    def __init__(self, cluster: Cluster) -> None:
        self.jobs = self.done = 0
        cluster.mirror.observe("jobs.batch", self._job)

    def _job(self, change: Change) -> None:
        if change.old is None:
            self.jobs += 1
        elif change.new is not None:
            ends = [
                "completionTime" in (one.get("status") or {}) for one in (change.old, change.new)
            ]
            self.done += ends == [False, True]


def run(hours: int) -> Ran:
    """Run so many virtual hours. RuntimeError where a Job was not made, or did not complete."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    began = time.perf_counter()
    costs, count, writes = Lab(seed=1, nodes=_NODES).run(lambda cluster: _pass(cluster, hours))
    wanted = CRON_JOBS * hours
    if count.jobs < wanted or count.done < wanted:
        raise RuntimeError(f"{count.jobs} Jobs made and {count.done} completed of {wanted}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Ran(costs, time.perf_counter() - began, count.jobs, writes, memory)


async def _pass(cluster: Cluster, hours: int) -> tuple[list[float], _Count, int]:
    await cluster.apply([_cron_job(f"report-{number}") for number in range(CRON_JOBS)])
    count = _Count(cluster)
    costs = []
    # The lab begins on the hour and boots a few seconds; an hour's Jobs are done when it is over.
    for hour in range(1, hours + 1):
        began = time.perf_counter()
        await cluster.sleep((hour + 0.5) * _HOUR - cluster.now())
        costs.append(time.perf_counter() - began)
    return costs, count, cluster.mirror.revision


def _cron_job(name: str) -> dict[str, Any]:
    """Every hour, a pod that runs half a minute."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "report", "image": "report:1"}]}
    template = {"metadata": {"annotations": {"kubemu.dev/run-for": "30s"}}, "spec": pod}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"schedule": "@hourly", "jobTemplate": {"spec": {"template": template}}},
    }
