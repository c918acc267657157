"""What becomes of an object, once its owners were looked up."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from cluster.api import objects
from cluster.controllers.garbagecollector import graph


class State(Enum):
    """What the lookup of an owner found."""

    SOLID = "it is there"
    WAITING = "it is there, and waits for its dependents to be deleted (foreground)"
    ABSENT = "there is no such object"


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Detach:
    """Remove these owner references: the owners are gone or go, but another one stays."""

    uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete it with this propagation. `unblock`: first let go of owners that would wait."""

    propagation: str
    unblock: bool = False


Verdict = Keep | Detach | Delete


def judge(
    obj: objects.Object, states: Sequence[tuple[graph.Owner, State]], node: graph.Node
) -> Verdict:
    """What to do about `obj` with the owners looked up as `states`, `node` being its own."""
    if not states:
        return Keep()
    solid = [owner for owner, state in states if state is State.SOLID]
    waiting = [owner for owner, state in states if state is State.WAITING]
    gone = [owner for owner, state in states if state is not State.SOLID]
    if solid:
        return Detach(tuple(owner.uid for owner in gone)) if gone else Keep()
    if waiting and node.dependents:
        # Owners in a circle would wait for each other for ever: this one waits for nobody.
        circle = any(dependent.deleting_dependents for dependent in node.dependents.values())
        return Delete("Foreground", unblock=circle)
    finalizers = objects.meta(obj).get("finalizers") or ()
    if graph.ORPHAN in finalizers:
        return Delete("Orphan")
    if graph.FOREGROUND in finalizers:
        return Delete("Foreground")
    return Delete("Background")


def without_owners(obj: objects.Object, uids: Sequence[str]) -> dict[str, Any]:
    """The merge patch that removes these owner references, if the object is still this one."""
    kept = [
        ref for ref in objects.meta(obj).get("ownerReferences") or () if ref.get("uid") not in uids
    ]
    return _metadata(obj, {"ownerReferences": kept or None})


def unblocked(obj: objects.Object) -> dict[str, Any]:
    """The merge patch after which no owner waits for this object."""
    refs = [
        {**ref, "blockOwnerDeletion": False}
        for ref in objects.meta(obj).get("ownerReferences") or ()
    ]
    return _metadata(obj, {"ownerReferences": refs})


def without_finalizer(obj: objects.Object, finalizer: str) -> dict[str, Any]:
    """The merge patch that removes a finalizer."""
    kept = [name for name in objects.meta(obj).get("finalizers") or () if name != finalizer]
    return _metadata(obj, {"finalizers": kept or None})


def _metadata(obj: objects.Object, changes: dict[str, Any]) -> dict[str, Any]:
    identity = {
        "uid": objects.uid(obj),
        "resourceVersion": objects.meta(obj).get("resourceVersion"),
    }
    return {"metadata": identity | changes}
