"""Objects as rows: the server side of `kubectl get`. Pure; the time is an argument.

One file a family of kinds. What a row says, and in which words, is what the printers of
kube-apiserver (pkg/printers/internalversion) say.
"""

from cluster.api.printing import events, networking, nodes, plain, pods, workloads
from cluster.api.printing.table import Printer
from cluster.api.resources import Resource

_PRINTERS: dict[str, Printer] = {
    "configmaps": plain.CONFIG_MAPS,
    "deployments.apps": workloads.DEPLOYMENTS,
    "endpointslices.discovery.k8s.io": networking.ENDPOINT_SLICES,
    "events": events.EVENTS,
    "leases.coordination.k8s.io": plain.LEASES,
    "namespaces": nodes.NAMESPACES,
    "nodes": nodes.NODES,
    "pods": pods.PODS,
    "priorityclasses.scheduling.k8s.io": plain.PRIORITY_CLASSES,
    "replicasets.apps": workloads.REPLICA_SETS,
    "secrets": plain.SECRETS,
    "serviceaccounts": plain.SERVICE_ACCOUNTS,
    "services": networking.SERVICES,
}


def of(resource: Resource) -> Printer:
    """The printer of a resource; NAME and AGE where there is no better one."""
    return _PRINTERS.get(resource.id, plain.FALLBACK)


__all__ = ["Printer", "of"]
