"""Jobs and cron jobs, as kubectl shows them."""

from typing import Any

from cluster.api import conditions, objects, timestamps
from cluster.api.printing import durations
from cluster.api.printing.table import AGE, NAME, NONE, Printer, age, label_selector, wide
from cluster.api.printing.workloads import containers
from cluster.api.resources import Column

_WIDE = (wide("Containers"), wide("Images"), wide("Selector"))


def _status(obj: objects.Object) -> str:
    for kind in ("Complete", "Failed"):
        if conditions.is_true(obj, kind):
            return kind
    if objects.deleting(obj):
        return "Terminating"
    for kind in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if conditions.is_true(obj, kind):
            return kind
    return "Running"


def _completions(spec: objects.Object, done: int) -> str:
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    parallel = spec.get("parallelism") or 0
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _duration(status: objects.Object, now: float) -> str:
    start, end = status.get("startTime"), status.get("completionTime")
    if start is None:
        return ""
    return durations.since(start, now if end is None else timestamps.decode(end))


def _job(obj: objects.Object, now: float) -> list[Any]:
    spec, status = objects.spec(obj), objects.status(obj)
    return [
        objects.name(obj),
        _status(obj),
        _completions(spec, status.get("succeeded") or 0),
        _duration(status, now),
        age(obj, now),
        *containers(spec.get("template")),
        label_selector(spec.get("selector")),
    ]


def _cron_job(obj: objects.Object, now: float) -> list[Any]:
    spec, status = objects.spec(obj), objects.status(obj)
    last = status.get("lastScheduleTime")
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    suspended = spec.get("suspend")
    return [
        objects.name(obj),
        spec.get("schedule") or "",
        spec.get("timeZone") or NONE,
        "<unset>" if suspended is None else str(suspended),
        len(status.get("active") or ()),
        NONE if last is None else durations.since(last, now),
        age(obj, now),
        *containers(job.get("template")),
        label_selector(job["selector"]) if "selector" in job else NONE,
    ]


JOBS = Printer(
    (
        NAME,
        Column("Status", description="How it stands with the job."),
        Column("Completions", description="Pods that succeeded, of those wanted."),
        Column("Duration", description="How long it runs, or ran."),
        AGE,
        *_WIDE,
    ),
    _job,
)
CRON_JOBS = Printer(
    (
        NAME,
        Column("Schedule", description="When its jobs start."),
        Column("Timezone", description="Whose clock the schedule means."),
        Column("Suspend", "boolean", description="Whether no more jobs start."),
        Column("Active", "integer", description="Jobs that run now."),
        Column("Last Schedule", description="Time since a job was last started."),
        AGE,
        *_WIDE,
    ),
    _cron_job,
)

BY_RESOURCE = {"cronjobs.batch": CRON_JOBS, "jobs.batch": JOBS}
