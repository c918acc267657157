"""When a pod must leave a node that has NoExecute taints.

Source: the page "Taints and Tolerations" of the Kubernetes documentation.
"""

from collections.abc import Iterable, Sequence

from cluster.api import objects


def no_execute(node: objects.Object) -> list[objects.Object]:
    """The node's taints that evict."""
    return [t for t in objects.spec(node).get("taints") or () if t.get("effect") == "NoExecute"]


def tolerates(toleration: objects.Object, taint: objects.Object) -> bool:
    """Whether a toleration matches a taint."""
    effect, key = toleration.get("effect") or "", toleration.get("key") or ""
    if effect and effect != taint.get("effect"):
        return False
    if key and key != taint.get("key"):
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    if operator == "Equal":
        return bool(key) and (toleration.get("value") or "") == (taint.get("value") or "")
    return False


def seconds_left(
    tolerations: Sequence[objects.Object], taints: Iterable[objects.Object]
) -> float | None:
    """How long a pod may stay with these taints, which are not none: 0 to go now, None for ever.

    Every taint must be tolerated. The shortest toleration of those that were used decides.
    """
    limits: list[float] = []
    for taint in taints:
        used = next((t for t in tolerations if tolerates(t, taint)), None)
        if used is None:
            return 0.0
        if used.get("tolerationSeconds") is not None:
            limits.append(max(0.0, float(used["tolerationSeconds"])))
    return min(limits) if limits else None
