"""Deployments and replica sets, as kubectl shows them."""

from typing import Any

from cluster.api import objects
from cluster.api.printing.table import AGE, NAME, Printer, age, joined, label_selector, wide
from cluster.api.resources import Column

_WIDE = (wide("Containers"), wide("Images"), wide("Selector"))


def _template(obj: objects.Object) -> list[str]:
    """The wide cells: names and images of the template's containers, and the selector."""
    spec = objects.spec(obj)
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    return [
        joined([container.get("name") or "" for container in containers]),
        joined([container.get("image") or "" for container in containers]),
        label_selector(spec.get("selector")),
    ]


def _wanted(obj: objects.Object) -> int:
    replicas = objects.spec(obj).get("replicas")
    return int(replicas) if replicas is not None else 0


def _deployment(obj: objects.Object, now: float) -> list[Any]:
    status = objects.status(obj)
    return [
        objects.name(obj),
        f"{status.get('readyReplicas') or 0}/{_wanted(obj)}",
        status.get("updatedReplicas") or 0,
        status.get("availableReplicas") or 0,
        age(obj, now),
        *_template(obj),
    ]


def _replica_set(obj: objects.Object, now: float) -> list[Any]:
    status = objects.status(obj)
    return [
        objects.name(obj),
        _wanted(obj),
        status.get("replicas") or 0,
        status.get("readyReplicas") or 0,
        age(obj, now),
        *_template(obj),
    ]


DEPLOYMENTS = Printer(
    (
        NAME,
        Column("Ready", description="Pods that are ready, of those wanted."),
        Column("Up-to-date", description="Pods of the newest template."),
        Column("Available", description="Pods ready for at least minReadySeconds."),
        AGE,
        *_WIDE,
    ),
    _deployment,
)

REPLICA_SETS = Printer(
    (
        NAME,
        Column("Desired", "integer", description="Pods wanted."),
        Column("Current", "integer", description="Pods that exist."),
        Column("Ready", "integer", description="Pods that are ready."),
        AGE,
        *_WIDE,
    ),
    _replica_set,
)

BY_RESOURCE = {
    "deployments.apps": DEPLOYMENTS,
    "replicasets.apps": REPLICA_SETS,
}
