"""What share of the cluster's CPU each zone has: topology hints are handed out by it.

Source: the page "Topology Aware Routing" of the Kubernetes documentation, and
k8s.io/endpointslice/topologycache.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from cluster.api import conditions, objects, quantity

ZONE_LABEL: Final = "topology.kubernetes.io/zone"
_CONTROL_PLANE: Final = (
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
)
"""Nodes with one of these labels run no workloads, so they do not count."""

Shares = Mapping[str, float]
"""From a zone to its share of all allocatable CPU; empty where too little is known to tell."""


def of(nodes: Iterable[objects.Object]) -> Shares:
    """The shares of these nodes' zones. One ready node without a zone or CPU spoils all."""
    by_zone: dict[str, int] = {}
    for node in nodes:
        if not counts(node):
            continue
        zone, cpu = zone_of(node), _cpu(node)
        if not zone or not cpu:
            return {}
        by_zone[zone] = by_zone.get(zone, 0) + cpu
    if len(by_zone) < 2:
        return {}
    total = sum(by_zone.values())
    return {zone: by_zone[zone] / total for zone in sorted(by_zone)}


def counts(node: objects.Object) -> bool:
    """Whether a node is there for workloads, and ready."""
    labels = objects.labels(node)
    if any(role in labels for role in _CONTROL_PLANE):
        return False
    return conditions.is_true(node, "Ready")


def zone_of(node: objects.Object) -> str:
    """The zone of a node, "" where it has none."""
    return objects.labels(node).get(ZONE_LABEL, "")


def facts(node: objects.Object | None) -> tuple[object, ...]:
    """What the shares depend on: another node of the same facts changes nothing."""
    if node is None or not counts(node):
        return ()
    return zone_of(node), _cpu(node)


def _cpu(node: objects.Object) -> int:
    """Allocatable CPU in thousandths."""
    told = (objects.status(node).get("allocatable") or {}).get("cpu")
    return quantity.milli(told) if told else 0
