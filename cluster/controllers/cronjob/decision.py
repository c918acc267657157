"""What to do for a CronJob: objects and time in, values out.

Source: syncCronJob and cleanupFinishedJobs of pkg/controller/cronjob.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from cluster.api import cron, objects, timestamps
from cluster.client.recorder import NORMAL, WARNING
from cluster.controllers.cronjob import missed, schedule

SCHEDULED_TIMESTAMP: Final = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_DOCUMENTED: Final = (
    "is not officially supported, see "
    "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
)


@dataclass(frozen=True, slots=True)
class Note:
    """An Event to be recorded about the CronJob."""

    type: str
    reason: str
    message: str


@dataclass(slots=True)
class Observed:
    """What the Jobs tell: the status without those that ended, and what only the API can settle."""

    status: dict[str, Any]
    notes: list[Note] = field(default_factory=list)
    unexpected: list[objects.Object] = field(default_factory=list)
    """Unfinished Jobs that the status does not know."""
    absent: list[objects.Object] = field(default_factory=list)
    """References in status.active to Jobs that were not seen."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Start the Job of `time`, if any, after deleting those of `replace`; look again after `wait`
    seconds (None: when the CronJob changes).
    """

    time: int | None = None
    replace: Sequence[objects.Object] = ()
    wait: float | None = None
    notes: Sequence[Note] = ()


def finished(job: objects.Object) -> str:
    """`Complete`, `Failed`, or "" for a Job that has not ended."""
    for found in objects.status(job).get("conditions") or ():
        if found.get("status") == "True" and (kind := found.get("type")) in ("Complete", "Failed"):
            return str(kind)
    return ""


def tells_more(old: objects.Object, new: objects.Object) -> bool:
    """Whether a change of a Job matters to its CronJob."""
    return (
        finished(old) != finished(new)
        or objects.deleting(old) != objects.deleting(new)
        or objects.status(old).get("completionTime") != objects.status(new).get("completionTime")
        or objects.controller_of(old) != objects.controller_of(new)
    )


def surplus(cron_job: objects.Object, jobs: Sequence[objects.Object]) -> list[objects.Object]:
    """The finished Jobs beyond the history limits, oldest first."""
    spec = objects.spec(cron_job)
    limits = {
        "Complete": spec.get("successfulJobsHistoryLimit"),
        "Failed": spec.get("failedJobsHistoryLimit"),
    }
    found: list[objects.Object] = []
    for outcome, limit in limits.items():
        if limit is None:
            continue
        ended = [job for job in jobs if finished(job) == outcome]
        if len(ended) > limit:
            ended.sort(key=_start)
            found += ended[: len(ended) - limit]
    return found


def observe(cron_job: objects.Object, jobs: Sequence[objects.Object]) -> Observed:
    """Take the Jobs that ended out of status.active, and say what is strange about the rest."""
    found = Observed(dict(objects.status(cron_job)))
    active = {ref["uid"] for ref in found.status.get("active") or ()}
    for job in jobs:
        uid, outcome = objects.uid(job), finished(job)
        if not outcome:
            if uid not in active:
                found.unexpected.append(job)
            continue
        if uid in active:
            forget(found.status, uid)
            text = f"Saw completed job: {objects.name(job)}, condition: {outcome}"
            found.notes.append(Note(NORMAL, "SawCompletedJob", text))
        if outcome == "Complete":
            _succeeded(found.status, job)
    known = {objects.uid(job) for job in jobs}
    found.absent = [ref for ref in found.status.get("active") or () if ref["uid"] not in known]
    return found


def forget(status: dict[str, Any], uid: str) -> None:
    """Take a Job out of status.active."""
    active = [ref for ref in status.get("active") or () if ref["uid"] != uid]
    if active:
        status["active"] = active
    else:
        status.pop("active", None)


def started(status: dict[str, Any], job: objects.Object, time: int) -> None:
    """Enter a Job that was made for `time`."""
    meta = objects.meta(job)
    reference = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
        "resourceVersion": meta["resourceVersion"],
    }
    status["active"] = [*(status.get("active") or ()), reference]
    status["lastScheduleTime"] = timestamps.encode(time)


def decide(cron_job: objects.Object, now: float) -> Decision:
    """What a CronJob, with the status that `observe` gave, is due for at `now`."""
    spec = objects.spec(cron_job)
    zone = _zone(cron_job)
    if zone is None:
        name = spec["timeZone"]
        text = f'invalid timeZone: "{name}": unknown time zone {name}'
        return Decision(notes=[Note(WARNING, "UnknownTimeZone", text)])
    if spec.get("suspend"):
        return Decision()
    text, notes = spec["schedule"], []
    if "TZ" in text:
        message = f'CRON_TZ or TZ used in schedule "{text}" {_DOCUMENTED}'
        notes.append(Note(WARNING, "UnsupportedSchedule", message))
    try:
        timetable = schedule.timetable(text, zone)
    except cron.InvalidSchedule as wrong:
        message = f'unparseable schedule: "{text}" : {wrong}'
        return Decision(notes=[*notes, Note(WARNING, "UnparseableSchedule", message)])
    try:
        due = missed.due(cron_job, timetable, now, deadline=True)
    except missed.NeverDue as wrong:
        message = f"invalid schedule: {text} : {wrong}"
        return Decision(notes=[*notes, Note(WARNING, "InvalidSchedule", message)])
    wait = missed.seconds_to_next(cron_job, timetable, now)
    if due.time is None:
        return Decision(wait=wait, notes=notes)
    return _start_or_not(cron_job, due, now, wait, notes)


def _start_or_not(
    cron_job: objects.Object, due: missed.Due, now: float, wait: float | None, notes: list[Note]
) -> Decision:
    """A start is due: whether there is a reason against it."""
    spec, status, time = objects.spec(cron_job), objects.status(cron_job), due.time
    assert time is not None
    if due.many:
        text = (
            "too many missed start times. "
            "Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        )
        notes.append(Note(WARNING, "TooManyMissedTimes", text))
    deadline = spec.get("startingDeadlineSeconds")
    if deadline is not None and time + deadline < now:
        text = f"Missed scheduled time to start a job: {_rfc1123(time)}"
        return Decision(wait=wait, notes=[*notes, Note(WARNING, "MissSchedule", text)])
    active = status.get("active") or []
    name = job_name(cron_job, time)
    last = status.get("lastScheduleTime")
    if any(ref["name"] == name for ref in active) or (last and timestamps.decode(last) == time):
        return Decision(wait=wait, notes=notes)
    policy = spec.get("concurrencyPolicy")
    if policy == "Forbid" and active:
        text = (
            "Not starting job because prior execution is running and concurrency policy is Forbid"
        )
        return Decision(wait=wait, notes=[*notes, Note(NORMAL, "JobAlreadyActive", text)])
    # What is to be waited for counts from this start on.
    after = _with_last(cron_job, time)
    timetable = schedule.timetable(spec["schedule"], _zone(cron_job) or UTC)
    wait = missed.seconds_to_next(after, timetable, now)
    return Decision(time, active if policy == "Replace" else (), wait, notes)


def job_name(cron_job: objects.Object, time: int) -> str:
    """The one name of the Job of a time: no two can be made for it."""
    return f"{objects.name(cron_job)}-{time // 60}"


def job(cron_job: objects.Object, owner: objects.Object, time: int) -> dict[str, Any]:
    """The Job of a time, controlled by the reference `owner`."""
    template = objects.spec(cron_job).get("jobTemplate") or {}
    meta = objects.meta(template)
    moment = datetime.fromtimestamp(time, _zone(cron_job) or UTC).isoformat()
    noted = {**(meta.get("annotations") or {}), SCHEDULED_TIMESTAMP: _with_z(moment)}
    made: dict[str, Any] = {
        "name": job_name(cron_job, time),
        "namespace": objects.namespace(cron_job),
        "annotations": noted,
        "ownerReferences": [owner],
    }
    if meta.get("labels"):
        made["labels"] = meta["labels"]
    spec = template.get("spec") or {}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": made, "spec": spec}


def changed_schedule(old: objects.Object, new: objects.Object) -> bool:
    """Whether a change of a CronJob moves its times."""
    before, after = objects.spec(old), objects.spec(new)
    return any(before.get(name) != after.get(name) for name in ("schedule", "timeZone"))


def wait_for_changed(cron_job: objects.Object, now: float) -> float | None:
    """Seconds to the next time of a schedule that was changed. cron.InvalidSchedule."""
    text = objects.spec(cron_job)["schedule"]
    timetable = schedule.timetable(text, _zone(cron_job) or UTC)
    return missed.seconds_to_next(cron_job, timetable, now)


def _zone(cron_job: objects.Object) -> tzinfo | None:
    """The zone of spec.timeZone, UTC without one; None for one that is not known."""
    name = objects.spec(cron_job).get("timeZone")
    return UTC if name is None else cron.find_zone(name)


def _with_last(cron_job: objects.Object, time: int) -> objects.Object:
    status = {**objects.status(cron_job), "lastScheduleTime": timestamps.encode(time)}
    return {**cron_job, "status": status}


def _succeeded(status: dict[str, Any], job: objects.Object) -> None:
    """status.lastSuccessfulTime is that of the Job that completed last."""
    done = objects.status(job).get("completionTime")
    last = status.get("lastSuccessfulTime")
    if done and (not last or timestamps.decode(done) > timestamps.decode(last)):
        status["lastSuccessfulTime"] = done


def _start(job: Mapping[str, Any]) -> tuple[float, str]:
    """Jobs are as old as their start; those that never started are the youngest."""
    start = objects.status(job).get("startTime")
    return (timestamps.decode(start) if start else float("inf")), objects.name(job)


def _rfc1123(time: int) -> str:
    """`Thu, 01 Jan 2026 00:00:00 +0000`, as Go's RFC1123Z."""
    return datetime.fromtimestamp(time, UTC).strftime("%a, %d %b %Y %H:%M:%S %z")


def _with_z(moment: str) -> str:
    return moment.replace("+00:00", "Z") if moment.endswith("+00:00") else moment
