"""Validation, one file a kind: required fields, values, ranges, and what may not change.

Each function gives errors.Causes with Kubernetes' reasons, messages and field paths. A file
exports, by a resource's id, `NEW` (of a new object), `UPDATE` (old, new) and `STATUS` (old, new,
for writes to `/status`), and by id and name `OTHER` (old, new, for writes to other subresources).
Sources: k8s.io/kubernetes pkg/apis/*/validation. The types of all fields are right when they run.
"""

from collections.abc import Mapping
from typing import Final

from cluster.api import errors
from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.api.validation import (
    admissionpolicies,
    apiextensions,
    apiregistration,
    autoscalers,
    budgets,
    certificates,
    claims,
    configs,
    cronjobs,
    csi,
    deviceclaims,
    endpoints,
    endpointslices,
    events,
    flowcontrol,
    ingresses,
    jobs,
    limits,
    networking,
    nodes,
    persistentvolumes,
    podparts,
    pods,
    rbac,
    replication,
    resourceslices,
    runtimeclasses,
    services,
    sets,
    small,
    storageclasses,
    storagemigration,
    trustbundles,
    webhooks,
    workloads,
)
from cluster.api.validation.family import Check, Creates, Updates

_FAMILIES: Final = (
    admissionpolicies,
    apiextensions,
    apiregistration,
    autoscalers,
    budgets,
    certificates,
    claims,
    configs,
    cronjobs,
    csi,
    deviceclaims,
    endpoints,
    endpointslices,
    events,
    flowcontrol,
    ingresses,
    jobs,
    limits,
    networking,
    nodes,
    persistentvolumes,
    podparts,
    pods,
    rbac,
    replication,
    resourceslices,
    runtimeclasses,
    services,
    sets,
    small,
    storageclasses,
    storagemigration,
    trustbundles,
    webhooks,
    workloads,
)

_NEW: Final[Creates] = {key: check for family in _FAMILIES for key, check in family.NEW.items()}
_UPDATE: Final[Updates] = {
    key: check for family in _FAMILIES for key, check in family.UPDATE.items()
}
_STATUS: Final[Updates] = {
    key: check for family in _FAMILIES for key, check in family.STATUS.items()
}
_OTHER: Final[Mapping[tuple[str, str], Check]] = {
    key: check for family in _FAMILIES for key, check in family.OTHER.items()
}


def of_new(resource: Resource, obj: Object) -> list[errors.Cause]:
    """What is wrong with an object about to be created, its metadata apart."""
    if resource.custom is not None:
        return resource.custom.check_new(obj)
    check = _NEW.get(resource.id)
    return check(obj) if check is not None else []


def of_update(resource: Resource, old: Object, new: Object, subresource: str) -> list[errors.Cause]:
    """What is wrong with an object about to replace `old`, its metadata apart."""
    if resource.custom is not None:
        return resource.custom.check_update(old, new, subresource)
    if subresource in ("", "scale"):
        check = _UPDATE.get(resource.id)
    elif subresource == "status":
        check = _STATUS.get(resource.id)
    else:
        check = _OTHER.get((resource.id, subresource))
    return check(old, new) if check is not None else []
