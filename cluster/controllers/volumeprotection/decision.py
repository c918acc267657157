"""Who uses a claim, and who a volume. Pure.

Source: k8s.io/kubernetes pkg/controller/volume/pvcprotection and pvprotection.
"""

from collections.abc import Iterable
from typing import Final

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts
from cluster.controllers import podstate

CLAIM_FINALIZER: Final = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER: Final = "kubernetes.io/pv-protection"


def claim_in_use(claim: Object, pods: Iterable[Object]) -> bool:
    """Whether a pod on a node still has the claim mounted, or will have it.

    The name alone of an ephemeral volume's claim says nothing: it may be another's.
    """
    return any(_holds(pod) and _uses(pod, claim) for pod in pods)


def _uses(pod: Object, claim: Object) -> bool:
    name = objects.name(claim)
    return any(
        use.claim == name and (not use.ephemeral or facts.made_for(claim, pod))
        for use in facts.uses(pod)
    )


def _holds(pod: Object) -> bool:
    """A pod on no node has mounted nothing; one that is finished has let go."""
    return bool(objects.spec(pod).get("nodeName")) and not podstate.is_finished(pod)


def volume_in_use(volume: Object) -> bool:
    """Whether a claim is bound to the volume."""
    return objects.status(volume).get("phase") == "Bound"


def finalizers(obj: Object, wanted: str, *, used: bool) -> list[str] | None:
    """The finalizers that the object should have; None where they are right.

    An object that is not going gets the finalizer; one that is going and not used loses it.
    """
    present: list[str] = objects.meta(obj).get("finalizers") or []
    if objects.deleting(obj):
        if wanted in present and not used:
            return [each for each in present if each != wanted]
        return None
    return None if wanted in present else [*present, wanted]
