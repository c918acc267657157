"""The fields that a request does not write whatever it says, and so does not own.

Source: GetResetFields of each strategy in k8s.io/kubernetes pkg/registry, and of custom resources
in k8s.io/apiextensions-apiserver pkg/registry/customresource.
"""

from functools import cache
from typing import Final

from cluster.api.managedfields import fieldsets
from cluster.api.managedfields.fieldsets import NOTHING, Set

_STATUS: Final = fieldsets.of_paths([("f:status",)])
_ALL_BUT_STATUS: Final = fieldsets.of_paths([("f:spec",)])
_CUSTOM_BUT_STATUS: Final = fieldsets.of_paths([("f:metadata",), ("f:spec",)])

_OF_STATUS: Final = ("status", "approval")
_LIKE_CUSTOM: Final = ("customresourcedefinitions.apiextensions.k8s.io",)


@cache
def of(
    resource: str,
    subresource: str,
    *,
    status: bool,
    custom: bool = False,
    keeps: tuple[str, ...] = (),
) -> Set:
    """What a write to `subresource` ("" for the main resource) of `resource` resets.

    `status`: the resource has that subresource. `custom`: it is a custom resource. `keeps` is
    metadata that `/status` may not write.
    """
    if not status:
        return NOTHING
    if subresource not in _OF_STATUS:
        return _STATUS
    if custom or resource in _LIKE_CUSTOM:
        return _CUSTOM_BUT_STATUS
    kept = fieldsets.of_paths(("f:metadata", f"f:{name}") for name in keeps)
    return fieldsets.union(_ALL_BUT_STATUS, kept)
