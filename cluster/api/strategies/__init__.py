"""What each kind's strategy does to an object before it is validated and stored.

The parts of a request that may not write a field do not write it: status at a create, status by
the main resource, spec by `/status`. Source: k8s.io/kubernetes pkg/registry/*/strategy.go.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cluster.api import metadata, objectmeta
from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.api.strategies import namespaces, pods, services

_Creates = Mapping[str, Callable[[Object], None]]
_Updates = Mapping[str, Callable[[Object, Object], None]]

_NAME_RULES: Final[Mapping[str, objectmeta.NameRule]] = {
    "namespaces": metadata.dns1123_label,
    "services": metadata.dns1035_label,
}

# Kinds that count generations though they have no status subresource, and those that do not.
_COUNTED: Final = ("endpointslices.discovery.k8s.io", "priorityclasses.scheduling.k8s.io")
_UNCOUNTED: Final = ("namespaces", "nodes", "services")

# What Go writes of an empty status, where that is not nothing.
_EMPTY_STATUS: Final[dict[str, Object]] = {"replicasets.apps": {"replicas": 0}}
# A kubelet registers its node with the status it has.
_STATUS_AT_CREATE: Final = ("nodes",)

_ON_CREATE: Final[_Creates] = {
    "namespaces": namespaces.on_create,
    "pods": pods.on_create,
    "services": services.on_create,
}
_ON_UPDATE: Final[_Updates] = {
    "namespaces": namespaces.on_update,
    "services": services.on_update,
}
_ON_STATUS: Final[_Updates] = {"pods": pods.on_status}

# metadata that `/status` may not write.
_STATUS_KEEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "deployments.apps": ("labels",),
    "pods": ("ownerReferences",),
}


def name_rule(resource: Resource) -> objectmeta.NameRule:
    """What names its objects may have."""
    return _NAME_RULES.get(resource.id, metadata.dns1123_subdomain)


def prepare_for_create(resource: Resource, obj: Object) -> None:
    """Reset what a creator does not decide."""
    if "status" in resource.subresources and resource.id not in _STATUS_AT_CREATE:
        obj["status"] = dict(_EMPTY_STATUS.get(resource.id, ()))
    if _counts_generations(resource):
        obj["metadata"]["generation"] = 1
    else:
        obj["metadata"].pop("generation", None)
    prepare = _ON_CREATE.get(resource.id)
    if prepare is not None:
        prepare(obj)


def prepare_for_update(resource: Resource, old: Object, new: Object, subresource: str) -> None:
    """Take from `new` only what `subresource` may write. `new` may come to share parts of `old`.

    A subresource that has no rule here (`binding`) was prepared by the server itself: it is taken
    as it is.
    """
    if subresource == "status":
        _only_status(resource, old, new)
    elif subresource == "finalize":
        _carry(old, new, "status")
    elif subresource in ("", "scale"):
        if "status" in resource.subresources:
            _carry(old, new, "status")
        prepare = _ON_UPDATE.get(resource.id)
        if prepare is not None:
            prepare(old, new)
        if _counts_generations(resource) and _desired(old) != _desired(new):
            new["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1


def _only_status(resource: Resource, old: Object, new: Object) -> None:
    for field in [field for field in new if field not in ("metadata", "status")]:
        del new[field]
    for field, value in old.items():
        if field not in ("metadata", "status"):
            new[field] = value
    for field in _STATUS_KEEPS.get(resource.id, ()):
        _carry(old["metadata"], new["metadata"], field)
    prepare = _ON_STATUS.get(resource.id)
    if prepare is not None:
        prepare(old, new)


def _counts_generations(resource: Resource) -> bool:
    if resource.id in _COUNTED:
        return True
    return "status" in resource.subresources and resource.id not in _UNCOUNTED


def _desired(obj: Object) -> Object:
    return {field: value for field, value in obj.items() if field not in ("metadata", "status")}


def _carry(old: Object, new: Object, field: str) -> None:
    if field in old:
        new[field] = old[field]
    else:
        new.pop(field, None)
