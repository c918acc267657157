"""Kinds that set bounds: disruption budgets, quotas, limits, autoscalers."""

from collections.abc import Mapping
from typing import Final

from cluster.api.strategies.strategy import Strategy

_BUDGET_STATUS: Final = {
    "disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0,
}  # fmt: skip

BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    "horizontalpodautoscalers.autoscaling": Strategy(
        generations=False, empty_status={"desiredReplicas": 0}
    ),
    "limitranges": Strategy(create_on_update=True),
    "poddisruptionbudgets.policy": Strategy(empty_status=_BUDGET_STATUS, unconditional=False),
    "resourcequotas": Strategy(generations=False),
}
