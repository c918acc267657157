"""Carrying a claim out: adopt and release by patches, after a live look at the owner."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from cluster.api import errors, objects
from cluster.api.operations import STRATEGIC_PATCH
from cluster.client import client, informer
from cluster.controllers import context, ownership, selection


@dataclass(frozen=True, slots=True)
class Owner:
    """Who claims: the object, its resource, and the reference and finalizers its objects get."""

    object: objects.Object
    resource: str
    reference: objects.Object
    finalizers: tuple[str, ...] = ()


async def claimed(
    api: client.Client,
    owner: Owner,
    source: informer.Informer,
    eligible: Callable[[objects.Object], bool] = lambda _: True,
    member: Callable[[objects.Object], bool] | None = None,
) -> list[objects.Object]:
    """The objects that `owner` controls, of those that are eligible, after adopting and releasing.

    `member` asks for more than the selector does: what is none is not adopted, and let go.

    An adopted object is given as the API answered. One that cannot be adopted now (it is being
    taken by another, say) is left out: its own event brings it up again.
    """
    store, resource = source.store, source.resource
    claim = ownership.claim(
        owner.object,
        selection.matcher_of(owner.object),
        filter(eligible, store.by_index(context.CONTROLLER, objects.uid(owner.object))),
        filter(eligible, store.by_index(context.ORPHANS, objects.namespace(owner.object))),
    )
    if member is not None:
        _members_only(claim, member, leaving=objects.deleting(owner.object))
    for lost in claim.release:
        patch = ownership.release(lost, objects.uid(owner.object), owner.finalizers)
        await _patch(api, resource, lost, patch)
    if claim.adopt:
        await _check_alive(api, owner.object, owner.resource)
    for orphan in claim.adopt:
        patch = ownership.adoption(orphan, owner.reference, owner.finalizers)
        taken = await _patch(api, resource, orphan, patch)
        if taken is not None:
            claim.mine.append(taken)
    return claim.mine


def _members_only(
    claim: ownership.Claim, member: Callable[[objects.Object], bool], *, leaving: bool
) -> None:
    if not leaving:
        claim.release += [obj for obj in claim.mine if not member(obj)]
    claim.mine = [obj for obj in claim.mine if member(obj)]
    claim.adopt = [obj for obj in claim.adopt if member(obj)]


async def _check_alive(api: client.Client, owner: objects.Object, resource: str) -> None:
    """errors.Conflict where the owner is not what the cache says: it must not adopt."""
    name = objects.name(owner)
    fresh = await api.get(resource, name, objects.namespace(owner))
    if objects.uid(fresh) != objects.uid(owner):
        raise errors.conflict(resource, name, "it was replaced by another object of its name")
    if objects.deleting(fresh):
        raise errors.conflict(resource, name, "it is being deleted and adopts nothing")


async def _patch(
    api: client.Client, resource: str, obj: objects.Object, patch: objects.Object
) -> objects.Object | None:
    try:
        return await api.patch(
            resource,
            objects.name(obj),
            patch,
            objects.namespace(obj),
            patch_type=STRATEGIC_PATCH,
        )
    except (errors.NotFound, errors.Conflict, errors.Invalid) as failure:
        structlog.get_logger().debug(
            "not adopted or released", resource=resource, name=objects.key(obj), why=str(failure)
        )
        return None
