"""Deployment and ReplicaSet (apps validation)."""

from typing import Any, Final

from cluster.api import causes
from cluster.api.objects import Object
from cluster.api.validation import family, templates, values
from cluster.api.validation import selectors as selector_rules
from cluster.api.validation.values import Causes

_STRATEGIES: Final = ("Recreate", "RollingUpdate")


def deployment(obj: Object) -> Causes:
    """What is wrong with a Deployment, new or changed."""
    spec = obj.get("spec") or {}
    found = _replicated(spec)
    found += _strategy(spec.get("strategy") or {})
    for field in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        found += values.not_negative(f"spec.{field}", spec.get(field))
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        at = "spec.progressDeadlineSeconds"
        found.append(causes.invalid(at, deadline, "must be greater than minReadySeconds"))
    return found


def replica_set(obj: Object) -> Causes:
    """What is wrong with a ReplicaSet, new or changed."""
    spec = obj.get("spec") or {}
    return _replicated(spec) + values.not_negative(
        "spec.minReadySeconds", spec.get("minReadySeconds")
    )


def deployment_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a Deployment."""
    return _changed(old, new, deployment)


def replica_set_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a ReplicaSet."""
    return _changed(old, new, replica_set)


def status(old: Object, new: Object) -> Causes:
    """What is wrong with the counts in a status."""
    found: Causes = []
    after = new.get("status") or {}
    for field in ("replicas", "readyReplicas", "availableReplicas", "observedGeneration"):
        found += values.not_negative(f"status.{field}", after.get(field))
    total = after.get("replicas") or 0
    for field in ("readyReplicas", "availableReplicas", "updatedReplicas", "fullyLabeledReplicas"):
        count = after.get(field) or 0
        if count > total:
            detail = "cannot be greater than status.replicas"
            found.append(causes.invalid(f"status.{field}", count, detail))
    return found


def _changed(old: Object, new: Object, check: Any) -> Causes:
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if before == after:
        return []
    found: Causes = check(new)
    return found + values.immutable("spec.selector", before.get("selector"), after.get("selector"))


def _replicated(spec: Object) -> Causes:
    """What both kinds have: replicas, selector and a template that it matches."""
    found = values.not_negative("spec.replicas", spec.get("replicas"))
    selector, template = spec.get("selector"), spec.get("template") or {}
    if selector is None:
        found.append(causes.required("spec.selector"))
    elif broken := selector_rules.label_selector("spec.selector", selector):
        # Kubernetes does not look at the template then.
        detail = "invalid label selector"
        return found + broken + [causes.invalid("spec.selector", selector, detail)]
    elif selector_rules.is_empty(selector):
        detail = "empty selector is invalid for deployment"
        found.append(causes.invalid("spec.selector", selector, detail))
    if not templates.matches(selector, template):
        found.append(templates.mismatch("spec.template", template))
    found += templates.template("spec.template", template)
    return found + templates.always("spec.template", template, "ReplicaSet")


def _strategy(strategy: Object) -> Causes:
    kind, path = strategy.get("type"), "spec.strategy"
    if kind == "RollingUpdate":
        return _rolling(f"{path}.rollingUpdate", strategy.get("rollingUpdate") or {})
    if kind == "Recreate" and "rollingUpdate" in strategy:
        detail = "may not be specified when strategy `type` is 'Recreate'"
        return [causes.forbidden(f"{path}.rollingUpdate", detail)]
    if kind not in _STRATEGIES:
        return [causes.not_supported(f"{path}.type", kind or "", _STRATEGIES)]
    return []


def _rolling(path: str, rolling: Object) -> Causes:
    gone, extra = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    found = values.count_or_percent(f"{path}.maxUnavailable", gone)
    found += values.count_or_percent(f"{path}.maxSurge", extra)
    if values.is_zero(gone) and values.is_zero(extra):
        detail = "may not be 0 when `maxSurge` is 0"
        found.append(causes.invalid(f"{path}.maxUnavailable", gone, detail))
    return found + values.not_over_hundred(f"{path}.maxUnavailable", gone)


NEW: Final[family.Creates] = {
    "deployments.apps": deployment,
    "replicasets.apps": replica_set,
}
UPDATE: Final[family.Updates] = {
    "deployments.apps": deployment_update,
    "replicasets.apps": replica_set_update,
}
STATUS: Final[family.Updates] = {
    "deployments.apps": status,
    "replicasets.apps": status,
}
OTHER: Final[family.Others] = {}
