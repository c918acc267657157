"""HorizontalPodAutoscaler (autoscaling validation). One in version 1 is looked at as version 2."""

from typing import Any, Final

from cluster.api import autoscaling, causes, metadata, quantity
from cluster.api.objects import Object
from cluster.api.validation import family, values
from cluster.api.validation import selectors as selector_rules
from cluster.api.validation.values import Causes

_LONGEST_PERIOD: Final = 1800  # seconds
_LONGEST_WINDOW: Final = 3600  # seconds
_SELECT: Final = ("Disabled", "Max", "Min")
_POLICIES: Final = ("Percent", "Pods")
_SOURCES: Final = {
    "ContainerResource": "containerResource", "External": "external", "Object": "object",
    "Pods": "pods", "Resource": "resource",
}  # fmt: skip
_TARGETS: Final = ("Utilization", "Value", "AverageValue")
_UTILIZATION: Final = "must set either a target raw value or a target utilization"
_NOT_BOTH: Final = "may not set both a target raw value and a target utilization"


def of_new(obj: Object) -> Causes:
    """What is wrong with a new autoscaler."""
    return _autoscaler(obj, least=1)


def of_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of an autoscaler."""
    none = (old.get("spec") or {}).get("minReplicas") == 0
    return _autoscaler(new, least=0 if none else 1)


def of_status(old: Object, new: Object) -> Causes:
    """What is wrong with the counts in a status."""
    status = new.get("status") or {}
    return values.not_negatives("status", status, "currentReplicas", "desiredReplicas")


def _autoscaler(obj: Object, *, least: int) -> Causes:
    spec = autoscaling.newest(obj).get("spec") or {}
    found: Causes = []
    few, many = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if few is not None and few < least:
        detail = f"must be greater than or equal to {least}"
        found.append(causes.invalid("spec.minReplicas", few, detail))
    if many < 1:
        found.append(causes.invalid("spec.maxReplicas", many, "must be greater than 0"))
    if few is not None and many < few:
        detail = "must be greater than or equal to `minReplicas`"
        found.append(causes.invalid("spec.maxReplicas", many, detail))
    found += _reference("spec.scaleTargetRef", spec.get("scaleTargetRef") or {})
    metrics = spec.get("metrics") or []
    for index, metric in enumerate(metrics):
        found += _metric(f"spec.metrics[{index}]", metric)
    if few == 0 and not any(metric.get("type") in ("Object", "External") for metric in metrics):
        detail = (
            "must specify at least one Object or External metric to support scaling to zero "
            "replicas"
        )
        found.append(causes.forbidden("spec.metrics", detail))
    behavior = spec.get("behavior") or {}
    for direction in ("scaleUp", "scaleDown"):
        if direction in behavior:
            found += _rules(f"spec.behavior.{direction}", behavior[direction])
    return found


def _reference(path: str, reference: Object) -> Causes:
    found: Causes = []
    for field in ("kind", "name"):
        found += _segment(f"{path}.{field}", reference.get(field) or "")
    return found


def _segment(path: str, text: str, detail: str = "") -> Causes:
    if not text:
        return [causes.required(path, detail)]
    return values.complaints(path, text, values.path_segment(text))


def _rules(path: str, rules: Object) -> Causes:
    found: Causes = []
    window = rules.get("stabilizationWindowSeconds")
    at = f"{path}.stabilizationWindowSeconds"
    if window is not None and window < 0:
        found.append(causes.invalid(at, window, "must be greater than or equal to zero"))
    if window is not None and window > _LONGEST_WINDOW:
        detail = f"must be less than or equal to {_LONGEST_WINDOW}"
        found.append(causes.invalid(at, window, detail))
    chosen = rules.get("selectPolicy")
    if chosen is not None and chosen not in _SELECT:
        found.append(causes.not_supported(f"{path}.selectPolicy", chosen, _SELECT))
    policies = rules.get("policies") or []
    if not policies:
        found.append(causes.required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        found += _policy(f"{path}.policies[{index}]", policy)
    tolerance = rules.get("tolerance")
    if tolerance is not None and quantity.parse(tolerance) < 0:
        detail = "must be greater or equal to 0"
        found.append(causes.invalid(f"{path}.tolerance", tolerance, detail))
    return found


def _policy(path: str, policy: Object) -> Causes:
    found: Causes = []
    kind, value = policy.get("type") or "", policy.get("value") or 0
    period = policy.get("periodSeconds") or 0
    if kind not in _POLICIES:
        found.append(causes.not_supported(f"{path}.type", kind, _POLICIES))
    if value <= 0:
        found.append(causes.invalid(f"{path}.value", value, "must be greater than zero"))
    if period <= 0:
        found.append(causes.invalid(f"{path}.periodSeconds", period, "must be greater than zero"))
    if period > _LONGEST_PERIOD:
        detail = f"must be less than or equal to {_LONGEST_PERIOD}"
        found.append(causes.invalid(f"{path}.periodSeconds", period, detail))
    return found


def _metric(path: str, metric: Object) -> Causes:
    found: Causes = []
    kind = metric.get("type") or ""
    if not kind:
        found.append(causes.required(f"{path}.type", "must specify a metric source type"))
    if kind not in _SOURCES:
        found.append(causes.not_supported(f"{path}.type", kind, tuple(_SOURCES)))
    present = [name for name in _CHECKS if name in metric]
    if present:
        found += _CHECKS[present[0]](f"{path}.{present[0]}", metric[present[0]])
    wanted = _SOURCES.get(kind)
    if wanted and wanted not in metric:
        detail = "must populate information for the given metric source"
        found.append(causes.required(f"{path}.{wanted}", detail))
    if len(present) != 1:
        detail = "must populate the given metric source only"
        found += [causes.forbidden(f"{path}.{name}", detail) for name in present if name != wanted]
    return found


def _object(path: str, source: Object) -> Causes:
    target = source.get("target") or {}
    found = _reference(f"{path}.describedObject", source.get("describedObject") or {})
    found += _identified(path, source, target)
    if "value" not in target and "averageValue" not in target:
        detail = "must set either a target value or averageValue"
        found.append(causes.required(f"{path}.target.averageValue", detail))
    return found


def _external(path: str, source: Object) -> Causes:
    target = source.get("target") or {}
    found = _identified(path, source, target)
    if "value" not in target and "averageValue" not in target:
        detail = "must set either a target value for metric or a per-pod target"
        found.append(causes.required(f"{path}.target.averageValue", detail))
    if "value" in target and "averageValue" in target:
        detail = "may not set both a target value for metric and a per-pod target"
        found.append(causes.forbidden(f"{path}.target.value", detail))
    return found


def _pods(path: str, source: Object) -> Causes:
    target = source.get("target") or {}
    found = _identified(path, source, target)
    if "averageValue" not in target:
        detail = "must specify a positive target averageValue"
        found.append(causes.required(f"{path}.target.averageValue", detail))
    return found


def _identified(path: str, source: Object, target: Object) -> Causes:
    metric = source.get("metric") or {}
    found = _segment(f"{path}.metric.name", metric.get("name") or "", "must specify a metric name")
    if "selector" in metric:
        found += selector_rules.label_selector(f"{path}.metric.selector", metric["selector"])
    return found + _target(f"{path}.target", target)


def _resource(path: str, source: Object) -> Causes:
    found: Causes = []
    if not source.get("name"):
        found.append(causes.required(f"{path}.name", "must specify a resource name"))
    return found + _utilized(f"{path}.target", source.get("target") or {})


def _container(path: str, source: Object) -> Causes:
    found: Causes = []
    if not source.get("name"):
        found.append(causes.required(f"{path}.name", "must specify a resource name"))
    container = source.get("container") or ""
    if not container:
        found.append(causes.required(f"{path}.container", "must specify a container"))
    else:
        told = metadata.dns1123_label(container)
        found += values.complaints(f"{path}.container", container, told)
    return found + _utilized(f"{path}.target", source.get("target") or {})


def _utilized(path: str, target: Object) -> Causes:
    found = _target(path, target)
    use, raw = "averageUtilization" in target, "averageValue" in target
    if not use and not raw:
        found.append(causes.required(f"{path}.averageUtilization", _UTILIZATION))
    if use and raw:
        found.append(causes.forbidden(f"{path}.averageValue", _NOT_BOTH))
    return found


def _target(path: str, target: Object) -> Causes:
    found: Causes = []
    kind = target.get("type") or ""
    if not kind:
        found.append(causes.required(f"{path}.type", "must specify a metric target type"))
    if kind not in _TARGETS:
        detail = "must be either Utilization, Value, or AverageValue"
        found.append(causes.invalid(f"{path}.type", kind, detail))
    for field in ("value", "averageValue"):
        if field in target and quantity.parse(target[field]) <= 0:
            found.append(causes.invalid(f"{path}.{field}", target[field], "must be positive"))
    use = target.get("averageUtilization")
    if use is not None and use < 1:
        found.append(causes.invalid(f"{path}.averageUtilization", use, "must be greater than 0"))
    return found


_CHECKS: Final[dict[str, Any]] = {
    "object": _object,
    "external": _external,
    "pods": _pods,
    "resource": _resource,
    "containerResource": _container,
}
_ID: Final = "horizontalpodautoscalers.autoscaling"

NEW: Final[family.Creates] = {_ID: of_new}
UPDATE: Final[family.Updates] = {_ID: of_update}
STATUS: Final[family.Updates] = {_ID: of_status}
OTHER: Final[family.Others] = {}
