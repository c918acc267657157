"""Events, as `kubectl get events` shows them."""

from typing import Any

from cluster.api import events, objects
from cluster.api.printing import durations
from cluster.api.printing.table import Printer, wide
from cluster.api.resources import Column


def _source(event: objects.Object) -> str:
    source = event.get("source") or {}
    component = source.get("component") or event.get("reportingComponent") or ""
    host = source.get("host") or event.get("reportingInstance") or ""
    return f"{component}, {host}" if host else component


def _target(event: objects.Object) -> str:
    involved = event.get("involvedObject") or {}
    kind, name = (involved.get("kind") or "").lower(), involved.get("name")
    return f"{kind}/{name}" if name else kind


def _cells(event: objects.Object, now: float) -> list[Any]:
    series = event.get("series")
    first = event.get("firstTimestamp") or event.get("eventTime")
    last = event.get("lastTimestamp") or first
    count = event.get("count") or 1
    if series:
        last, count = series.get("lastObservedTime"), series.get("count") or 0
    return [
        durations.since(last, now),
        event.get("type") or "",
        event.get("reason") or "",
        _target(event),
        (event.get("involvedObject") or {}).get("fieldPath") or "",
        _source(event),
        (event.get("message") or "").strip(),
        durations.since(first, now),
        count,
        objects.name(event),
    ]


def _new_cells(event: objects.Object, now: float) -> list[Any]:
    return _cells(events.to_core(event), now)


_COLUMNS = (
    Column("Last Seen", description="When it happened last."),
    Column("Type", description="Normal or Warning."),
    Column("Reason", description="Why, in one word."),
    Column("Object", description="What it happened to."),
    wide("Subobject"),
    wide("Source"),
    Column("Message", description="What happened."),
    wide("First Seen"),
    wide("Count"),
    Column("Name", format="name", priority=1),
)
EVENTS = Printer(_COLUMNS, _cells)
NEW_EVENTS = Printer(_COLUMNS, _new_cells)

BY_RESOURCE = {
    "events": EVENTS,
    "events.events.k8s.io": NEW_EVENTS,
}
