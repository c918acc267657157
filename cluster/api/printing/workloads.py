"""Workloads that run for ever, as kubectl shows them."""

from typing import Any

from cluster.api import objects
from cluster.api.printing.table import (
    AGE,
    NAME,
    NONE,
    Printer,
    age,
    joined,
    label_selector,
    labels,
    wide,
)
from cluster.api.resources import Column

_WIDE = (wide("Containers"), wide("Images"), wide("Selector"))


def containers(template: objects.Object | None) -> list[str]:
    """Wide cells: names and images of a template's containers."""
    listed = ((template or {}).get("spec") or {}).get("containers") or ()
    return [
        joined([container.get("name") or "" for container in listed]),
        joined([container.get("image") or "" for container in listed]),
    ]


def _template(obj: objects.Object) -> list[str]:
    """The wide cells: containers, and the selector."""
    spec = objects.spec(obj)
    return [*containers(spec.get("template")), label_selector(spec.get("selector"))]


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


def _stateful_set(obj: objects.Object, now: float) -> list[Any]:
    ready = objects.status(obj).get("readyReplicas") or 0
    wide_cells = containers(objects.spec(obj).get("template"))
    return [objects.name(obj), f"{ready}/{_wanted(obj)}", age(obj, now), *wide_cells]


_DAEMON_COUNTS = (
    "desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled",
    "numberAvailable",
)  # fmt: skip


def _daemon_set(obj: objects.Object, now: float) -> list[Any]:
    status, template = objects.status(obj), objects.spec(obj).get("template") or {}
    return [
        objects.name(obj),
        *[status.get(count) or 0 for count in _DAEMON_COUNTS],
        labels((template.get("spec") or {}).get("nodeSelector")),
        age(obj, now),
        *_template(obj),
    ]


def _controller(obj: objects.Object, now: float) -> list[Any]:
    spec, status = objects.spec(obj), objects.status(obj)
    return [
        objects.name(obj),
        _wanted(obj),
        status.get("replicas") or 0,
        status.get("readyReplicas") or 0,
        age(obj, now),
        *containers(spec.get("template")),
        labels(spec.get("selector")),
    ]


def _pod_template(obj: objects.Object, now: float) -> list[Any]:
    template = obj.get("template") or {}
    told = labels((template.get("metadata") or {}).get("labels"))
    return [objects.name(obj), *containers(template), told]


def _revision(obj: objects.Object, now: float) -> list[Any]:
    owner, shown = objects.controller_of(obj), NONE
    if owner is not None:
        group = owner["apiVersion"].rpartition("/")[0]
        kind = owner["kind"].lower()
        shown = f"{kind}.{group}/{owner['name']}" if group else f"{kind}/{owner['name']}"
    return [objects.name(obj), shown, obj.get("revision") or 0, age(obj, now)]


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

REPLICATION_CONTROLLERS = Printer(REPLICA_SETS.columns, _controller)

STATEFUL_SETS = Printer(
    (NAME, Column("Ready", description="Pods that are ready, of those wanted."), AGE, *_WIDE[:2]),
    _stateful_set,
)

DAEMON_SETS = Printer(
    (
        NAME,
        Column("Desired", "integer", description="Nodes that should run its pod."),
        Column("Current", "integer", description="Nodes that run it."),
        Column("Ready", "integer", description="Nodes where it is ready."),
        Column("Up-to-date", "integer", description="Nodes where it is of the newest template."),
        Column("Available", "integer", description="Nodes where it is ready for long enough."),
        Column("Node Selector", description="Labels of the nodes that should run its pod."),
        AGE,
        *_WIDE,
    ),
    _daemon_set,
)

POD_TEMPLATES = Printer(
    (NAME, Column("Containers"), Column("Images"), Column("Pod Labels")), _pod_template
)

CONTROLLER_REVISIONS = Printer(
    (NAME, Column("Controller"), Column("Revision", description="Its number."), AGE), _revision
)

BY_RESOURCE = {
    "controllerrevisions.apps": CONTROLLER_REVISIONS,
    "daemonsets.apps": DAEMON_SETS,
    "podtemplates": POD_TEMPLATES,
    "replicationcontrollers": REPLICATION_CONTROLLERS,
    "statefulsets.apps": STATEFUL_SETS,
    "deployments.apps": DEPLOYMENTS,
    "replicasets.apps": REPLICA_SETS,
}
