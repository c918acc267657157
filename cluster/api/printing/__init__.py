"""Objects as rows: the server side of `kubectl get`. Pure; the time is an argument.

One file a family of kinds, which exports `BY_RESOURCE`. What a row says, and in which words, is
what the printers of kube-apiserver (pkg/printers/internalversion) say.
"""

from cluster.api.printing import (
    admissionregistration,
    apiextensions,
    apiregistration,
    batch,
    bounds,
    certificates,
    devices,
    events,
    flowcontrol,
    ingresses,
    metrics,
    networking,
    nodes,
    plain,
    pods,
    rbac,
    storage,
    volumes,
    workloads,
)
from cluster.api.printing.table import Printer
from cluster.api.resources import Resource

_FAMILIES = (
    admissionregistration,
    apiextensions,
    apiregistration,
    batch,
    bounds,
    certificates,
    devices,
    events,
    flowcontrol,
    metrics,
    ingresses,
    networking,
    nodes,
    plain,
    pods,
    rbac,
    storage,
    volumes,
    workloads,
)
_PRINTERS: dict[str, Printer] = {
    resource: printer for family in _FAMILIES for resource, printer in family.BY_RESOURCE.items()
}


def of(resource: Resource) -> Printer:
    """The printer of a resource; NAME and AGE where there is no better one."""
    if resource.custom is not None:
        return resource.custom.printer
    return _PRINTERS.get(resource.id, plain.FALLBACK)


__all__ = ["Printer", "of"]
