"""What a ReplicaSet's status says of its pods."""

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.api import objects, timestamps
from cluster.controllers import podstate

REPLICA_FAILURE = "ReplicaFailure"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why pods could not be made or removed: `FailedCreate` or `FailedDelete`."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Computed:
    """A new status, and the wall time at which the next pod becomes available by age (or None)."""

    status: objects.Object
    next_available: float | None


def compute(
    replica_set: objects.Object,
    active: Sequence[objects.Object],
    failure: Failure | None,
    now: float,
    terminating: int | None = None,
) -> Computed:
    """The status of `replica_set` with these active pods at `now` (wall, seconds).

    `terminating` counts pods that are being deleted; None: such a kind, or version, does not tell.
    """
    spec = objects.spec(replica_set)
    wanted = objects.labels(spec.get("template") or {}).items()
    min_ready = spec.get("minReadySeconds") or 0
    labelled = ready = available = 0
    following: float | None = None
    for pod in active:
        if wanted <= objects.labels(pod).items():
            labelled += 1
        since = podstate.ready_since(pod)
        if since is None:
            continue
        ready += 1
        if min_ready <= 0:
            available += 1
        elif since:
            due = timestamps.decode(since) + min_ready
            if due <= now:
                available += 1
            else:
                following = due if following is None else min(following, due)
    status: objects.Object = {"replicas": len(active)}
    counts = {
        "fullyLabeledReplicas": labelled,
        "readyReplicas": ready,
        "availableReplicas": available,
        "observedGeneration": objects.meta(replica_set).get("generation") or 0,
    }
    # Kubernetes leaves zero counts out of the JSON.
    status.update({name: count for name, count in counts.items() if count})
    if terminating is not None:
        status["terminatingReplicas"] = terminating  # told even where it is zero
    conditions = _conditions(objects.status(replica_set).get("conditions") or [], failure, now)
    if conditions:
        status["conditions"] = conditions
    return Computed(status, following)


def _conditions(
    old: Sequence[objects.Object], failure: Failure | None, now: float
) -> list[objects.Object]:
    """The old conditions with ReplicaFailure set, kept as it was, or removed."""
    present = next((c for c in old if c.get("type") == REPLICA_FAILURE), None)
    if failure is not None and present is not None:
        return list(old)
    others = [c for c in old if c.get("type") != REPLICA_FAILURE]
    if failure is not None:
        others.append(
            {
                "type": REPLICA_FAILURE,
                "status": "True",
                "lastTransitionTime": timestamps.encode(now),
                "reason": failure.reason,
                "message": failure.message,
            }
        )
    return others
