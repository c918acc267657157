"""Kinds with few rules: Lease, Namespace, PriorityClass."""

from typing import Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import family, values
from cluster.api.validation.values import Causes

HIGHEST_USER_PRIORITY: Final = 10**9
_SYSTEM_PRIORITIES: Final = {
    "system-cluster-critical": 2 * 10**9,
    "system-node-critical": 2 * 10**9 + 1000,
}
_PREEMPTION: Final = ("PreemptLowerPriority", "Never")
_UNQUALIFIED_FINALIZERS: Final = ("kubernetes", "orphan", "foregroundDeletion")


def lease(obj: Object) -> Causes:
    """What is wrong with a lease, new or changed."""
    spec = obj.get("spec") or {}
    found: Causes = []
    if "holderIdentity" in spec and not spec["holderIdentity"]:
        found.append(causes.invalid("spec.holderIdentity", "", "must not be empty"))
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        detail = "must be greater than 0"
        found.append(causes.invalid("spec.leaseDurationSeconds", seconds, detail))
    return found + values.not_negative("spec.leaseTransitions", spec.get("leaseTransitions"))


def namespace(obj: Object) -> Causes:
    """What is wrong with a namespace's finalizers."""
    found: Causes = []
    for index, name in enumerate((obj.get("spec") or {}).get("finalizers") or ()):
        at = f"spec.finalizers[{index}]"
        found += values.complaints(at, name, metadata.qualified_name(name))
        if "/" not in name and name not in _UNQUALIFIED_FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            found.append(causes.invalid(at, name, detail))
    return found


def priority_class(obj: Object) -> Causes:
    """What is wrong with a new priority class."""
    found: Causes = []
    name, value = obj["metadata"].get("name") or "", obj.get("value", 0)
    if name.startswith("system-"):
        why = _no_system_class(name, value, obj.get("globalDefault", False))
        if why:
            detail = "priority class names with 'system-' prefix are reserved for system use only."
            found.append(causes.forbidden("metadata.name", f"{detail} error: {why}"))
    elif value > HIGHEST_USER_PRIORITY:
        detail = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        found.append(causes.forbidden("value", detail))
    return found + values.one_of("preemptionPolicy", obj.get("preemptionPolicy"), _PREEMPTION)


def _no_system_class(name: str, value: int, is_default: bool) -> str:
    """Why this is none of the two priority classes of the system, or ""."""
    wanted = _SYSTEM_PRIORITIES.get(name)
    if wanted is None:
        return f"{name} is not a known system priority class"
    if value != wanted:
        return f"value of {name} PriorityClass must be {wanted}"
    return f"globalDefault of {name} PriorityClass must be false" if is_default else ""


def priority_class_update(old: Object, new: Object) -> Causes:
    """Neither the value nor the preemption policy of a class changes."""
    found: Causes = []
    if new.get("value", 0) != old.get("value", 0):
        found.append(causes.forbidden("value", "may not be changed in an update."))
    before, after = old.get("preemptionPolicy"), new.get("preemptionPolicy")
    return found + values.immutable("preemptionPolicy", before, after)


NEW: Final[family.Creates] = {
    "leases.coordination.k8s.io": lease,
    "namespaces": namespace,
    "priorityclasses.scheduling.k8s.io": priority_class,
}
UPDATE: Final[family.Updates] = {
    "leases.coordination.k8s.io": lambda old, new: lease(new),
    "priorityclasses.scheduling.k8s.io": priority_class_update,
}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {
    ("namespaces", "finalize"): lambda old, new: namespace(new),
}
