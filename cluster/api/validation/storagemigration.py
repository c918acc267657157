"""StorageVersionMigration (pkg/apis/storagemigration/validation)."""

from typing import Final

from cluster.api import causes, conditions
from cluster.api.objects import Object
from cluster.api.validation import family, metaconditions, values
from cluster.api.validation.values import Causes

_ID: Final = "storageversionmigrations.storagemigration.k8s.io"


def _resource(obj: Object) -> Object:
    return (obj.get("spec") or {}).get("resource") or {}


def of_new(obj: Object) -> Causes:
    """What is wrong with a migration."""
    if _resource(obj).get("resource"):
        return []
    return [causes.required("spec.resource.resource", "resource is required")]


def of_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed migration: what is migrated stays."""
    found = of_new(new)
    for field in ("group", "resource"):
        was, now = (_resource(obj).get(field) or "" for obj in (old, new))
        found += values.immutable(field, was, now)
    return found


def of_status(old: Object, new: Object) -> Causes:
    """What is wrong with a changed status: a migration ends once, and in one way."""
    status, path = new.get("status") or {}, "status.conditions"
    listed = status.get("conditions") or []
    found = _revision(old.get("status") or {}, status)
    found += metaconditions.conditions(path, listed)
    succeeded, failed = (conditions.is_true(new, kind) for kind in ("Succeeded", "Failed"))
    told: list[str] = []
    if succeeded and failed:
        told.append("Both success and failed conditions cannot be true at the same time")
    running = conditions.is_true(new, "Running")
    if succeeded and running:
        told.append("Running condition cannot be true when success condition is true")
    if failed and running:
        told.append("Running condition cannot be true when failed condition is true")
    if conditions.is_true(old, "Succeeded") and not succeeded:
        told.append("Success condition cannot be set to false once it is true")
    if conditions.is_true(old, "Failed") and not failed:
        told.append("Failed condition cannot be set to false once it is true")
    return found + [causes.invalid(path, listed, text) for text in told]


def _revision(was: Object, now: Object) -> Causes:
    path, text = "status.resourceVersion", now.get("resourceVersion") or ""
    found: Causes = []
    digits = text.removeprefix("-")
    if text and not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        shown = causes.quoted(text)
        detail = (
            f"failed to parse resource version {shown}: strconv.ParseInt: parsing {shown}: "
            "invalid syntax"
        )
        found.append(causes.invalid(path, text, detail))
    elif text.startswith("-"):
        found.append(causes.invalid(path, int(text), values.NOT_NEGATIVE))
    if was.get("resourceVersion") and was["resourceVersion"] != text:
        found.append(causes.invalid(path, text, "cannot be updated"))
    return found


NEW: Final[family.Creates] = {_ID: of_new}
UPDATE: Final[family.Updates] = {_ID: of_update}
STATUS: Final[family.Updates] = {_ID: of_status}
OTHER: Final[family.Others] = {}
