"""CronJob (batch validation)."""

import re
import zoneinfo
from functools import lru_cache
from typing import Final

from cluster.api import causes, cron
from cluster.api.objects import Object
from cluster.api.validation import family, jobs, values
from cluster.api.validation.values import Causes

LONGEST_NAME: Final = 52
"""Characters: the controller appends a minute to the name of each job."""
_POLICIES: Final = ("Allow", "Forbid", "Replace")
_ZONE: Final = re.compile(r"[A-Za-z0-9._+-]+(/[A-Za-z0-9._+-]+)*", re.ASCII)
_EXPLICIT: Final = (
    "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
)


def of_new(obj: Object) -> Causes:
    """What is wrong with a new CronJob."""
    spec = obj.get("spec") or {}
    found = _spec(spec)
    schedule = spec.get("schedule") or ""
    if "TZ" in schedule:
        detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        found.append(causes.invalid("spec.schedule", schedule, detail))
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
    elif "TZ" not in schedule and (why := cron.complaint(schedule)):
        found.append(causes.invalid("spec.schedule", schedule, why))
    found += values.not_negatives("spec", spec, "startingDeadlineSeconds")
    zone = spec.get("timeZone")
    if zone is not None and (before is None or before.get("timeZone") != zone):
        found += _time_zone("spec.timeZone", zone)
    found += values.one_of("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), _POLICIES)
    found += jobs.template("spec.jobTemplate", spec.get("jobTemplate") or {})
    return found + values.not_negatives(
        "spec", spec, "successfulJobsHistoryLimit", "failedJobsHistoryLimit"
    )


def _time_zone(path: str, zone: str) -> Causes:
    if not zone:
        return [causes.invalid(path, zone, "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        return [causes.invalid(path, zone, _EXPLICIT)]
    if not _is_zone(zone):
        return [causes.invalid(path, zone, f"unknown time zone {zone}")]
    return []


@lru_cache(256)
def _is_zone(zone: str) -> bool:
    if len(zone) > 100 or _ZONE.fullmatch(zone) is None:
        return False
    try:
        zoneinfo.ZoneInfo(zone)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return False
    return True


NEW: Final[family.Creates] = {"cronjobs.batch": of_new}
UPDATE: Final[family.Updates] = {"cronjobs.batch": of_update}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {}
