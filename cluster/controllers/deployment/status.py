"""What a Deployment's status says: counts, and the conditions Available and Progressing.

Reasons and messages are Kubernetes' own: `kubectl rollout status` and people read them.
"""

from collections.abc import Sequence

from cluster.api import objects, timestamps
from cluster.controllers.deployment import budget

AVAILABLE = "Available"
PROGRESSING = "Progressing"
REPLICA_FAILURE = "ReplicaFailure"

NEW_REPLICA_SET_AVAILABLE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"


def condition(kind: str, status: str, reason: str, message: str, now: float) -> objects.Object:
    """A DeploymentCondition that changed at `now`."""
    text = timestamps.encode(now)
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": text,
        "lastTransitionTime": text,
        "reason": reason,
        "message": message,
    }


def find(status: objects.Object, kind: str) -> objects.Object | None:
    """The condition of this type, or None."""
    for found in status.get("conditions") or ():
        if found.get("type") == kind:
            return dict(found)
    return None


def put(status: objects.Object, new: objects.Object) -> None:
    """Set a condition. One of the same status and reason stays as it is; one of the same status
    keeps its transition time.
    """
    old = find(status, new["type"])
    if old is not None and (old["status"], old.get("reason")) == (new["status"], new["reason"]):
        return
    if old is not None and old["status"] == new["status"] and "lastTransitionTime" in old:
        new = {**new, "lastTransitionTime": old["lastTransitionTime"]}
    remove(status, new["type"])
    status["conditions"] = [*(status.get("conditions") or []), new]


def remove(status: objects.Object, kind: str) -> None:
    """Take a condition out."""
    kept = [c for c in status.get("conditions") or () if c.get("type") != kind]
    status.pop("conditions", None)
    if kept:
        status["conditions"] = kept


def counted(
    deployment: objects.Object,
    replica_sets: Sequence[objects.Object],
    new: objects.Object | None,
    now: float,
) -> objects.Object:
    """A status with the counts of `replica_sets`, the old conditions, and Available as it is."""
    available = sum(budget.observed(rs, "availableReplicas") for rs in replica_sets)
    old = objects.status(deployment)
    counts = {
        "replicas": sum(budget.observed(rs) for rs in replica_sets),
        "updatedReplicas": budget.observed(new) if new is not None else 0,
        "readyReplicas": sum(budget.observed(rs, "readyReplicas") for rs in replica_sets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, budget.total(replica_sets) - available),
        "observedGeneration": objects.meta(deployment).get("generation") or 0,
    }
    # Kubernetes leaves zero counts out of the JSON.
    status: objects.Object = {name: count for name, count in counts.items() if count}
    terminating = _terminating(replica_sets)
    if terminating is not None:
        status["terminatingReplicas"] = terminating
    if old.get("collisionCount") is not None:
        status["collisionCount"] = old["collisionCount"]
    if old.get("conditions"):
        status["conditions"] = [dict(found) for found in old["conditions"]]
    put(status, _availability(deployment, available, now))
    return status


def _terminating(replica_sets: Sequence[objects.Object]) -> int | None:
    """The sum of what the ReplicaSets tell; None where one that was looked at does not tell."""
    told = [
        objects.status(rs).get("terminatingReplicas")
        for rs in replica_sets
        if budget.observed(rs, "observedGeneration") or "terminatingReplicas" in objects.status(rs)
    ]
    counts = [int(count) for count in told if count is not None]
    return sum(counts) if counts and len(counts) == len(told) else None


def _availability(deployment: objects.Object, available: int, now: float) -> objects.Object:
    if available >= budget.replicas(deployment) - budget.of(deployment).unavailable:
        reason, message = "MinimumReplicasAvailable", "Deployment has minimum availability."
        return condition(AVAILABLE, "True", reason, message, now)
    reason = "MinimumReplicasUnavailable"
    message = "Deployment does not have minimum availability."
    return condition(AVAILABLE, "False", reason, message, now)


def complete(deployment: objects.Object, status: objects.Object) -> bool:
    """Whether the rollout has finished: all replicas are new and available, and no old ones run."""
    wanted = budget.replicas(deployment)
    counts = [
        status.get(field) or 0 for field in ("updatedReplicas", "replicas", "availableReplicas")
    ]
    generation = objects.meta(deployment).get("generation") or 0
    return counts == [wanted] * 3 and (status.get("observedGeneration") or 0) >= generation


def paused_condition(deployment: objects.Object, now: float) -> objects.Object | None:
    """The Progressing condition to set because the deployment was paused or resumed, or None."""
    if budget.progress_deadline(deployment) is None:
        return None
    current = find(objects.status(deployment), PROGRESSING)
    if current is not None and current.get("reason") == TIMED_OUT:
        return None
    shown = current is not None and current.get("reason") == PAUSED
    paused = bool(objects.spec(deployment).get("paused"))
    if paused and not shown:
        return condition(PROGRESSING, "Unknown", PAUSED, "Deployment is paused", now)
    if shown and not paused:
        return condition(PROGRESSING, "Unknown", RESUMED, "Deployment is resumed", now)
    return None
