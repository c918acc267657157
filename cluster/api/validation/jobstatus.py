"""The status of a Job, which may not contradict itself (batch validation)."""

from typing import Final

from cluster.api import causes, conditions
from cluster.api.errors import Cause
from cluster.api.objects import Object
from cluster.api.validation import jobpolicies, values
from cluster.api.validation.values import Causes

_TERMINAL: Final = ("Complete", "Failed")
_AT: Final = "status.conditions"


def of_update(old: Object, new: Object) -> Causes:
    """What is wrong with a new status."""
    before, after = old.get("status") or {}, new.get("status") or {}
    if before == after:
        return []
    found = values.not_negatives(
        "status", after, "active", "succeeded", "failed", "ready", "terminating"
    )
    return found + _uncounted(after) + _ends(old, new) + _indexes(new, after)


def _uncounted(status: Object) -> Causes:
    found: Causes = []
    seen: dict[str, None] = {}
    listed = status.get("uncountedTerminatedPods") or {}
    for field in ("succeeded", "failed"):
        for index, uid in enumerate(listed.get(field) or ()):
            at = f"status.uncountedTerminatedPods.{field}[{index}]"
            if not uid:
                found.append(causes.invalid(at, uid, "must not be empty"))
            elif uid in seen:
                found.append(causes.duplicate(at, uid))
            seen[uid] = None
    return found


def _ends(old: Object, new: Object) -> Causes:
    """A job ends once, as a success or as a failure, with all that belongs to it."""
    status = new.get("status") or {}
    complete, failed = (conditions.is_true(new, kind) for kind in _TERMINAL)
    found: Causes = []
    if complete and failed:
        found.append(_contradiction("cannot set Complete=True and Failed=true conditions"))
    if complete and conditions.is_true(new, "FailureTarget"):
        found.append(_contradiction("cannot set Complete=True and FailureTarget=true conditions"))
    met = conditions.is_true(new, "SuccessCriteriaMet")
    if met and failed:
        found.append(
            _contradiction("cannot set SuccessCriteriaMet=True and Failed=true conditions")
        )
    if met and conditions.is_true(new, "FailureTarget"):
        detail = "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"
        found.append(_contradiction(detail))
    found += _times(old, status, complete=complete, finished=complete or failed)
    for kind in _TERMINAL:
        if conditions.is_true(old, kind) and not conditions.is_true(new, kind):
            detail = f'cannot disable the terminal condition "{kind}"'
            found.append(_contradiction(detail))
    return found


def _times(old: Object, status: Object, *, complete: bool, finished: bool) -> Causes:
    found: Causes = []
    start, end = status.get("startTime"), status.get("completionTime")
    if end is not None and not complete:
        detail = "cannot set completionTime when there is no Complete=True condition"
        found.append(causes.invalid("status.completionTime", end, detail))
    if end is None and complete:
        detail = "completionTime is required for Complete jobs"
        found.append(causes.required("status.completionTime", detail))
    if start is not None and end is not None and end < start:
        detail = "completionTime cannot be set before startTime"
        found.append(causes.invalid("status.completionTime", end, detail))
    if finished and start is None:
        detail = "startTime is required for finished job"
        found.append(causes.required("status.startTime", detail))
    if finished and (status.get("active") or 0) > 0:
        detail = "active>0 is invalid for finished job"
        found.append(causes.invalid("status.active", status["active"], detail))
    before = (old.get("status") or {}).get("completionTime")
    if before is not None and end != before:
        found.append(
            causes.invalid("status.completionTime", end, "completionTime cannot be mutated")
        )
    return found


def _indexes(job: Object, status: Object) -> Causes:
    spec = job.get("spec") or {}
    completions, done = spec.get("completions"), status.get("completedIndexes") or ""
    if done and spec.get("completionMode") != "Indexed":
        detail = "cannot set non-empty completedIndexes when non-indexed completion mode"
        return [causes.invalid("status.completedIndexes", done, detail)]
    found: Causes = []
    failed = status.get("failedIndexes")
    if failed is not None and spec.get("backoffLimitPerIndex") is None:
        detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        found.append(causes.invalid("status.failedIndexes", failed, detail))
    for field, text in (("completedIndexes", done), ("failedIndexes", failed or "")):
        try:
            jobpolicies.counted(text, completions or 0)
        except ValueError as error:
            detail = f"error parsing {field}: {error}"
            found.append(causes.invalid(f"status.{field}", text, detail))
    return found


def _contradiction(detail: str) -> Cause:
    return causes.invalid_without_value(_AT, detail)
