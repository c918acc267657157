"""Who uses a claim, and who a volume. Pure.

Source: k8s.io/kubernetes pkg/controller/volume/pvcprotection and pvprotection.
"""

from collections.abc import Iterable
from typing import Final

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts

CLAIM_FINALIZER: Final = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER: Final = "kubernetes.io/pv-protection"


def claim_in_use(claim: Object, pods: Iterable[Object]) -> bool:
    """Whether a pod on a node refers to the claim: to a finished one too, as long as it is there.

    A pod on no node has mounted nothing, and no kubelet starts it with a claim that is going.
    """
    return any(objects.spec(pod).get("nodeName") and _uses(pod, claim) for pod in pods)


def _uses(pod: Object, claim: Object) -> bool:
    """The name alone of an ephemeral volume's claim says nothing: it may be another's."""
    name = objects.name(claim)
    return any(
        use.claim == name
        and (not use.ephemeral or (facts.made_for(claim, pod) and not _shut_down(pod)))
        for use in facts.uses(pod)
    )


def _shut_down(pod: Object) -> bool:
    """Whether nothing of the pod is left but its object, which may wait for just this claim."""
    return objects.deleting(pod) and objects.meta(pod).get("deletionGracePeriodSeconds") == 0


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
