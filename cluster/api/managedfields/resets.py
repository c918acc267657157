"""The fields that a request does not write whatever it says, and so does not own.

Source: GetResetFields of each strategy in k8s.io/kubernetes pkg/registry, and of custom resources
in k8s.io/apiextensions-apiserver pkg/registry/customresource.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

from cluster.api.managedfields import fieldsets
from cluster.api.managedfields.fieldsets import NOTHING, Set

_STATUS: Final = fieldsets.of_paths([("f:status",)])
_ALL_BUT_STATUS: Final = fieldsets.of_paths([("f:spec",)])
_CUSTOM_BUT_STATUS: Final = fieldsets.of_paths([("f:metadata",), ("f:spec",)])

# What more of metadata `/status` leaves alone.
_STATUS_KEEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "deployments.apps": ("labels",),
    "pods": ("deletionTimestamp", "ownerReferences"),
}


@cache
def of(resource: str, subresource: str, *, status: bool, custom: bool = False) -> Set:
    """What a write to `subresource` ("" for the main resource) of `resource` resets.

    `status`: the resource has that subresource. `custom`: it is a custom resource.
    """
    if not status:
        return NOTHING
    if subresource != "status":
        return _STATUS
    if custom:
        return _CUSTOM_BUT_STATUS
    if resource == "customresourcedefinitions.apiextensions.k8s.io":
        return _CUSTOM_BUT_STATUS
    more = _STATUS_KEEPS.get(resource, ())
    kept = fieldsets.of_paths(("f:metadata", f"f:{name}") for name in more)
    return fieldsets.union(_ALL_BUT_STATUS, kept)
