"""Kubernetes' defaults, one file a kind or group of kinds.

They run on a walked copy of the document, whose types are right, and change it in place. Sources:
k8s.io/kubernetes pkg/apis/*/v1/defaults.go and the `+default` marks of k8s.io/api.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api.defaults import core, endpointslices, pods, services, workloads
from cluster.api.objects import Object
from cluster.api.resources import Resource

_BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    "deployments.apps": workloads.deployment,
    "endpointslices.discovery.k8s.io": endpointslices.endpoint_slice,
    "namespaces": core.namespace,
    "nodes": core.node,
    "pods": pods.pod,
    "priorityclasses.scheduling.k8s.io": core.priority_class,
    "replicasets.apps": workloads.replica_set,
    "secrets": core.secret,
    "services": services.service,
}


def apply(resource: Resource, obj: Object) -> None:
    """Fill in what `obj` leaves out and Kubernetes decides."""
    fill = _BY_RESOURCE.get(resource.id)
    if fill is not None:
        fill(obj)
