"""Validation, one file a kind: required fields, values, ranges, and what may not change.

Each function gives errors.Causes with Kubernetes' reasons, messages and field paths. Sources:
k8s.io/kubernetes pkg/apis/*/validation. The types of all fields are right when they run.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api import errors
from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.api.validation import (
    configs,
    endpointslices,
    nodes,
    pods,
    services,
    small,
    workloads,
)

_Creates = Mapping[str, Callable[[Object], list[errors.Cause]]]
_Updates = Mapping[str, Callable[[Object, Object], list[errors.Cause]]]

_NEW: Final[_Creates] = {
    "configmaps": configs.config_map,
    "deployments.apps": workloads.deployment,
    "endpointslices.discovery.k8s.io": endpointslices.of_new,
    "events": small.event,
    "leases.coordination.k8s.io": small.lease,
    "namespaces": small.namespace,
    "nodes": nodes.of_new,
    "pods": pods.of_new,
    "priorityclasses.scheduling.k8s.io": small.priority_class,
    "replicasets.apps": workloads.replica_set,
    "secrets": configs.secret,
    "services": services.of_new,
}
_UPDATE: Final[_Updates] = {
    "configmaps": configs.config_map_update,
    "deployments.apps": workloads.deployment_update,
    "endpointslices.discovery.k8s.io": endpointslices.of_update,
    "events": lambda old, new: small.event(new),
    "leases.coordination.k8s.io": lambda old, new: small.lease(new),
    "nodes": nodes.of_update,
    "pods": pods.of_update,
    "priorityclasses.scheduling.k8s.io": small.priority_class_update,
    "replicasets.apps": workloads.replica_set_update,
    "secrets": configs.secret_update,
    "services": services.of_update,
}
_STATUS: Final[_Updates] = {
    "deployments.apps": workloads.status,
    "nodes": nodes.of_status,
    "replicasets.apps": workloads.status,
}


def of_new(resource: Resource, obj: Object) -> list[errors.Cause]:
    """What is wrong with an object about to be created, its metadata apart."""
    check = _NEW.get(resource.id)
    return check(obj) if check is not None else []


def of_update(resource: Resource, old: Object, new: Object, subresource: str) -> list[errors.Cause]:
    """What is wrong with an object about to replace `old`, its metadata apart."""
    if subresource == "finalize" and resource.id == "namespaces":
        return small.namespace(new)
    if subresource not in ("", "scale", "status"):
        return []
    check = (_STATUS if subresource == "status" else _UPDATE).get(resource.id)
    return check(old, new) if check is not None else []
