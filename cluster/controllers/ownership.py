"""Owning objects: references, adopting what matches the selector, releasing what no longer does.

Source of the rules: the controller-ref design of Kubernetes. An object has at most one controller;
a controller adopts only orphans in its namespace and never steals.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.api import objects
from cluster.client import indexer

Matches = Callable[[Mapping[str, str]], bool]


def reference(owner: objects.Object, api_version: str, kind: str) -> objects.Object:
    """The ownerReference that makes `owner` the controller of an object."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": objects.name(owner),
        "uid": objects.uid(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owner_key(obj: objects.Object | None, kind: str, owners: indexer.Indexer) -> str | None:
    """The key of the object of `kind` that controls `obj` (no object: None).

    None where `owners` has it not: its coming will tell, or another of its name is there by now.
    """
    owner = objects.controller_of(obj) if obj is not None else None
    if obj is None or owner is None or owner.get("kind") != kind:
        return None
    key = f"{objects.namespace(obj)}/{owner['name']}"
    found = owners.get(key)
    return key if found is not None and objects.uid(found) == owner["uid"] else None


def controlled(
    owner: objects.Object, candidates: Iterable[objects.Object]
) -> Iterator[objects.Object]:
    """Those of `candidates` whose controller `owner` is."""
    uid = objects.uid(owner)
    return (one for one in candidates if (objects.controller_of(one) or {}).get("uid") == uid)


@dataclass(slots=True)
class Claim:
    """Which objects are the owner's, which it should take and which it should let go."""

    mine: list[objects.Object] = field(default_factory=list)
    adopt: list[objects.Object] = field(default_factory=list)
    release: list[objects.Object] = field(default_factory=list)


def claim(
    owner: objects.Object,
    matches: Matches,
    controlled: Iterable[objects.Object],
    orphans: Iterable[objects.Object],
) -> Claim:
    """Sort what `owner` controls and the orphans of its namespace.

    An owner that is being deleted takes nothing and lets nothing go.
    """
    result = Claim()
    leaving = objects.deleting(owner)
    for candidate in controlled:
        if matches(objects.labels(candidate)):
            result.mine.append(candidate)
        elif not leaving:
            result.release.append(candidate)
    if not leaving:
        result.adopt = [
            candidate
            for candidate in orphans
            if matches(objects.labels(candidate)) and not objects.deleting(candidate)
        ]
    return result


def adoption(
    candidate: objects.Object, owner_reference: objects.Object, finalizers: Sequence[str] = ()
) -> dict[str, Any]:
    """The strategic merge patch that adopts `candidate`; its uid is the precondition.

    `finalizers` are those that the owner gives to what it owns.
    """
    patch = {"ownerReferences": [owner_reference], "uid": objects.uid(candidate)}
    if finalizers:
        patch["finalizers"] = [*finalizers]
    return {"metadata": patch}


def release(
    candidate: objects.Object, owner_uid: str, finalizers: Sequence[str] = ()
) -> dict[str, Any]:
    """The strategic merge patch that removes the reference to `owner_uid`, and `finalizers`."""
    patch = {
        "ownerReferences": [{"$patch": "delete", "uid": owner_uid}],
        "uid": objects.uid(candidate),
    }
    if finalizers:
        patch["$deleteFromPrimitiveList/finalizers"] = [*finalizers]
    return {"metadata": patch}
