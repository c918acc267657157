"""CronJob (batch validation)."""

from typing import Final

from cluster.api import causes, cron
from cluster.api.objects import Object
from cluster.api.validation import family, jobs, values
from cluster.api.validation.values import Causes

LONGEST_NAME: Final = 52
"""Characters: the controller appends a minute to the name of each job."""
_POLICIES: Final = ("Allow", "Forbid", "Replace")
_EXPLICIT: Final = (
    "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
)


def of_new(obj: Object) -> Causes:
    """What is wrong with a new CronJob."""
    found = _spec(obj.get("spec") or {})
    name = obj["metadata"].get("name") or ""
    if len(name) > LONGEST_NAME:
        detail = f"must be no more than {LONGEST_NAME} characters"
        found.append(causes.invalid("metadata.name", name, detail))
    return found


def of_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a CronJob."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    return [] if before == after else _spec(after, before)


def _spec(spec: Object, before: Object | None = None) -> Causes:
    schedule = spec.get("schedule") or ""
    found: Causes = []
    if not schedule:
        found.append(causes.required("spec.schedule"))
    else:
        found += [causes.invalid("spec.schedule", schedule, why) for why in _wrong(spec, before)]
    found += values.not_negatives("spec", spec, "startingDeadlineSeconds")
    zone = spec.get("timeZone")
    if zone is not None and (before is None or before.get("timeZone") != zone):
        found += _time_zone("spec.timeZone", zone)
    found += values.one_of("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), _POLICIES)
    found += jobs.template("spec.jobTemplate", spec.get("jobTemplate") or {})
    return found + values.not_negatives(
        "spec", spec, "successfulJobsHistoryLimit", "failedJobsHistoryLimit"
    )


def _wrong(spec: Object, before: Object | None) -> list[str]:
    """What is wrong with a schedule. One with a zone in it may stay that had one before."""
    schedule = spec["schedule"]
    found = [why] if (why := cron.complaint(schedule)) else []
    if "TZ" not in schedule:
        return found
    if before is None or "TZ" not in (before.get("schedule") or ""):
        return [*found, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"]
    if spec.get("timeZone") is not None:
        found.append("cannot use both timeZone field and TZ or CRON_TZ in schedule")
    return found


def _time_zone(path: str, zone: str) -> Causes:
    if not zone:
        return [causes.invalid(path, zone, "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        return [causes.invalid(path, zone, _EXPLICIT)]
    if cron.find_zone(zone) is None:
        return [causes.invalid(path, zone, f"unknown time zone {zone}")]
    return []


NEW: Final[family.Creates] = {"cronjobs.batch": of_new}
UPDATE: Final[family.Updates] = {"cronjobs.batch": of_update}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {}
