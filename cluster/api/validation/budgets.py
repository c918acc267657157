"""PodDisruptionBudget (policy validation)."""

from typing import Final

from cluster.api import causes
from cluster.api.objects import Object
from cluster.api.validation import family, selectors, values
from cluster.api.validation.values import Causes

_EVICTION: Final = ("AlwaysAllow", "IfHealthyBudget")
_COUNTS: Final = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def of_new(obj: Object) -> Causes:
    """What is wrong with a PodDisruptionBudget, new or changed."""
    spec = obj.get("spec") or {}
    found: Causes = []
    if "minAvailable" in spec and "maxUnavailable" in spec:
        detail = "minAvailable and maxUnavailable cannot be both set"
        found.append(causes.invalid("spec", spec, detail))
    for field in ("minAvailable", "maxUnavailable"):
        if field in spec:
            found += values.count_or_percent(f"spec.{field}", spec[field])
            found += values.not_over_hundred(f"spec.{field}", spec[field])
    if "selector" in spec:
        found += selectors.label_selector("spec.selector", spec["selector"])
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _EVICTION:
        at = "spec.unhealthyPodEvictionPolicy"
        found.append(causes.not_supported(at, policy, _EVICTION))
    return found


def of_status(old: Object, new: Object) -> Causes:
    """What is wrong with the counts in a status."""
    return values.not_negatives("status", new.get("status") or {}, *_COUNTS)


NEW: Final[family.Creates] = {"poddisruptionbudgets.policy": of_new}
UPDATE: Final[family.Updates] = {"poddisruptionbudgets.policy": lambda old, new: of_new(new)}
STATUS: Final[family.Updates] = {"poddisruptionbudgets.policy": of_status}
OTHER: Final[family.Others] = {}
