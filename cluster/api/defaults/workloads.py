"""Defaults of Deployment and ReplicaSet (pkg/apis/apps/v1/defaults.go)."""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api.defaults import pods
from cluster.api.objects import Object

REVISION_HISTORY_LIMIT: Final = 10
PROGRESS_DEADLINE_SECONDS: Final = 600
MAX_CHANGE: Final = "25%"  # of maxSurge and maxUnavailable


def deployment(obj: Object) -> None:
    """One replica, rolled a quarter at a time, ten revisions kept."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", MAX_CHANGE)
        rolling.setdefault("maxSurge", MAX_CHANGE)
    spec.setdefault("revisionHistoryLimit", REVISION_HISTORY_LIMIT)
    spec.setdefault("progressDeadlineSeconds", PROGRESS_DEADLINE_SECONDS)
    pods.template(spec)


def replica_set(obj: Object) -> None:
    """One replica."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    pods.template(spec)


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    "deployments.apps": deployment,
    "replicasets.apps": replica_set,
}
