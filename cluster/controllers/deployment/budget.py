"""How many pods a rollout may have above and below the number asked for."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from cluster.api import objects

MAX_INT32 = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Budget:
    """Numbers of pods. At least one of the two is above zero in a rolling update."""

    surge: int
    unavailable: int


def replicas(obj: objects.Object) -> int:
    """spec.replicas of a Deployment or ReplicaSet; 1 where it is absent, as the API defaults."""
    count = objects.spec(obj).get("replicas")
    return 1 if count is None else int(count)


def observed(replica_set: objects.Object, field: str = "replicas") -> int:
    """A count of the status, 0 where it is absent."""
    return int(objects.status(replica_set).get(field) or 0)


def is_current(replica_set: objects.Object) -> bool:
    """Whether its status is about its present size."""
    generation = objects.meta(replica_set).get("generation") or 0
    return observed(replica_set, "observedGeneration") >= generation


def available(replica_set: objects.Object) -> int:
    """How many of its pods are available and stay so, as far as that is certain.

    One that was just scaled may be rid of any of them before it says so. Kubernetes counts these
    too, and so lets availability fall too far where the ReplicaSet controller is slow.
    """
    if not is_current(replica_set):
        return 0
    return min(observed(replica_set, "availableReplicas"), replicas(replica_set))


def total(replica_sets: Iterable[objects.Object]) -> int:
    """The sum of spec.replicas."""
    return sum(replicas(replica_set) for replica_set in replica_sets)


def is_rolling(deployment: objects.Object) -> bool:
    """Whether the strategy is RollingUpdate (the default)."""
    kind = (objects.spec(deployment).get("strategy") or {}).get("type") or "RollingUpdate"
    return bool(kind == "RollingUpdate")


def of(deployment: objects.Object) -> Budget:
    """The budget of a deployment: 0 and 0 where the strategy is Recreate.

    Surge rounds up and unavailable down; when both come to 0, one pod may be unavailable, or
    nothing could ever move.
    """
    wanted = replicas(deployment)
    if not is_rolling(deployment):
        return Budget(0, 0)
    rolling = (objects.spec(deployment).get("strategy") or {}).get("rollingUpdate") or {}
    surge = scaled(rolling.get("maxSurge", "25%"), wanted, round_up=True)
    unavailable = scaled(rolling.get("maxUnavailable", "25%"), wanted, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Budget(surge, min(unavailable, wanted))


def scaled(value: int | str, of_total: int, *, round_up: bool) -> int:
    """An IntOrString: the number itself, or that percentage of `of_total`. ValueError."""
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        raise ValueError(f"{value!r} is neither a number nor a percentage")
    share = int(value[:-1]) * of_total
    return math.ceil(share / 100) if round_up else share // 100


def progress_deadline(deployment: objects.Object) -> int | None:
    """spec.progressDeadlineSeconds, or None where no deadline is meant (absent, or max int32)."""
    seconds = objects.spec(deployment).get("progressDeadlineSeconds")
    return None if seconds is None or seconds == MAX_INT32 else int(seconds)


def revision_history_limit(deployment: objects.Object) -> int | None:
    """spec.revisionHistoryLimit, or None where everything is kept."""
    limit = objects.spec(deployment).get("revisionHistoryLimit")
    return None if limit is None or limit == MAX_INT32 else int(limit)
