"""When pods ended, and how long a job that failed waits before it makes another.

Source: pkg/controller/job/backoff_utils.go. The record is kept in memory, as there: a controller
that was started again begins with none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import conditions, objects, timestamps
from cluster.api.objects import Object

BASE: Final = 10.0
"""Seconds that the first failure costs (DefaultJobPodFailureBackOff)."""
MAXIMUM: Final = 600.0
"""Seconds that a failure costs at most (MaxJobPodFailureBackOff)."""
_MAX_DOUBLINGS: Final = 16


@dataclass(frozen=True, slots=True)
class Record:
    """Failures since the last success, and the wall time of the newest."""

    failures: int = 0
    last: float = 0.0

    def left(self, now: float) -> float:
        """Seconds from `now` (wall) until the next pod may be made."""
        return remaining(self.failures, self.last, now)


def remaining(failures: int, last: float, now: float) -> float:
    """Seconds to wait after so many failures in a row, of which the newest was at `last`."""
    if failures <= 0:
        return 0.0
    delay = min(BASE * 2.0 ** min(failures - 1, _MAX_DOUBLINGS), MAXIMUM)
    return max(0.0, delay - (now - last))


def followed(record: Record, succeeded: Sequence[Object], failed: Sequence[Object]) -> Record:
    """The record after these pods ended as well: a success clears what failed before it."""
    if not succeeded:
        if not failed:
            return record
        return Record(record.failures + len(failed), max(finished_at(pod) for pod in failed))
    success = max(finished_at(pod) for pod in succeeded)
    later = [at for pod in failed if (at := finished_at(pod)) > success]
    return Record(len(later), max(later, default=0.0))


def finished_at(pod: Object) -> float:
    """When the pod ended, in wall seconds: by its containers, its readiness, its deletion."""
    ended = _containers_ended(pod)
    if ended is not None:
        return ended
    ready = conditions.find(pod, "Ready")
    if ready is not None and ready.get("status") == "False" and ready.get("lastTransitionTime"):
        return timestamps.decode(ready["lastTransitionTime"])
    meta = objects.meta(pod)
    if meta.get("deletionTimestamp"):
        grace = float(meta.get("deletionGracePeriodSeconds") or 0)
        return timestamps.decode(meta["deletionTimestamp"]) - grace
    created = meta.get("creationTimestamp")
    return timestamps.decode(created) if created else 0.0


def _containers_ended(pod: Object) -> float | None:
    """When the last container ended, side-cars too; None where one has not, or says no time."""
    sidecars = [
        container.get("name")
        for container in objects.spec(pod).get("initContainers") or ()
        if container.get("restartPolicy") == "Always"
    ]
    status = objects.status(pod)
    asked: list[dict[str, Any]] = list(status.get("containerStatuses") or ())
    asked += [s for s in status.get("initContainerStatuses") or () if s.get("name") in sidecars]
    last: float | None = None
    for found in asked:
        at = ((found.get("state") or {}).get("terminated") or {}).get("finishedAt")
        if not at:
            return None
        moment = timestamps.decode(at)
        last = moment if last is None else max(last, moment)
    return last
