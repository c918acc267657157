"""Who uses a claim, and who a volume. Pure.

Source: k8s.io/kubernetes pkg/controller/volume/pvcprotection and pvprotection.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from cluster.api import objects
from cluster.api.objects import Object
from cluster.controllers import podstate

CLAIM_FINALIZER: Final = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER: Final = "kubernetes.io/pv-protection"


def claims_of(pod: Object) -> Iterator[str]:
    """The names of the claims that a pod uses, in its namespace."""
    for volume in objects.spec(pod).get("volumes") or ():
        claim = volume.get("persistentVolumeClaim")
        if claim is not None:
            yield claim.get("claimName") or ""
        elif volume.get("ephemeral") is not None:
            yield f"{objects.name(pod)}-{volume.get('name')}"


def claim_in_use(claim: Object, pods: Iterable[Object]) -> bool:
    """Whether a pod on a node still has the claim mounted, or will have it."""
    name = objects.name(claim)
    return any(_holds(pod) and name in claims_of(pod) for pod in pods)


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
