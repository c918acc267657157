"""HorizontalPodAutoscaler in its two versions: 2, which is stored, and 1, a view of it.

Version 1 knows the use of CPU alone. What else version 2 says, it carries in annotations, and what
it says there counts when it is written: pkg/apis/autoscaling/v1/conversion.go. The annotations hold
metrics in the form of the old API (`metricName`, `targetValue`…) and behavior with Go's names.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from cluster.api import json_text, schema, walker
from cluster.api.defaults.autoscaling import CPU_UTILIZATION, cpu_metric
from cluster.api.objects import Object

METRICS: Final = "autoscaling.alpha.kubernetes.io/metrics"
BEHAVIOR: Final = "autoscaling.alpha.kubernetes.io/behavior"
CONDITIONS: Final = "autoscaling.alpha.kubernetes.io/conditions"
CURRENT_METRICS: Final = "autoscaling.alpha.kubernetes.io/current-metrics"
_CARRIED: Final = (METRICS, BEHAVIOR, CONDITIONS, CURRENT_METRICS)
_CPU: Final = "targetCPUUtilizationPercentage"
_CURRENT_CPU: Final = "currentCPUUtilizationPercentage"
_KINDS: Final = {
    "object": "Object", "pods": "Pods", "resource": "Resource",
    "containerResource": "ContainerResource", "external": "External",
}  # fmt: skip


def newest(obj: Object) -> Object:
    """An autoscaler of either version as version 2."""
    return to_v2(obj) if obj.get("apiVersion") == "autoscaling/v1" else obj


def to_v1(obj: Object) -> Object:
    """A version 1 autoscaler of a version 2 one. Both share parts."""
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    carried: dict[str, Any] = {}
    metrics = spec.pop("metrics", None) or []
    others = []
    for metric in metrics:
        percent = _cpu_use(metric, "target")
        if percent is None:
            others.append(_old(metric, _OLD_SPEC))
        else:
            spec[_CPU] = percent
    if others:
        carried[METRICS] = others
    behavior = spec.pop("behavior", None)
    if behavior is not None:
        carried[BEHAVIOR] = _go_names(behavior)
    current = status.pop("currentMetrics", None) or []
    for metric in current:
        percent = _cpu_use(metric, "current")
        if percent is not None:
            status[_CURRENT_CPU] = percent
    if current:
        carried[CURRENT_METRICS] = [_old(metric, _OLD_STATUS) for metric in current]
    if found := status.pop("conditions", None):
        carried[CONDITIONS] = found
    status.setdefault("currentReplicas", 0)
    status.setdefault("desiredReplicas", 0)
    texts = {name: msgspec.json.encode(value).decode() for name, value in carried.items()}
    return obj | {"metadata": _annotated(obj, texts), "spec": spec, "status": status}


def to_v2(obj: Object) -> Object:
    """The version 2 autoscaler that a version 1 one stands for. Both share parts."""
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    annotations = (obj.get("metadata") or {}).get("annotations") or {}
    metrics = _fitting("spec", "metrics", _metrics(annotations, METRICS, _OLD_SPEC)) or []
    percent = spec.pop(_CPU, None)
    if percent is not None:
        metrics.append(cpu_metric(percent))
    spec["metrics"] = metrics or [cpu_metric(CPU_UTILIZATION)]
    behavior = _fitting("spec", "behavior", _json_names(_decoded(annotations, BEHAVIOR)))
    if behavior:
        spec["behavior"] = behavior
    current = _metrics(annotations, CURRENT_METRICS, _OLD_STATUS)
    current = _fitting("status", "currentMetrics", current)
    use = status.pop(_CURRENT_CPU, None)
    if current:
        status["currentMetrics"] = current
    elif use is not None:
        resource = {"name": "cpu", "current": {"averageUtilization": use}}
        status["currentMetrics"] = [{"type": "Resource", "resource": resource}]
    if found := _fitting("status", "conditions", _listed(annotations, CONDITIONS)):
        status["conditions"] = found
    return obj | {"metadata": _annotated(obj, {}), "spec": spec, "status": status}


def _annotated(obj: Object, carried: Mapping[str, str]) -> Object:
    meta = dict(obj.get("metadata") or {})
    before = meta.pop("annotations", None) or {}
    kept = {name: value for name, value in before.items() if name not in _CARRIED}
    if kept or carried:
        meta["annotations"] = {**kept, **carried}
    return meta


def _cpu_use(metric: Object, which: str) -> int | None:
    source = metric.get("resource") or {}
    if metric.get("type") != "Resource" or source.get("name") != "cpu":
        return None
    percent: int | None = (source.get(which) or {}).get("averageUtilization")
    return percent


# How a source is written in the old form: its name there, and where in the new form it lies.
_Fields = Mapping[str, tuple[str, ...]]
_OLD_SPEC: Final[Mapping[str, _Fields]] = {
    "object": {
        "target": ("describedObject",), "metricName": ("metric", "name"),
        "targetValue": ("target", "value"), "selector": ("metric", "selector"),
        "averageValue": ("target", "averageValue"),
    },
    "pods": {
        "metricName": ("metric", "name"), "targetAverageValue": ("target", "averageValue"),
        "selector": ("metric", "selector"),
    },
    "resource": {
        "name": ("name",), "targetAverageUtilization": ("target", "averageUtilization"),
        "targetAverageValue": ("target", "averageValue"),
    },
    "containerResource": {
        "name": ("name",), "targetAverageUtilization": ("target", "averageUtilization"),
        "targetAverageValue": ("target", "averageValue"), "container": ("container",),
    },
    "external": {
        "metricName": ("metric", "name"), "metricSelector": ("metric", "selector"),
        "targetValue": ("target", "value"), "targetAverageValue": ("target", "averageValue"),
    },
}  # fmt: skip
_OLD_STATUS: Final[Mapping[str, _Fields]] = {
    "object": {
        "target": ("describedObject",), "metricName": ("metric", "name"),
        "currentValue": ("current", "value"), "selector": ("metric", "selector"),
        "averageValue": ("current", "averageValue"),
    },
    "pods": {
        "metricName": ("metric", "name"), "currentAverageValue": ("current", "averageValue"),
        "selector": ("metric", "selector"),
    },
    "resource": {
        "name": ("name",), "currentAverageUtilization": ("current", "averageUtilization"),
        "currentAverageValue": ("current", "averageValue"),
    },
    "containerResource": {
        "name": ("name",), "currentAverageUtilization": ("current", "averageUtilization"),
        "currentAverageValue": ("current", "averageValue"), "container": ("container",),
    },
    "external": {
        "metricName": ("metric", "name"), "metricSelector": ("metric", "selector"),
        "currentValue": ("current", "value"),
        "currentAverageValue": ("current", "averageValue"),
    },
}  # fmt: skip


def _old(metric: Object, forms: Mapping[str, _Fields]) -> Object:
    made: Object = {"type": metric.get("type") or ""}
    for source, fields in forms.items():
        if source in metric:
            given = {name: _at(metric[source], path) for name, path in fields.items()}
            made[source] = {name: value for name, value in given.items() if value is not None}
    return made


def _new(metric: Object, forms: Mapping[str, _Fields]) -> Object:
    made: Object = {"type": metric.get("type") or ""}
    for source, fields in forms.items():
        if not isinstance(metric.get(source), dict):
            continue
        made[source] = {}
        for name, path in fields.items():
            value = metric[source].get(name)
            if value is not None:
                _put(made[source], path, value)
        if forms is _OLD_SPEC:
            target = made[source].setdefault("target", {})
            target["type"] = _target_type(source, target)
    return made


def _target_type(source: str, target: Object) -> str:
    if "averageUtilization" in target:
        return "Utilization"
    if source in ("object", "external") and "value" in target and "averageValue" not in target:
        return "Value"
    return "AverageValue"


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _put(holder: Object, path: tuple[str, ...], value: Any) -> None:
    for step in path[:-1]:
        holder = holder.setdefault(step, {})
    holder[path[-1]] = value


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {rename(name): _renamed(inner, rename) for name, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, rename) for inner in value]
    return value


def _go_names(behavior: Object) -> Any:
    return _renamed(behavior, lambda name: name[:1].upper() + name[1:])


def _json_names(behavior: Any) -> Object:
    if not isinstance(behavior, dict):
        return {}
    found = _renamed(behavior, lambda name: name[:1].lower() + name[1:])
    return {name: _present(rules) for name, rules in found.items() if isinstance(rules, dict)}


def _present(rules: Object) -> Object:
    return {name: value for name, value in rules.items() if value is not None}


def _decoded(annotations: Mapping[str, str], name: str) -> Any:
    """What an annotation holds; anybody may have written it, so that it may be anything."""
    try:
        return json_text.decoded(annotations[name].encode("utf-8", "surrogatepass"))
    except (KeyError, json_text.Malformed):
        return None


def _fitting(part: str, field: str, value: Any) -> Any:
    """What an annotation says, if it is what version 2 has there; else None, as if not said."""
    node = schema.for_kind("autoscaling/v2", "HorizontalPodAutoscaler", schema.NEWEST)
    if node is None or not value:
        return None
    try:
        walked: Any = walker.walk(node, {part: {field: value}}, walker.Unknown())
    except walker.Malformed:
        return None
    return (walked.get(part) or {}).get(field)


def _metrics(annotations: Mapping[str, str], name: str, forms: Mapping[str, _Fields]) -> Any:
    return [_new(metric, forms) for metric in _listed(annotations, name)]


def _listed(annotations: Mapping[str, str], name: str) -> list[Object]:
    found = _decoded(annotations, name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
