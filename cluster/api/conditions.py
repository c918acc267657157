"""Status conditions: find them, read them, put one in the list without moving its time for nothing.

The rule for lastTransitionTime is that of k8s.io/apimachinery/pkg/api/meta: it moves only when the
condition's status changes.
"""

from collections.abc import Mapping
from typing import Any

from cluster.api import timestamps

Condition = dict[str, Any]


def find(obj: Mapping[str, Any], type: str) -> Condition | None:
    """The condition of this type in the object's status, or None. Read-only: it is not a copy."""
    status = obj.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("type") == type:
            return condition  # type: ignore[no-any-return]
    return None


def is_true(obj: Mapping[str, Any], type: str) -> bool:
    """Whether the object has the condition with status `True`."""
    condition = find(obj, type)
    return condition is not None and condition.get("status") == "True"


def put(conditions: list[Condition], new: Condition, now: float) -> bool:
    """Set the condition of `new`'s type in the list; whether anything changed.

    `now` is in seconds since the epoch. It becomes lastTransitionTime where the status changes or
    the condition is new (unless `new` brings its own). Fields of the old condition that `new`
    does not mention are kept.
    """
    for index, old in enumerate(conditions):
        if old.get("type") != new.get("type"):
            continue
        merged = old | new
        if old.get("status") != new.get("status"):
            merged["lastTransitionTime"] = _since(new, now)
        elif "lastTransitionTime" in old:
            merged["lastTransitionTime"] = old["lastTransitionTime"]
        conditions[index] = merged
        return bool(merged != old)
    conditions.append(new | {"lastTransitionTime": _since(new, now)})
    return True


def remove(conditions: list[Condition], type: str) -> bool:
    """Take out the condition of this type; whether there was one."""
    kept = [condition for condition in conditions if condition.get("type") != type]
    changed = len(kept) != len(conditions)
    conditions[:] = kept
    return changed


def _since(new: Condition, now: float) -> str:
    return str(new.get("lastTransitionTime") or timestamps.encode(now))
