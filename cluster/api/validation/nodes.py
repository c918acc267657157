"""Node: taints, capacity, and what may not change (core validation)."""

from typing import Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import family, resourcelists, scheduling, values
from cluster.api.validation.values import Causes


def of_new(obj: Object) -> Causes:
    """What is wrong with a node, new or changed."""
    found = taints("spec.taints", (obj.get("spec") or {}).get("taints") or [])
    return found + _amounts(obj)


def of_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a node."""
    found = of_new(new)
    before, after = old.get("spec") or {}, new.get("spec") or {}
    for field in ("podCIDR", "podCIDRs", "providerID"):
        if before.get(field) and before[field] != after.get(field):
            noun = "podCIDR" if field == "podCIDR" else field
            detail = f'node updates may not change {noun} except from "" to valid'
            found.append(causes.forbidden(f"spec.{field}", detail))
    return found


def of_status(old: Object, new: Object) -> Causes:
    """What is wrong with a node's new status."""
    return _amounts(new)


def taints(path: str, listed: list[Object]) -> Causes:
    """What is wrong with taints: keys, values, effects; a key has one taint of each effect."""
    found: Causes = []
    seen: dict[tuple[str, str], None] = {}
    for index, taint in enumerate(listed):
        at = f"{path}[{index}]"
        key, effect, value = (taint.get(field) or "" for field in ("key", "effect", "value"))
        found += values.complaints(f"{at}.key", key, metadata.qualified_name(key))
        found += values.complaints(f"{at}.value", value, metadata.label_value(value))
        found += values.one_of(f"{at}.effect", effect, scheduling.EFFECTS)
        if (key, effect) in seen:
            found.append(causes.duplicate(at, taint))
        seen[key, effect] = None
    return found


def _amounts(obj: Object) -> Causes:
    found: Causes = []
    status = obj.get("status") or {}
    for field in ("capacity", "allocatable"):
        if amounts := status.get(field):
            found += resourcelists.amounts(f"status.{field}", amounts)
    return found


NEW: Final[family.Creates] = {
    "nodes": of_new,
}
UPDATE: Final[family.Updates] = {
    "nodes": of_update,
}
STATUS: Final[family.Updates] = {
    "nodes": of_status,
}
OTHER: Final[family.Others] = {}
