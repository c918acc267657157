"""Kubernetes' defaults, one file a kind or group of kinds.

They run on a walked copy of the document, whose types are right, and change it in place. A file
exports `BY_RESOURCE`, from a resource's id to its function. Sources: k8s.io/kubernetes
pkg/apis/*/v1/defaults.go and the `+default` marks of k8s.io/api.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api import schema
from cluster.api.defaults import (
    admissionregistration,
    apiextensions,
    apiregistration,
    autoscaling,
    batch,
    claims,
    core,
    devices,
    endpointslices,
    flowcontrol,
    limits,
    networking,
    pods,
    rbac,
    services,
    storage,
    workloads,
)
from cluster.api.objects import Object
from cluster.api.resources import Resource

_BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    **autoscaling.BY_RESOURCE,
    **claims.BY_RESOURCE,
    **admissionregistration.BY_RESOURCE,
    **apiextensions.BY_RESOURCE,
    **apiregistration.BY_RESOURCE,
    **core.BY_RESOURCE,
    **devices.BY_RESOURCE,
    **endpointslices.BY_RESOURCE,
    **flowcontrol.BY_RESOURCE,
    **limits.BY_RESOURCE,
    **networking.BY_RESOURCE,
    **pods.BY_RESOURCE,
    **rbac.BY_RESOURCE,
    **services.BY_RESOURCE,
    **storage.BY_RESOURCE,
    **workloads.BY_RESOURCE,
}


_BY_VERSION: Final[Mapping[str, Callable[[Object, int], None]]] = {
    **batch.BY_VERSION,
    **storage.BY_VERSION,
    **workloads.BY_VERSION,
}
"""What depends on the minor version that is emulated, which these functions take too."""


def apply(resource: Resource, obj: Object, version: str = schema.NEWEST) -> None:
    """Fill in what `obj` leaves out and Kubernetes decides in this version of it."""
    if resource.custom is not None:
        resource.custom.default(obj)
        return
    fill = _BY_RESOURCE.get(resource.id)
    if fill is not None:
        fill(obj)
        return
    versioned = _BY_VERSION.get(resource.id)
    if versioned is not None:
        versioned(obj, int(version.partition(".")[2]))
