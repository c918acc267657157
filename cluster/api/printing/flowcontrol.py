"""FlowSchemas and priority levels as rows."""

from typing import Any

from cluster.api import objects
from cluster.api.printing.table import AGE, NAME, NONE, Printer, age
from cluster.api.resources import Column


def _flow_schema(obj: objects.Object, now: float) -> list[Any]:
    spec = objects.spec(obj)
    conditions = objects.status(obj).get("conditions") or ()
    dangling = [each.get("status") for each in conditions if each.get("type") == "Dangling"]
    return [
        objects.name(obj),
        (spec.get("priorityLevelConfiguration") or {}).get("name") or "",
        spec.get("matchingPrecedence") or 0,
        (spec.get("distinguisherMethod") or {}).get("type") or NONE,
        age(obj, now),
        dangling[0] if dangling else "?",
    ]


def _priority_level(obj: objects.Object, now: float) -> list[Any]:
    spec = objects.spec(obj)
    limited = spec.get("limited") or {}
    limits = limited if spec.get("limited") else spec.get("exempt") or {}
    queuing = (limited.get("limitResponse") or {}).get("queuing") or {}
    return [
        objects.name(obj),
        spec.get("type") or "",
        limits.get("nominalConcurrencyShares", NONE),
        queuing.get("queues", NONE),
        queuing.get("handSize", NONE),
        queuing.get("queueLengthLimit", NONE),
        age(obj, now),
    ]


BY_RESOURCE = {
    "flowschemas.flowcontrol.apiserver.k8s.io": Printer(
        (NAME, Column("PriorityLevel"), Column("MatchingPrecedence", "integer"),
         Column("DistinguisherMethod"), AGE, Column("MissingPL")),
        _flow_schema,
    ),
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": Printer(
        (NAME, Column("Type"), Column("NominalConcurrencyShares"), Column("Queues"),
         Column("HandSize"), Column("QueueLengthLimit"), AGE),
        _priority_level,
    ),
}  # fmt: skip
