"""One step of a rollout: how large each ReplicaSet should be now.

Sizes are given as a dict of ReplicaSet name to spec.replicas, holding only what is to change.
Source: the Deployment page of the Kubernetes documentation ("Strategy").
"""

from collections.abc import Sequence

from cluster.api import objects
from cluster.controllers.deployment import budget, revisions

Sizes = dict[str, int]


def new_size(
    deployment: objects.Object, replica_sets: Sequence[objects.Object], current: int
) -> int:
    """How large the new ReplicaSet may be, which has `current` replicas.

    `replica_sets` are all of the deployment's, the new one among them if it exists.
    """
    wanted = budget.replicas(deployment)
    if not budget.is_rolling(deployment):
        return wanted
    room = wanted + budget.of(deployment).surge - budget.total(replica_sets)
    if room <= 0:
        return current
    return current + min(room, wanted - current)


def roll_new(
    deployment: objects.Object, new: objects.Object, old: Sequence[objects.Object]
) -> Sizes:
    """Grow, or shrink, the new ReplicaSet."""
    size, wanted = budget.replicas(new), budget.replicas(deployment)
    if size == wanted:
        return {}
    goal = wanted if size > wanted else new_size(deployment, [*old, new], size)
    return {} if goal == size else {objects.name(new): goal}


def roll_old(
    deployment: objects.Object, new: objects.Object, old: Sequence[objects.Object]
) -> Sizes:
    """Shrink old ReplicaSets as far as availability allows, unhealthy replicas first.

    The new one's unavailable pods count as if they were gone, so a broken template cannot eat
    the old pods one by one.
    """
    minimum = budget.replicas(deployment) - budget.of(deployment).unavailable
    new_missing = budget.replicas(new) - budget.available(new)
    removable = budget.total([*old, new]) - minimum - new_missing
    if removable <= 0 or budget.total(old) == 0:
        return {}
    sizes = {objects.name(rs): budget.replicas(rs) for rs in revisions.by_creation(old)}
    before = dict(sizes)
    _drop_unhealthy(old, sizes, removable)
    available = sum(budget.available(rs) for rs in [*old, new])
    _drop_available(sizes, available - minimum)
    return {name: size for name, size in sizes.items() if size != before[name]}


def _drop_unhealthy(old: Sequence[objects.Object], sizes: Sizes, limit: int) -> None:
    healthy = {objects.name(rs): budget.available(rs) for rs in old if budget.is_current(rs)}
    for name, size in sizes.items():
        drop = min(limit, max(0, size - healthy.get(name, size)))
        sizes[name] -= drop
        limit -= drop


def _drop_available(sizes: Sizes, limit: int) -> None:
    for name, size in sizes.items():
        drop = min(max(0, limit), size)
        sizes[name] -= drop
        limit -= drop


def empty(replica_sets: Sequence[objects.Object]) -> Sizes:
    """Scale all of them to nothing (Recreate)."""
    return {objects.name(rs): 0 for rs in replica_sets if budget.replicas(rs) > 0}
