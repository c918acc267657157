"""DaemonSet and StatefulSet (apps validation)."""

from typing import Final

from cluster.api import causes
from cluster.api.objects import Object
from cluster.api.validation import family, templates, values
from cluster.api.validation import selectors as selector_rules
from cluster.api.validation.values import Causes

_STRATEGIES: Final = ("RollingUpdate", "OnDelete")
_MANAGEMENT: Final = ("OrderedReady", "Parallel")
_RETENTION: Final = ("Retain", "Delete")
_MAY_CHANGE: Final = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip
_FIXED: Final = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
    "'minReadySeconds' are forbidden"
)


def daemon_set(obj: Object) -> Causes:
    """What is wrong with a DaemonSet, new or changed."""
    spec = obj.get("spec") or {}
    selector, template = spec.get("selector"), spec.get("template") or {}
    found: Causes = []
    if selector is not None:
        found += selector_rules.label_selector("spec.selector", selector)
    if selector is None or not templates.matches(selector, template):
        found.append(templates.mismatch("spec.template", template))
    if selector is not None and selector_rules.is_empty(selector):
        detail = "empty selector is invalid for daemonset"
        found.append(causes.invalid("spec.selector", selector, detail))
    found += templates.template("spec.template", template)
    found += templates.always("spec.template", template, "DaemonSet")
    found += values.not_negatives("spec", spec, "minReadySeconds")
    found += _daemon_strategy("spec.updateStrategy", spec.get("updateStrategy") or {})
    return found + values.not_negatives("spec", spec, "revisionHistoryLimit")


def daemon_set_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a DaemonSet."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if before == after:
        return []
    fixed = values.immutable("spec.selector", before.get("selector"), after.get("selector"))
    return daemon_set(new) + fixed


def daemon_set_status(old: Object, new: Object) -> Causes:
    """What is wrong with the counts in a status."""
    before, after = old.get("status") or {}, new.get("status") or {}
    found = values.not_negatives(
        "status", after, "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled",
        "numberReady", "observedGeneration", "updatedNumberScheduled", "numberAvailable",
        "numberUnavailable", "collisionCount",
    )  # fmt: skip
    return found + values.not_decremented("status", "collisionCount", before, after)


def _daemon_strategy(path: str, strategy: Object) -> Causes:
    kind = strategy.get("type") or ""
    if kind == "OnDelete":
        return []
    if kind != "RollingUpdate":
        return [causes.not_supported(path, strategy, _STRATEGIES)]
    rolling = strategy.get("rollingUpdate")
    if rolling is None:
        return [causes.required(f"{path}.rollingUpdate")]
    path = f"{path}.rollingUpdate"
    gone, extra = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    found: Causes = []
    for field, value in (("maxUnavailable", gone), ("maxSurge", extra)):
        found += values.count_or_percent(f"{path}.{field}", value)
        found += values.not_over_hundred(f"{path}.{field}", value)
    if not values.is_zero(gone) and not values.is_zero(extra):
        detail = "may not be set when maxUnavailable is non-zero"
        found.append(causes.invalid(f"{path}.maxSurge", extra, detail))
    elif values.is_zero(gone) and values.is_zero(extra):
        detail = "cannot be 0 when maxSurge is 0"
        found.append(causes.required(f"{path}.maxUnavailable", detail))
    return found


def stateful_set(obj: Object) -> Causes:
    """What is wrong with a StatefulSet, new or changed."""
    spec = obj.get("spec") or {}
    found = _management(spec.get("podManagementPolicy") or "")
    found += _stateful_strategy("spec.updateStrategy", spec.get("updateStrategy") or {})
    kept = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for when, value in kept.items():
        if value not in _RETENTION:
            at = f"spec.persistentVolumeClaimRetentionPolicy.{when}"
            found.append(causes.not_supported(at, value, _RETENTION))
    found += values.not_negatives("spec", spec, "replicas", "minReadySeconds")
    found += values.not_negatives("spec.ordinals", spec.get("ordinals") or {}, "start")
    found += values.not_negatives("spec", spec, "revisionHistoryLimit")
    selector, template = spec.get("selector"), spec.get("template") or {}
    if selector is None:
        found += [causes.required("spec.selector"), templates.mismatch("spec.template", template)]
    elif broken := selector_rules.label_selector("spec.selector", selector):
        found += [*broken, causes.invalid("spec.selector", selector, "")]
    elif selector_rules.is_empty(selector):
        detail = "empty selector is invalid for statefulset"
        found.append(causes.invalid("spec.selector", selector, detail))
    elif not templates.matches(selector, template):
        found.append(templates.mismatch("spec.template", template))
    # The rest of the template is not looked at: its mounts may name claims that are yet to be.
    found += templates.meta("spec.template", template)
    return found + templates.always("spec.template", template, "StatefulSet")


