"""Autoscalers, disruption budgets, quotas and limits, as kubectl shows them."""

from typing import Any

from cluster.api import autoscaling, objects
from cluster.api.printing.table import AGE, NAME, NONE, Printer, age
from cluster.api.resources import Column

_SHOWN = 2  # metrics before "+ n more..."
_UNKNOWN = "<unknown>"
_SOURCES = {
    "External": "external", "Pods": "pods", "Object": "object", "Resource": "resource",
    "ContainerResource": "containerResource",
}  # fmt: skip


def _budget(obj: objects.Object, now: float) -> list[Any]:
    spec = objects.spec(obj)
    bounds = [str(spec.get(field, "N/A")) for field in ("minAvailable", "maxUnavailable")]
    allowed = objects.status(obj).get("disruptionsAllowed") or 0
    return [objects.name(obj), *bounds, allowed, age(obj, now)]


def _metric(index: int, metric: objects.Object, statuses: list[objects.Object]) -> str:
    source = _SOURCES.get(metric.get("type") or "")
    if source is None:
        return "<unknown type>"
    given = metric.get(source) or {}
    target = given.get("target") or {}
    found = statuses[index] if index < len(statuses) else {}
    current = (found.get(source) or {}).get("current") or {}
    if source in ("resource", "containerResource"):
        return f"{given.get('name', '')}: {_use(current, target)}"
    if "averageValue" in target:
        average = f"{current.get('averageValue', _UNKNOWN)}/{target['averageValue']}"
        return average if source == "pods" else f"{average} (avg)"
    return f"{current.get('value', _UNKNOWN)}/{target.get('value', '0')}"


def _use(current: objects.Object, target: objects.Object) -> str:
    if "averageValue" in target:
        return f"{current.get('averageValue', _UNKNOWN)}/{target['averageValue']}"
    now, wanted = current.get("averageUtilization"), target.get("averageUtilization")
    shown = _UNKNOWN if now is None else f"{now}%"
    return f"{shown}/{'<auto>' if wanted is None else f'{wanted}%'}"


def _metrics(spec: objects.Object, status: objects.Object) -> str:
    statuses = status.get("currentMetrics") or []
    shown = [
        _metric(index, metric, statuses) for index, metric in enumerate(spec.get("metrics") or ())
    ]
    if not shown:
        return NONE
    more = len(shown) - _SHOWN
    return ", ".join(shown[:_SHOWN]) + (f" + {more} more..." if more > 0 else "")


def _autoscaler(obj: objects.Object, now: float) -> list[Any]:
    obj = autoscaling.newest(obj)
    spec, status = objects.spec(obj), objects.status(obj)
    target = spec.get("scaleTargetRef") or {}
    return [
        objects.name(obj),
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _metrics(spec, status),
        str(spec.get("minReplicas", "<unset>")),
        spec.get("maxReplicas") or 0,
        status.get("currentReplicas") or 0,
        age(obj, now),
    ]


def _quota(obj: objects.Object, now: float) -> list[Any]:
    status = objects.status(obj)
    hard, used = status.get("hard") or {}, status.get("used") or {}
    requests: list[str] = []
    limits: list[str] = []
    for name in sorted(hard):
        column = limits if name.startswith("limits.") else requests
        column.append(f"{name}: {used.get(name, '0')}/{hard[name]}")
    return [objects.name(obj), ", ".join(requests), ", ".join(limits), age(obj, now)]


def _limit_range(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), obj["metadata"].get("creationTimestamp")]


BUDGETS = Printer(
    (
        NAME,
        Column("Min Available", description="Pods that must stay, as a number or percentage."),
        Column("Max Unavailable", description="Pods that may be missing."),
        Column("Allowed Disruptions", "integer", description="Evictions that are possible now."),
        AGE,
    ),
    _budget,
)
AUTOSCALERS = Printer(
    (
        NAME,
        Column("Reference", description="What it scales."),
        Column("Targets", description="What it measures, and what that should be."),
        Column("MinPods", description="Replicas at least."),
        Column("MaxPods", description="Replicas at most."),
        Column("Replicas", description="Replicas now."),
        AGE,
    ),
    _autoscaler,
)
QUOTAS = Printer(
    (
        NAME,
        Column("Request", description="Objects and requests: used of what may be."),
        Column("Limit", description="Limits: used of what may be."),
        AGE,
    ),
    _quota,
)
LIMIT_RANGES = Printer(
    (NAME, Column("Created At", "date", description="When it was made.")), _limit_range
)

BY_RESOURCE = {
    "horizontalpodautoscalers.autoscaling": AUTOSCALERS,
    "limitranges": LIMIT_RANGES,
    "poddisruptionbudgets.policy": BUDGETS,
    "resourcequotas": QUOTAS,
}
