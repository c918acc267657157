"""Whether tolerations tolerate taints (k8s.io/component-helpers/scheduling/corev1)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from cluster.scheduler.nodes.columns import Taint

NO_SCHEDULE: Final = "NoSchedule"
NO_EXECUTE: Final = "NoExecute"
PREFER_NO_SCHEDULE: Final = "PreferNoSchedule"

Tolerations = Sequence[Mapping[str, Any]]


def tolerates(toleration: Mapping[str, Any], taint: Taint) -> bool:
    """Whether one toleration covers a taint. No effect: all effects; no key: all keys."""
    key, value, effect = taint
    if toleration.get("effect") not in (None, "", effect):
        return False
    if toleration.get("key") not in (None, "", key):
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    return operator == "Equal" and (toleration.get("value") or "") == value


def tolerated(tolerations: Tolerations, taint: Taint) -> bool:
    """Whether any of the tolerations covers the taint."""
    return any(tolerates(one, taint) for one in tolerations)


def untolerated(
    tolerations: Tolerations, taints: Iterable[Taint], effects: Sequence[str]
) -> list[Taint]:
    """The taints with one of these effects that nothing tolerates, in the node's order."""
    return [taint for taint in taints if taint[2] in effects and not tolerated(tolerations, taint)]
