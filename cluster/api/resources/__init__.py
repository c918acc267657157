"""The table of resources: what the API serves. Everything that speaks of kinds reads it.

REST routes, gRPC, discovery, OpenAPI, printing, storage keys and admission all go by these rows;
a custom resource adds rows at run time. One file a family of kinds holds the built-in rows, `model`
says what a row and a table are.
"""

from cluster.api.resources import (
    admissionregistration,
    apiextensions,
    apiregistration,
    apps,
    autoscaling,
    batch,
    certificates,
    coordination,
    core,
    devices,
    discovery,
    events,
    flowcontrol,
    metrics,
    networking,
    node,
    policy,
    rbac,
    reviews,
    scheduling,
    storage,
    storagemigration,
)
from cluster.api.resources.model import ALL_VERBS, READ, Column, Resource, Table

__all__ = ["ALL_VERBS", "BUILT_IN", "READ", "Column", "Resource", "Table", "built_in"]

BUILT_IN: tuple[Resource, ...] = (
    *core.ROWS,
    *apps.ROWS,
    *admissionregistration.ROWS,
    *apiextensions.ROWS,
    *apiregistration.ROWS,
    *autoscaling.ROWS,
    *batch.ROWS,
    *certificates.ROWS,
    *coordination.ROWS,
    *devices.ROWS,
    *discovery.ROWS,
    *events.ROWS,
    *flowcontrol.ROWS,
    *networking.ROWS,
    *node.ROWS,
    *policy.ROWS,
    *rbac.ROWS,
    *reviews.ROWS,
    *scheduling.ROWS,
    *storage.ROWS,
    *storagemigration.ROWS,
    *metrics.ROWS,
)
_NEWEST = 1 << 29  # a minor version newer than all


def built_in(version: str = "") -> Table:
    """A new table with every resource that kubemu serves by itself.

    `version` is the Kubernetes version emulated (`1.37`), "" for the newest: kinds that were not
    generally available in it are left out.
    """
    minor = int(version.partition(".")[2]) if version else _NEWEST
    return Table(row for row in BUILT_IN if row.since <= minor <= row.until)
