"""Who owns a claim, so that the garbage collector removes it when the retention policy says so.

Deleted with the set: the set owns it, as long as its pod is wanted. Deleted when scaled down: the
condemned pod owns it. Otherwise neither does. Claims that look as if somebody else manages them
are left alone (the rules of StatefulSetAutoDeletePVC).
"""

from collections.abc import Sequence

from cluster.api import objects
from cluster.controllers import ownership
from cluster.controllers.statefulset.settings import Settings


def corrected(
    claim: objects.Object,
    stateful_set: objects.Object,
    pod: objects.Object,
    settings: Settings,
    *,
    scaled: bool,
) -> list[objects.Object] | None:
    """The ownerReferences that a claim should have; None where it has them, or is not ours.

    `scaled`: the pod's ordinal is not wanted any more.
    """
    owners = _owners(claim)
    if _is_stale(owners, stateful_set, pod):
        return None
    others = [owner for owner in owners if not _is_either(owner, stateful_set, pod)]
    managed = settings.delete_with_set or settings.delete_when_scaled
    if managed and any(owner.get("controller") for owner in others):
        wanted = others
    else:
        wanted = [*others, *_wanted(stateful_set, pod, settings, scaled)]
    return wanted if _told(wanted) != _told(owners) else None


def names_another(claim: objects.Object, version: str, kind: str, name: str, uid: str = "") -> bool:
    """Whether an owner of this kind and name is another object than the one with this uid."""
    return any(
        (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) == (version, kind, name)
        and owner.get("uid") != uid
        for owner in _owners(claim)
    )


def _wanted(
    stateful_set: objects.Object, pod: objects.Object, settings: Settings, scaled: bool
) -> list[objects.Object]:
    if scaled and settings.delete_when_scaled:
        return [ownership.reference(pod, "v1", "Pod")]
    # A condemned pod's claim is the set's no longer, where it goes with the pod.
    if settings.delete_with_set:
        return [ownership.reference(stateful_set, "apps/v1", "StatefulSet")]
    return []


def _owners(claim: objects.Object) -> Sequence[objects.Object]:
    return objects.meta(claim).get("ownerReferences") or ()


def _is_stale(
    owners: Sequence[objects.Object], stateful_set: objects.Object, pod: objects.Object
) -> bool:
    """Whether an earlier set or pod of the same name owns it: its end is under way."""
    if not owners:
        return False
    uids = (objects.uid(stateful_set), objects.uid(pod))
    return any(
        _is_either(owner, stateful_set, pod) and owner.get("uid") not in uids for owner in owners
    )


def _is_either(owner: objects.Object, stateful_set: objects.Object, pod: objects.Object) -> bool:
    found = (owner.get("apiVersion"), owner.get("kind"), owner.get("name"))
    return found in (
        ("apps/v1", "StatefulSet", objects.name(stateful_set)),
        ("v1", "Pod", objects.name(pod)),
    )


def _told(owners: Sequence[objects.Object]) -> list[tuple[object, bool]]:
    """Who owns, and who of them controls; in what order does not matter."""
    return sorted((str(owner.get("uid")), bool(owner.get("controller"))) for owner in owners)
