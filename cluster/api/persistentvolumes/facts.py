"""What a volume, a claim and a pod say about their binding.

Source of the rules: k8s.io/kubernetes pkg/controller/volume/persistentvolume, and
k8s.io/component-helpers/storage (volume, ephemeral).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import objects, quantity
from cluster.api.objects import Object

BIND_COMPLETED: Final = "pv.kubernetes.io/bind-completed"
"""On claims: the binding is done on both sides. The value does not matter."""
BOUND_BY_CONTROLLER: Final = "pv.kubernetes.io/bound-by-controller"
"""On volumes and claims: it was not the user who bound this side."""
PROVISIONED_BY: Final = "pv.kubernetes.io/provisioned-by"
"""On volumes: the provisioner that made it."""
SELECTED_NODE: Final = "volume.kubernetes.io/selected-node"
"""On claims: the node where the scheduler wants the volume."""
PROVISIONER: Final = "volume.kubernetes.io/storage-provisioner"
BETA_PROVISIONER: Final = "volume.beta.kubernetes.io/storage-provisioner"
"""On claims: who is to make a volume for it."""
BETA_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
NO_PROVISIONER: Final = "kubernetes.io/no-provisioner"

WAIT: Final = "WaitForFirstConsumer"
ONE_POD: Final = "ReadWriteOncePod"
_FILESYSTEM: Final = "Filesystem"


def class_of(obj: Object) -> str:
    """The storage class of a volume or claim; "" for none."""
    named = objects.annotations(obj).get(BETA_CLASS)
    return named if named is not None else objects.spec(obj).get("storageClassName") or ""


def names_class(claim: Object) -> bool:
    """Whether a claim says which class it wants; "" is saying that it wants none."""
    named = objects.spec(claim).get("storageClassName") is not None
    return named or BETA_CLASS in objects.annotations(claim)


def requested(claim: Object) -> quantity.Amount:
    """How many bytes a claim asks for."""
    requests = (objects.spec(claim).get("resources") or {}).get("requests") or {}
    return quantity.parse(requests.get("storage") or "0")


def wants_more(claim: Object) -> bool:
    """Whether a claim that has a volume asks for more than it has."""
    has = (objects.status(claim).get("capacity") or {}).get("storage")
    return has is not None and requested(claim) > quantity.parse(has)


def capacity(volume: Object) -> quantity.Amount:
    """How many bytes a volume holds."""
    return quantity.parse((objects.spec(volume).get("capacity") or {}).get("storage") or "0")


def mode_of(obj: Object) -> str:
    """The volumeMode of a volume or claim."""
    return objects.spec(obj).get("volumeMode") or _FILESYSTEM


def access_modes(obj: Object) -> tuple[str, ...]:
    """The access modes of a volume or claim, sorted."""
    return tuple(sorted(objects.spec(obj).get("accessModes") or ()))


def claim_of(volume: Object) -> str:
    """The key of the claim that a volume is for, or ""."""
    reference = objects.spec(volume).get("claimRef")
    return f"{reference.get('namespace')}/{reference.get('name')}" if reference else ""


def bound_to(volume: Object, claim: Object) -> bool:
    """Whether a volume is bound to this claim, or reserved for one of its name."""
    reference = objects.spec(volume).get("claimRef")
    if not reference or claim_of(volume) != objects.key(claim):
        return False
    return not reference.get("uid") or reference["uid"] == objects.uid(claim)


def fully_bound(claim: Object) -> bool:
    """Whether a claim has its volume and the binding is done."""
    return bool(objects.spec(claim).get("volumeName")) and BIND_COMPLETED in objects.annotations(
        claim
    )


def reference_to(claim: Object) -> Object:
    """The claimRef that names a claim."""
    return {
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "namespace": objects.namespace(claim),
        "name": objects.name(claim),
        "uid": objects.uid(claim),
        "resourceVersion": objects.meta(claim).get("resourceVersion") or "",
    }


def volume_bound(volume: Object, claim: Object) -> Object | None:
    """The volume as it is when it is bound to the claim; None where it is so already."""
    spec, ours = objects.spec(volume), bound_to(volume, claim)
    reference = spec.get("claimRef") or {}
    marked = BOUND_BY_CONTROLLER in objects.annotations(volume)
    if ours and reference.get("uid") == objects.uid(claim):
        return None
    changed: Object = {**volume, "spec": {**spec, "claimRef": reference_to(claim)}}
    if not ours and not marked:
        changed = annotated(changed, {BOUND_BY_CONTROLLER: "yes"})
    return changed


def annotated(obj: Object, more: Mapping[str, str]) -> Object:
    """A copy of the object with more annotations."""
    meta = objects.meta(obj)
    return {**obj, "metadata": {**meta, "annotations": {**objects.annotations(obj), **more}}}


def without_annotation(obj: Object, name: str) -> Object:
    """A copy of the object without one of its annotations."""
    kept = {key: value for key, value in objects.annotations(obj).items() if key != name}
    meta = {key: value for key, value in objects.meta(obj).items() if key != "annotations"}
    return {**obj, "metadata": {**meta, **({"annotations": kept} if kept else {})}}


@dataclass(frozen=True, slots=True)
class Use:
    """A pod's use of a claim of its namespace; `ephemeral`: it is to be made for the pod."""

    claim: str
    volume: str
    ephemeral: bool = False


def uses(pod: Mapping[str, Any]) -> Iterator[Use]:
    """The claims that a pod uses, in the order of its volumes."""
    for volume in objects.spec(pod).get("volumes") or ():
        claim = volume.get("persistentVolumeClaim")
        name = volume.get("name") or ""
        if claim is not None:
            yield Use(claim.get("claimName") or "", name)
        elif volume.get("ephemeral") is not None:
            yield Use(f"{objects.name(pod)}-{name}", name, ephemeral=True)


def made_for(claim: Object, pod: Object) -> bool:
    """Whether the claim of an ephemeral volume was made for this pod."""
    owner = objects.controller_of(claim)
    return owner is not None and owner.get("uid") == objects.uid(pod)
