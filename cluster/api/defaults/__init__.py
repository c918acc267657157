"""Kubernetes' defaults, one file a kind or group of kinds.

They run on a walked copy of the document, whose types are right, and change it in place. A file
exports `BY_RESOURCE`, from a resource's id to its function. Sources: k8s.io/kubernetes
pkg/apis/*/v1/defaults.go and the `+default` marks of k8s.io/api.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api.defaults import core, endpointslices, flowcontrol, pods, rbac, services, workloads
from cluster.api.objects import Object
from cluster.api.resources import Resource

_BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    **core.BY_RESOURCE,
    **endpointslices.BY_RESOURCE,
    **flowcontrol.BY_RESOURCE,
    **pods.BY_RESOURCE,
    **rbac.BY_RESOURCE,
    **services.BY_RESOURCE,
    **workloads.BY_RESOURCE,
}


def apply(resource: Resource, obj: Object) -> None:
    """Fill in what `obj` leaves out and Kubernetes decides."""
    if resource.custom is not None:
        resource.custom.default(obj)
        return
    fill = _BY_RESOURCE.get(resource.id)
    if fill is not None:
        fill(obj)
