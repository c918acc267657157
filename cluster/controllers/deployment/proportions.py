"""Scaling a Deployment between rollout steps: every active ReplicaSet takes its share.

Source: the Deployment page of the Kubernetes documentation ("Proportional scaling").
"""

from collections.abc import Sequence

from cluster.api import objects
from cluster.controllers.deployment import budget, revisions
from cluster.controllers.deployment.strategy import Sizes


def is_scaling(deployment: objects.Object, replica_sets: Sequence[objects.Object]) -> bool:
    """Whether spec.replicas changed since some active ReplicaSet was scaled."""
    wanted = budget.replicas(deployment)
    desired = (revisions.number(rs, revisions.DESIRED) for rs in active(replica_sets))
    return any(size is not None and size != wanted for size in desired)


def active(replica_sets: Sequence[objects.Object]) -> list[objects.Object]:
    """Those with replicas."""
    return [rs for rs in replica_sets if budget.replicas(rs) > 0]


def scale(
    deployment: objects.Object, new: objects.Object | None, old: Sequence[objects.Object]
) -> Sizes:
    """Sizes for the deployment's new number of replicas. Sizes that stay are included, so that
    their annotations are brought up to date.
    """
    everything = [*old, *([new] if new is not None else [])]
    wanted = budget.replicas(deployment)
    only = _active_or_latest(new, old)
    if only is not None:
        return {objects.name(only): wanted}
    if new is not None and _saturated(deployment, new):
        return {objects.name(rs): 0 for rs in active(old)}
    if not budget.is_rolling(deployment):
        return {}
    return _shared(deployment, active(everything))


def _active_or_latest(
    new: objects.Object | None, old: Sequence[objects.Object]
) -> objects.Object | None:
    """The only active ReplicaSet; the newest where none is; None where several are."""
    running = active([*old, *([new] if new is not None else [])])
    if len(running) > 1:
        return None
    if running:
        return running[0]
    if new is not None:
        return new
    ordered = revisions.by_creation(old)
    return ordered[-1] if ordered else None


def _saturated(deployment: objects.Object, new: objects.Object) -> bool:
    wanted = budget.replicas(deployment)
    return (
        revisions.number(new, revisions.DESIRED) == wanted
        and budget.replicas(new) == wanted
        and budget.observed(new, "availableReplicas") == wanted
    )


def _shared(deployment: objects.Object, running: Sequence[objects.Object]) -> Sizes:
    wanted = budget.replicas(deployment)
    allowed = wanted + budget.of(deployment).surge if wanted > 0 else 0
    to_add = allowed - budget.total(running)
    ordered = _by_size(running, newest_first=to_add > 0)
    sizes: Sizes = {}
    added = 0
    for replica_set in ordered:
        share = _share(replica_set, deployment, to_add, added) if to_add else 0
        sizes[objects.name(replica_set)] = budget.replicas(replica_set) + share
        added += share
    if ordered and to_add:
        first = objects.name(ordered[0])
        # What rounding left over goes to the largest.
        sizes[first] = max(0, sizes[first] + to_add - added)
    return sizes


def _by_size(replica_sets: Sequence[objects.Object], *, newest_first: bool) -> list[objects.Object]:
    """Largest first; of two alike the newer (growing) or the older (shrinking) first."""
    ordered = revisions.by_creation(replica_sets)
    if newest_first:
        ordered.reverse()
    return sorted(ordered, key=budget.replicas, reverse=True)


def _share(replica_set: objects.Object, deployment: objects.Object, to_add: int, added: int) -> int:
    """What a ReplicaSet takes of the change, keeping its part of the whole."""
    left = to_add - added
    if budget.replicas(replica_set) == 0 or left == 0:
        return 0
    fraction = _fraction(replica_set, deployment)
    return min(fraction, left) if to_add > 0 else max(fraction, left)


def _fraction(replica_set: objects.Object, deployment: objects.Object) -> int:
    size, wanted = budget.replicas(replica_set), budget.replicas(deployment)
    if wanted == 0:
        return -size
    before = revisions.number(replica_set, revisions.MAXIMUM) or budget.observed(deployment)
    if not before:
        return 0
    maximum = wanted + budget.of(deployment).surge
    # Half away from zero, as Kubernetes rounds; the numbers are never negative.
    return (2 * size * maximum + before) // (2 * before) - size
