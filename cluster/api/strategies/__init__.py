"""What each kind's strategy does to an object before it is validated and stored.

The parts of a request that may not write a field do not write it: status at a create, status by
the main resource, spec by `/status`. One file a family of kinds, which exports `BY_RESOURCE`.
Source: k8s.io/kubernetes pkg/registry/*/strategy.go.
"""

from typing import Final

from cluster.api import identity, objectmeta
from cluster.api.objects import Object
from cluster.api.resources import Resource
from cluster.api.strategies import (
    admissionregistration,
    apiextensions,
    apiregistration,
    batch,
    certificates,
    claims,
    core,
    devices,
    namespaces,
    networking,
    pods,
    policy,
    rbac,
    services,
    storage,
    workloads,
)
from cluster.api.strategies.strategy import PLAIN, Strategy

__all__ = ["Strategy", "name_rule", "of", "prepare_for_create", "prepare_for_update"]

_BY_RESOURCE: Final = {
    **batch.BY_RESOURCE,
    **certificates.BY_RESOURCE,
    **claims.BY_RESOURCE,
    **admissionregistration.BY_RESOURCE,
    **apiextensions.BY_RESOURCE,
    **apiregistration.BY_RESOURCE,
    **core.BY_RESOURCE,
    **devices.BY_RESOURCE,
    **namespaces.BY_RESOURCE,
    **networking.BY_RESOURCE,
    **pods.BY_RESOURCE,
    **policy.BY_RESOURCE,
    **rbac.BY_RESOURCE,
    **services.BY_RESOURCE,
    **storage.BY_RESOURCE,
    **workloads.BY_RESOURCE,
}


def of(resource: Resource) -> Strategy:
    """The strategy of a resource."""
    return _BY_RESOURCE.get(resource.id, PLAIN)


def name_rule(resource: Resource) -> objectmeta.NameRule:
    """What names its objects may have."""
    return of(resource).name_rule


def prepare_for_create(resource: Resource, obj: Object, user: identity.User) -> None:
    """Reset what a creator does not decide, and write down who he is where that matters."""
    strategy = of(resource)
    if "status" in resource.subresources and not strategy.status_at_create:
        _reset_status(resource, strategy, obj)
    if _counts_generations(resource, strategy):
        obj["metadata"]["generation"] = 1
    else:
        obj["metadata"].pop("generation", None)
    if strategy.on_create is not None:
        strategy.on_create(obj)
    if strategy.by_user is not None:
        strategy.by_user(obj, user)


def prepare_for_update(
    resource: Resource, old: Object, new: Object, subresource: str, now: float
) -> None:
    """Take from `new` only what `subresource` may write. `new` may come to share parts of `old`.

    A subresource that has no rule here (`binding`) was prepared by the server itself: it is taken
    as it is.
    """
    strategy = of(resource)
    if subresource == "status":
        if resource.custom is not None:
            _only_custom_status(old, new)
        else:
            _only_status(strategy, old, new)
    elif subresource == "finalize":
        _carry(old, new, "status")
    elif subresource in ("", "scale"):
        if "status" in resource.subresources:
            _carry(old, new, "status")
        if strategy.on_update is not None:
            strategy.on_update(old, new)
        if _counts_generations(resource, strategy) and _desired(resource, old) != _desired(
            resource, new
        ):
            new["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1
    elif subresource in strategy.on_other:
        strategy.on_other[subresource](old, new)
    if subresource and strategy.stamps is not None:
        strategy.stamps(old, new, now)


def _reset_status(resource: Resource, strategy: Strategy, obj: Object) -> None:
    if resource.custom is not None:
        obj.pop("status", None)
    else:
        obj["status"] = dict(strategy.empty_status)


def _only_status(strategy: Strategy, old: Object, new: Object) -> None:
    for field in [field for field in new if field not in ("metadata", "status")]:
        del new[field]
    for field, value in old.items():
        if field not in ("metadata", "status"):
            new[field] = value
    for field in strategy.status_keeps:
        _carry(old["metadata"], new["metadata"], field)
    if strategy.on_status is not None:
        strategy.on_status(old, new)


def _counts_generations(resource: Resource, strategy: Strategy) -> bool:
    if strategy.generations is not None:
        return strategy.generations
    return "status" in resource.subresources or resource.custom is not None


def _only_custom_status(old: Object, new: Object) -> None:
    """Of a custom object, `/status` writes no metadata but that which tells who writes."""
    managed = new["metadata"].get("managedFields")
    metadata = {key: value for key, value in old["metadata"].items() if key != "managedFields"}
    metadata.pop("resourceVersion", None)
    if managed is not None:
        metadata["managedFields"] = managed
    status = {"status": new["status"]} if "status" in new else {}
    new.clear()
    new |= {key: value for key, value in old.items() if key != "status"} | status
    new["metadata"] = metadata


def _desired(resource: Resource, obj: Object) -> Object:
    """What is wanted: all but metadata, and but status where that is written apart."""
    apart = resource.custom is None or "status" in resource.subresources
    observed = ("metadata", "status") if apart else ("metadata",)
    return {field: value for field, value in obj.items() if field not in observed}


def _carry(old: Object, new: Object, field: str) -> None:
    if field in old:
        new[field] = old[field]
    else:
        new.pop(field, None)