def stateful_set_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a StatefulSet."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if before == after:
        return []
    found = stateful_set(new)
    if _fixed(before) != _fixed(after):
        found.append(causes.forbidden("spec", _FIXED))
    return found


def stateful_set_status(old: Object, new: Object) -> Causes:
    """What is wrong with the counts in a status."""
    before, after = old.get("status") or {}, new.get("status") or {}
    counts = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
    found = values.not_negatives(
        "status", after, "replicas", *counts, "observedGeneration", "collisionCount"
    )
    found += values.at_most("status", after, "replicas", *counts)
    found += values.at_most("status", after, "readyReplicas", "availableReplicas")
    return found + values.not_decremented("status", "collisionCount", before, after)


def _fixed(spec: Object) -> Object:
    return {field: value for field, value in spec.items() if field not in _MAY_CHANGE}


def _management(policy: str) -> Causes:
    if not policy:
        return [causes.required("spec.podManagementPolicy")]
    if policy in _MANAGEMENT:
        return []
    detail = f"must be '{_MANAGEMENT[0]}' or '{_MANAGEMENT[1]}'"
    return [causes.invalid("spec.podManagementPolicy", policy, detail)]


def _stateful_strategy(path: str, strategy: Object) -> Causes:
    kind, rolling = strategy.get("type") or "", strategy.get("rollingUpdate")
    if not kind:
        return [causes.required(path)]
    if kind not in _STRATEGIES:
        detail = f"must be '{_STRATEGIES[0]}' or '{_STRATEGIES[1]}'"
        return [causes.invalid(path, strategy, detail)]
    if rolling is None:
        return []
    path = f"{path}.rollingUpdate"
    if kind == "OnDelete":
        detail = "only allowed for updateStrategy 'RollingUpdate'"
        return [causes.invalid(path, rolling, detail)]
    found = values.not_negatives(path, rolling, "partition")
    if "maxUnavailable" in rolling:
        gone = rolling["maxUnavailable"]
        found += values.count_or_percent(f"{path}.maxUnavailable", gone)
        if values.is_zero(gone):
            found.append(causes.invalid(f"{path}.maxUnavailable", gone, "cannot be 0"))
        found += values.not_over_hundred(f"{path}.maxUnavailable", gone)
    return found


def controller_revision(obj: Object) -> Causes:
    """What is wrong with a ControllerRevision, new or changed."""
    found: Causes = []
    if obj.get("data") is None:
        found.append(causes.required("data", "data is mandatory"))
    return found + values.not_negative("revision", obj.get("revision"))


def controller_revision_update(old: Object, new: Object) -> Causes:
    """A revision is what it was."""
    fixed = values.immutable("data", old.get("data"), new.get("data"))
    return controller_revision(new) + fixed


NEW: Final[family.Creates] = {
    "controllerrevisions.apps": controller_revision,
    "daemonsets.apps": daemon_set,
    "statefulsets.apps": stateful_set,
}
UPDATE: Final[family.Updates] = {
    "controllerrevisions.apps": controller_revision_update,
    "daemonsets.apps": daemon_set_update,
    "statefulsets.apps": stateful_set_update,
}
STATUS: Final[family.Updates] = {
    "daemonsets.apps": daemon_set_status,
    "statefulsets.apps": stateful_set_status,
}
OTHER: Final[family.Others] = {}
