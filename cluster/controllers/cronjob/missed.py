"""Which start of a CronJob is due, and when the next one is: its missed starts.

Source: pkg/controller/cronjob/utils.go and "Job schedule delay" in the documentation of CronJob.
"""

from dataclasses import dataclass
from typing import Final

from cluster.api import objects, timestamps
from cluster.controllers.cronjob.schedule import Timetable

MANY: Final = 100
"""Missed starts beyond which a warning is given."""
NEXT_SCHEDULE_DELTA: Final = 0.1
"""Seconds that the controller waits beyond a time, so that clocks may differ a little."""


class NeverDue(ValueError):
    """A schedule that reads well and names no time, such as 31 February."""


@dataclass(frozen=True, slots=True)
class Due:
    """The start that is due, if any, since `earliest`; whether any, and many, were missed."""

    earliest: float
    time: int | None = None
    missed: bool = False
    many: bool = False


def due(cron_job: objects.Object, timetable: Timetable, now: float, *, deadline: bool) -> Due:
    """What is due at `now`. With `deadline`, startingDeadlineSeconds bounds how far back is looked.

    Starts since then are counted by the distance of the first two, as Kubernetes does: a schedule
    with uneven steps may be miscounted. NeverDue.
    """
    earliest = _last(cron_job)
    seconds = objects.spec(cron_job).get("startingDeadlineSeconds")
    if deadline and seconds is not None:
        earliest = max(earliest, now - seconds)
    first = timetable.following(earliest)
    second = None if first is None else timetable.following(first)
    if first is not None and now < first:
        return Due(earliest)
    if second is not None and now < second:
        return Due(earliest, first)
    if first is None or second is None:
        raise NeverDue("time difference between two schedules is less than 1 second")
    step = second - first
    count = int(now - first) // step + 1
    time = timetable.latest(first + (count - 2) * step, now)
    return Due(earliest, time, missed=True, many=count > MANY)


def seconds_to_next(cron_job: objects.Object, timetable: Timetable, now: float) -> float | None:
    """How long until it is worth looking again; None: never."""
    try:
        found = due(cron_job, timetable, now, deadline=False)
    except NeverDue:
        since = now
    else:
        since = found.time if found.time is not None else now if found.missed else found.earliest
    following = timetable.following(since)
    return None if following is None else following + NEXT_SCHEDULE_DELTA - now


def _last(cron_job: objects.Object) -> float:
    """When it last started a Job, or was created."""
    last = objects.status(cron_job).get("lastScheduleTime")
    return timestamps.decode(last or objects.meta(cron_job)["creationTimestamp"])
