"""What a StatefulSet's spec asks for, with Kubernetes' defaults where it says nothing."""

from dataclasses import dataclass

from cluster.api import objects
from cluster.controllers.deployment import budget

DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class Settings:
    """Ordinals run from `start` up to `start + replicas - 1`. Times are in seconds.

    `partition` counts from `start`: pods below it keep the current revision. `rolling` is False
    for the strategy OnDelete. `delete_with_set` and `delete_when_scaled` are the retention policy.
    """

    replicas: int
    start: int
    ordered: bool
    rolling: bool
    partition: int
    max_unavailable: int
    min_ready: int
    delete_with_set: bool
    delete_when_scaled: bool

    def wants(self, ordinal: int) -> bool:
        """Whether there should be a pod of this ordinal."""
        return self.start <= ordinal < self.start + self.replicas

    def keeps_current(self, ordinal: int) -> bool:
        """Whether a new pod of this ordinal is of the current revision, not of the update."""
        return self.rolling and ordinal < self.start + self.partition


def of(stateful_set: objects.Object) -> Settings:
    """The settings of a StatefulSet that the API server has taken."""
    spec = objects.spec(stateful_set)
    strategy = spec.get("updateStrategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    kept = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    replicas = budget.replicas(stateful_set)
    gone = budget.scaled(rolling.get("maxUnavailable", 1), replicas, round_up=False)
    return Settings(
        replicas=replicas,
        start=(spec.get("ordinals") or {}).get("start") or 0,
        ordered=spec.get("podManagementPolicy") != "Parallel",
        rolling=strategy.get("type") != "OnDelete",
        partition=rolling.get("partition") or 0,
        # A small share of few pods rounds down to none, and nothing would ever move.
        max_unavailable=max(1, gone),
        min_ready=spec.get("minReadySeconds") or 0,
        delete_with_set=kept.get("whenDeleted") == DELETE,
        delete_when_scaled=kept.get("whenScaled") == DELETE,
    )
