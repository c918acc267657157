"""Claims and slices of devices, migrations, and the health of components."""

from typing import Any

from cluster.api import objects
from cluster.api.printing.table import AGE, NAME, Printer, age
from cluster.api.resources import Column

_GROUP = "resource.k8s.io"


def _state(obj: objects.Object) -> str:
    states = ["deleted"] if objects.deleting(obj) else []
    status = objects.status(obj)
    if status.get("allocation") is not None:
        states.append("allocated")
        if status.get("reservedFor"):
            states.append("reserved")
    elif not states:
        states.append("pending")
    return ",".join(states)


def _claim(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), _state(obj), age(obj, now)]


def _slice(obj: objects.Object, now: float) -> list[Any]:
    spec = objects.spec(obj)
    pool = (spec.get("pool") or {}).get("name") or ""
    node, driver = spec.get("nodeName") or "", spec.get("driver") or ""
    return [objects.name(obj), node, driver, pool, age(obj, now)]


def _migration(obj: objects.Object, now: float) -> list[Any]:
    resource = objects.spec(obj).get("resource") or {}
    parts = (resource.get("resource"), resource.get("group"))
    return [objects.name(obj), ".".join(part for part in parts if part)]


def _component(obj: objects.Object, now: float) -> list[Any]:
    for condition in obj.get("conditions") or ():
        if condition.get("type") == "Healthy":
            status = "Healthy" if condition.get("status") == "True" else "Unhealthy"
            told = [condition.get("message") or "", condition.get("error") or ""]
            return [objects.name(obj), status, *told]
    return [objects.name(obj), "Unknown", "", ""]


CLAIMS = Printer(
    (
        NAME,
        Column(
            "State",
            description="A summary of the current state (allocated, pending, reserved, etc.).",
        ),
        AGE,
    ),
    _claim,
)
SLICES = Printer(
    (
        NAME,
        Column("Node", description="The node of the devices."),
        Column("Driver", description="The driver of the devices."),
        Column("Pool", description="The pool that they belong to."),
        AGE,
    ),
    _slice,
)
MIGRATIONS = Printer(
    (Column("Name"), Column("Resource", description="Fully qualified resource to migrate")),
    _migration,
)
COMPONENTS = Printer(
    (
        NAME,
        Column("Status", description="Status of the component conditions"),
        Column("Message", description="Message of the component conditions"),
        Column("Error", description="Error of the component conditions"),
    ),
    _component,
)

BY_RESOURCE = {
    "componentstatuses": COMPONENTS,
    f"resourceclaims.{_GROUP}": CLAIMS,
    f"resourceslices.{_GROUP}": SLICES,
    "storageversionmigrations.storagemigration.k8s.io": MIGRATIONS,
}
