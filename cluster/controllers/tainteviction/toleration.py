"""When a pod must leave a node that has NoExecute taints.

Source: the page "Taints and Tolerations" of the Kubernetes documentation.
"""

from collections.abc import Iterable, Sequence

from cluster.api import objects
from cluster.api import tolerations as rules
from cluster.api.tolerations import NO_EXECUTE


def no_execute(node: objects.Object) -> list[objects.Object]:
    """The node's taints that evict."""
    return [t for t in objects.spec(node).get("taints") or () if t.get("effect") == NO_EXECUTE]


def seconds_left(
    tolerations: Sequence[objects.Object], taints: Iterable[objects.Object]
) -> float | None:
    """How long a pod may stay with these taints, which are not none: 0 to go now, None for ever.

    Every taint must be tolerated. The shortest toleration of those that were used decides.
    """
    limits: list[float] = []
    for taint in taints:
        used = next((t for t in tolerations if rules.covers(t, taint)), None)
        if used is None:
            return 0.0
        if used.get("tolerationSeconds") is not None:
            limits.append(max(0.0, float(used["tolerationSeconds"])))
    return min(limits) if limits else None
