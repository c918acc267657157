"""Whether a toleration covers a taint (k8s.io/component-helpers/scheduling/corev1)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

NO_SCHEDULE: Final = "NoSchedule"
NO_EXECUTE: Final = "NoExecute"
PREFER_NO_SCHEDULE: Final = "PreferNoSchedule"


def tolerates(toleration: Mapping[str, Any], key: str, value: str, effect: str) -> bool:
    """Whether it covers the taint `key=value:effect`. No effect: all effects; no key: all keys."""
    if toleration.get("effect") not in (None, "", effect):
        return False
    if toleration.get("key") not in (None, "", key):
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    return operator == "Equal" and (toleration.get("value") or "") == value


def covers(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """Whether it covers a taint of spec.taints."""
    key, value = taint.get("key") or "", taint.get("value") or ""
    return tolerates(toleration, key, value, taint.get("effect") or "")


def all_tolerated(
    tolerations: Sequence[Mapping[str, Any]],
    taints: Iterable[Mapping[str, Any]],
    effects: Collection[str],
) -> bool:
    """Whether each taint with one of these effects is covered."""
    return all(
        any(covers(one, taint) for one in tolerations)
        for taint in taints
        if taint.get("effect") in effects
    )
