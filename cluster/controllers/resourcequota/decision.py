"""What a quota's status should say, when these objects are there. Pure.

Source: k8s.io/kubernetes pkg/controller/resourcequota.
"""

from collections.abc import Callable, Iterable

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.quota import account, measuring
from cluster.api.quota.measuring import Usage

Lister = Callable[[str], Iterable[Object]]
"""The objects of a resource in the quota's namespace."""


def counted(quota: Object) -> tuple[str, ...]:
    """The resources that a quota counts the objects of, as far as its names tell."""
    return tuple(resource for resource in account.Account(quota).counts if resource)


def status(quota: Object, present: Lister, now: float) -> Object:
    """status.hard and status.used."""
    usages: list[tuple[str, Usage]] = []
    for resource in counted(quota):
        usages += [(resource, measuring.of(resource, obj).at(now)) for obj in present(resource)]
    found = account.counted(quota, usages)
    return {"hard": dict(found.texts), "used": found.status_used()}


def differs(quota: Object, wanted: Object) -> bool:
    """Whether the status has to be written."""
    said = objects.status(quota)
    return any((said.get(field) or {}) != wanted[field] for field in ("hard", "used"))


def replenishes(old: Object | None, new: Object | None, resource: str) -> bool:
    """Whether a change sets free what a quota held: then it is recounted at once. What is new has
    been charged by admission already.
    """
    if old is None:
        return False
    if new is None:
        return True
    before, after = measuring.of(resource, old), measuring.of(resource, new)
    return before != after
