"""Nodes and namespaces, as kubectl shows them."""

from typing import Any

from cluster.api import objects
from cluster.api.printing.table import AGE, NAME, NONE, Printer, age, wide
from cluster.api.resources import Column

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE_LABEL = "kubernetes.io/role"
_UNKNOWN = "<unknown>"


def _state(node: objects.Object) -> str:
    ready = "Unknown"
    for condition in objects.status(node).get("conditions") or ():
        if condition.get("type") == "Ready":
            ready = "Ready" if condition.get("status") == "True" else "NotReady"
    cordoned = objects.spec(node).get("unschedulable")
    return f"{ready},SchedulingDisabled" if cordoned else ready


def _roles(node: objects.Object) -> str:
    found = set()
    for key, value in objects.labels(node).items():
        role = key.removeprefix(_ROLE_PREFIX) if key.startswith(_ROLE_PREFIX) else ""
        if key == _ROLE_LABEL:
            role = value
        if role:
            found.add(role)
    return ",".join(sorted(found)) or NONE


def _address(node: objects.Object, kind: str) -> str:
    for address in objects.status(node).get("addresses") or ():
        if address.get("type") == kind:
            return str(address.get("address") or NONE)
    return NONE


def _node(node: objects.Object, now: float) -> list[Any]:
    info = objects.status(node).get("nodeInfo") or {}
    return [
        objects.name(node),
        _state(node),
        _roles(node),
        age(node, now),
        info.get("kubeletVersion") or "",
        _address(node, "InternalIP"),
        _address(node, "ExternalIP"),
        info.get("osImage") or _UNKNOWN,
        info.get("kernelVersion") or _UNKNOWN,
        info.get("containerRuntimeVersion") or _UNKNOWN,
    ]


def _namespace(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), objects.status(obj).get("phase") or "", age(obj, now)]


NODES = Printer(
    (
        NAME,
        Column("Status", description="Ready or not, and whether it takes pods."),
        Column("Roles", description="From the labels node-role.kubernetes.io/…."),
        AGE,
        Column("Version", description="The kubelet's version."),
        wide("Internal-IP"),
        wide("External-IP"),
        wide("OS-Image"),
        wide("Kernel-Version"),
        wide("Container-Runtime"),
    ),
    _node,
)

NAMESPACES = Printer(
    (NAME, Column("Status", description="Active or Terminating."), AGE), _namespace
)

BY_RESOURCE = {
    "namespaces": NAMESPACES,
    "nodes": NODES,
}
