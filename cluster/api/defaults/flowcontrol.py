"""FlowSchema and PriorityLevelConfiguration (pkg/apis/flowcontrol/v1/defaults.go)."""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api.objects import Object

PRECEDENCE: Final = 1000
SHARES: Final = 30


def flow_schema(obj: Object) -> None:
    """A schema that does not say otherwise comes late."""
    spec = obj.setdefault("spec", {})
    if not spec.get("matchingPrecedence"):
        spec["matchingPrecedence"] = PRECEDENCE


def priority_level(obj: Object) -> None:
    """Shares, what is lent, and how the waiting queue up."""
    spec = obj.setdefault("spec", {})
    if spec.get("type") == "Exempt" and spec.get("exempt") is None:
        spec["exempt"] = {}
    exempt = spec.get("exempt")
    if exempt is not None:
        exempt.setdefault("nominalConcurrencyShares", 0)
        exempt.setdefault("lendablePercent", 0)
    limited = spec.get("limited")
    if limited is None:
        return
    limited.setdefault("nominalConcurrencyShares", SHARES)
    limited.setdefault("lendablePercent", 0)
    queuing = (limited.get("limitResponse") or {}).get("queuing")
    if queuing is not None:
        for field, value in (("queues", 64), ("handSize", 8), ("queueLengthLimit", 50)):
            queuing[field] = queuing.get(field) or value


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    "flowschemas.flowcontrol.apiserver.k8s.io": flow_schema,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": priority_level,
}
