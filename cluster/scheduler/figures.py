"""What the scheduler counts for /metrics: names, help texts and buckets of
pkg/scheduler/metrics.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Final

from cluster.client import figures
from cluster.client.figures import Family, Figures

_BUCKETS: Final = tuple(0.001 * 2.0**power for power in range(15))
Counts = Callable[[], Mapping[str, int]]
SCHEDULED, UNSCHEDULABLE, ERROR = "scheduled", "unschedulable", "error"
FAMILIES: Final = {
    "scheduler_pending_pods": Family(
        "Number of pending pods, by the queue type. 'active' means number of pods in activeQ; "
        "'backoff' means number of pods in backoffQ; 'unschedulable' means number of pods in "
        "unschedulablePods that the scheduler attempted to schedule and failed; 'gated' is the "
        "number of unschedulable pods that the scheduler never attempted to schedule because they "
        "are gated.",
        ("queue",),
        "gauge",
    ),
    "scheduler_preemption_attempts_total": Family(
        "Total preemption attempts in the cluster till now"
    ),
    "scheduler_schedule_attempts_total": Family(
        "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not "
        "be scheduled, while 'error' means an internal scheduler problem.",
        ("profile", "result"),
    ),
    "scheduler_scheduling_algorithm_duration_seconds": Family(
        "Scheduling algorithm latency in seconds", (), "histogram", _BUCKETS
    ),
    "scheduler_scheduling_attempt_duration_seconds": Family(
        "Scheduling attempt latency in seconds (scheduling algorithm + binding)",
        ("profile", "result"),
        "histogram",
        _BUCKETS,
    ),
}


class Attempts:
    """Counts attempts, where the process counts at all. Times are the loop's, in seconds."""

    def __init__(self) -> None:
        self._figures: Figures | None = figures.current.get()

    def follow_queue(self, counts: Counts) -> None:
        """Tell of the queue: how many pods are where."""
        if self._figures is not None:
            for queue in counts():
                read = functools.partial(_of, counts, queue)
                self._figures.follow("scheduler_pending_pods", read, queue)

    def decided(self, seconds: float) -> None:
        """A decision took so long."""
        if self._figures is not None:
            self._figures.observe("scheduler_scheduling_algorithm_duration_seconds", seconds)

    def ended(self, profile: str, result: str, seconds: float) -> None:
        """An attempt ended: SCHEDULED, UNSCHEDULABLE or ERROR."""
        if self._figures is not None:
            self._figures.count("scheduler_schedule_attempts_total", profile, result)
            self._figures.observe(
                "scheduler_scheduling_attempt_duration_seconds", seconds, profile, result
            )

    def preempted(self) -> None:
        """Victims were chosen."""
        if self._figures is not None:
            self._figures.count("scheduler_preemption_attempts_total")


def _of(counts: Counts, queue: str) -> int:
    return counts()[queue]
