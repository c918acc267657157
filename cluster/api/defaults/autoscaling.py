"""Defaults of HorizontalPodAutoscaler (pkg/apis/autoscaling/v2/defaults.go)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cluster.api.objects import Object

CPU_UTILIZATION: Final = 80  # percent
PERIOD_SECONDS: Final = 15


def cpu_metric(percent: int) -> Object:
    """The metric that keeps the use of CPU at `percent` of the requests."""
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def autoscaler(obj: Object) -> None:
    """At least one replica; CPU at four fifths. v1 has its metrics when it becomes v2."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if obj.get("apiVersion") == "autoscaling/v1":
        return
    if not spec.get("metrics"):
        spec["metrics"] = [cpu_metric(CPU_UTILIZATION)]
    behavior = spec.get("behavior")
    if behavior is not None:
        behavior["scaleUp"] = _scale_up() | (behavior.get("scaleUp") or {})
        behavior["scaleDown"] = _scale_down() | (behavior.get("scaleDown") or {})


def _policy(kind: str, value: int) -> dict[str, Any]:
    return {"type": kind, "value": value, "periodSeconds": PERIOD_SECONDS}


def _scale_up() -> Object:
    policies = [_policy("Pods", 4), _policy("Percent", 100)]
    return {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": policies}


def _scale_down() -> Object:
    return {"selectPolicy": "Max", "policies": [_policy("Percent", 100)]}


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    "horizontalpodautoscalers.autoscaling": autoscaler,
}
