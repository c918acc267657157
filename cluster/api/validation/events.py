"""Events of both groups (pkg/apis/core/validation/events.go).

The new group's events are checked in the words of the old group, in which they are kept.
"""

from typing import Any, Final

from cluster.api import causes, events, metadata
from cluster.api.objects import Object
from cluster.api.validation import family, values
from cluster.api.validation.values import Causes

_TYPES: Final = ("Normal", "Warning")
_SHORT: Final = 128
_NOTE: Final = 1024
_SYSTEM: Final = "kube-system"
_FIXED: Final = (
    ("involvedObject", "involvedObject"), ("reason", "reason"), ("message", "message"),
    ("source", "source"), ("firstTimestamp", "firstTimestamp"),
    ("lastTimestamp", "lastTimestamp"), ("count", "count"), ("reason", "reason"),
    ("type", "type"), ("eventTime", "eventTime"), ("action", "action"), ("related", "related"),
    ("reportingComponent", "reportingController"), ("reportingInstance", "reportingInstance"),
)  # fmt: skip


def event(obj: Object) -> Causes:
    """What is wrong with an event of the core group."""
    about = (obj.get("involvedObject") or {}).get("namespace") or ""
    space = obj["metadata"].get("namespace") or ""
    path, detail = "involvedObject.namespace", "does not match event.namespace"
    if obj.get("eventTime"):
        found = [] if about or space == _SYSTEM else [causes.invalid(path, about, detail)]
        found += _reporting(obj)
    elif about == space or (not about and space in ("", "default")):
        found = []
    else:
        found = [causes.invalid(path, about, detail)]
    return found + values.complaints("namespace", space, metadata.dns1123_subdomain(space))


def _reporting(obj: Object) -> Causes:
    controller = obj.get("reportingComponent") or ""
    found: Causes = [] if controller else [causes.required("reportingController")]
    told = metadata.qualified_name(controller)
    found += values.complaints("reportingController", controller, told)
    for field in ("reportingInstance", "action", "reason"):
        text = obj.get(field) or ""
        if not text:
            found.append(causes.required(field))
        found += _short(field, text, _SHORT)
    return found + _short("message", obj.get("message") or "", _NOTE)


def _short(path: str, text: str, limit: int) -> Causes:
    if len(text.encode()) <= limit:
        return []
    return [causes.invalid(path, "", f"can have at most {limit} characters")]


def new_event(obj: Object) -> Causes:
    """What is wrong with a new event of the group `events.k8s.io`."""
    old = events.to_core(obj)
    found = event(old) + _series(old.get("series"))
    if not old.get("eventTime"):
        found.append(causes.required("eventTime"))
    kind = old.get("type") or ""
    if kind not in _TYPES:
        found.append(causes.invalid("type", "", f"has invalid value: {kind}"))
    found += [
        causes.invalid(field, "", "needs to be unset")
        for field in ("firstTimestamp", "lastTimestamp", "count")
        if old.get(field)
    ]
    source = old.get("source") or {}
    if source.get("component") or source.get("host"):
        found.append(causes.invalid("source", "", "needs to be unset"))
    return found


def new_event_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed event of that group: it is its series that may change."""
    before, after = events.to_core(old), events.to_core(new)
    found = event(after)
    if before.get("series") != after.get("series"):
        found += _series(after.get("series"))
    for field, shown in _FIXED:
        was, now = _said(before.get(field)), _said(after.get(field))
        found += values.immutable(shown, was, now)
    return found


def _said(value: Any) -> Any:
    """Zero values and what is not there are the same."""
    return value or None


def _series(series: Object | None) -> Causes:
    if series is None:
        return []
    found: Causes = []
    if (series.get("count") or 0) < 2:
        found.append(causes.invalid("series.count", "", "should be at least 2"))
    if not series.get("lastObservedTime"):
        found.append(causes.required("series.lastObservedTime"))
    return found


_NEW_GROUP: Final = "events.events.k8s.io"
NEW: Final[family.Creates] = {"events": event, _NEW_GROUP: new_event}
UPDATE: Final[family.Updates] = {
    "events": lambda old, new: event(new),
    _NEW_GROUP: new_event_update,
}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {}
