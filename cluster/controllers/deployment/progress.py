"""Whether a rollout gets on: the Progressing condition and its deadline."""

from collections.abc import Sequence

from cluster.api import objects, timestamps
from cluster.controllers.deployment import budget, status

_TIMELESS = (status.TIMED_OUT, status.PAUSED, status.NEW_REPLICA_SET_AVAILABLE)
"""Reasons of Progressing under which no deadline runs."""


def rollout_status(
    deployment: objects.Object,
    replica_sets: Sequence[objects.Object],
    new: objects.Object | None,
    now: float,
) -> objects.Object:
    """The status during a rollout. `deployment` carries the conditions known so far."""
    result = status.counted(deployment, replica_sets, new, now)
    if budget.progress_deadline(deployment) is None:
        status.remove(result, status.PROGRESSING)
    elif not _was_complete(deployment, result):
        _judge(deployment, new, result, now)
    failure = _failure(replica_sets, new)
    status.remove(result, status.REPLICA_FAILURE)
    if failure is not None:
        result["conditions"] = [*(result.get("conditions") or []), failure]
    return result


def check_after(deployment: objects.Object, new: objects.Object, now: float) -> float | None:
    """Seconds until the deadline must be looked at again, `new` being the status that stays.

    None where time alone changes nothing: a rollout that finished once does not time out later,
    however long pods of it are missing.
    """
    deadline = budget.progress_deadline(deployment)
    current = status.find(new, status.PROGRESSING)
    if deadline is None or current is None or status.complete(deployment, new):
        return None
    if current.get("reason") in _TIMELESS:
        return None
    left = timestamps.decode(current["lastUpdateTime"]) + deadline - now
    # The stored time has whole seconds: one more makes sure that the deadline is over then.
    return max(0.0, left) + 1.0


def _was_complete(deployment: objects.Object, new: objects.Object) -> bool:
    """Whether this rollout had finished before: pods that come and go later are no progress."""
    current = status.find(objects.status(deployment), status.PROGRESSING)
    return (
        (new.get("replicas") or 0) == (new.get("updatedReplicas") or 0)
        and current is not None
        and current.get("reason") == status.NEW_REPLICA_SET_AVAILABLE
    )


def _judge(
    deployment: objects.Object, new: objects.Object | None, result: objects.Object, now: float
) -> None:
    """Set Progressing in `result`: finished, moving, or past the deadline."""
    subject = f'Deployment "{objects.name(deployment)}"'
    if new is not None:
        subject = f'ReplicaSet "{objects.name(new)}"'
    kind = status.PROGRESSING
    if status.complete(deployment, result):
        message = f"{subject} has successfully progressed."
        found = status.condition(kind, "True", status.NEW_REPLICA_SET_AVAILABLE, message, now)
        status.put(result, found)
    elif _moved(objects.status(deployment), result):
        message = f"{subject} is progressing."
        found = status.condition(kind, "True", "ReplicaSetUpdated", message, now)
        current = status.find(objects.status(deployment), kind)
        if current is not None and current["status"] == "True":
            found["lastTransitionTime"] = current["lastTransitionTime"]
        # Removed first, so that lastUpdateTime moves though the reason is the same.
        status.remove(result, kind)
        status.put(result, found)
    elif _timed_out(deployment, result, now):
        message = f"{subject} has timed out progressing."
        status.put(result, status.condition(kind, "False", status.TIMED_OUT, message, now))


def _moved(old: objects.Object, new: objects.Object) -> bool:
    def outdated(counts: objects.Object) -> int:
        return (counts.get("replicas") or 0) - (counts.get("updatedReplicas") or 0)

    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return outdated(new) < outdated(old) or any(
        (new.get(field) or 0) > (old.get(field) or 0) for field in grown
    )


def _timed_out(deployment: objects.Object, result: objects.Object, now: float) -> bool:
    current = status.find(result, status.PROGRESSING)
    deadline = budget.progress_deadline(deployment)
    if current is None or deadline is None:
        return False
    if current.get("reason") == status.NEW_REPLICA_SET_AVAILABLE:
        return False
    if current.get("reason") == status.TIMED_OUT:
        return True
    return timestamps.decode(current["lastUpdateTime"]) + deadline < now


def _failure(
    replica_sets: Sequence[objects.Object], new: objects.Object | None
) -> objects.Object | None:
    """The ReplicaFailure of a ReplicaSet, the new one's first, as the deployment's own."""
    first = [new] if new is not None else []
    for replica_set in [*first, *replica_sets]:
        found = status.find(objects.status(replica_set), status.REPLICA_FAILURE)
        if found is not None:
            return {
                "type": found["type"],
                "status": found["status"],
                "lastUpdateTime": found["lastTransitionTime"],
                "lastTransitionTime": found["lastTransitionTime"],
                "reason": found.get("reason", ""),
                "message": found.get("message", ""),
            }
    return None
