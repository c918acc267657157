"""What is to become of a claim. Pure.

Source: syncClaim, syncUnboundClaim and syncBoundClaim of k8s.io/kubernetes
pkg/controller/volume/persistentvolume/pv_controller.go. The words of events are Kubernetes' own.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts
from cluster.api.persistentvolumes.matching import Volumes
from cluster.controllers.persistentvolume.actions import (
    Assign,
    Bind,
    Event,
    ForClaim,
    Provision,
    Wait,
)

DEFAULT_MARKS: Final = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
_IN_TREE: Final = "kubernetes.io/"


class Surroundings(Protocol):
    """What a decision about a claim looks at."""

    volumes: Volumes

    def storage_class(self, name: str) -> Object | None:
        """A storage class."""
        ...

    def default_class(self) -> str | None:
        """The name of the default class."""
        ...

    def waiting_pods(self, claim: Object) -> Sequence[str]:
        """The names of the pods that use the claim and have no node."""
        ...


def decide(claim: Object, around: Surroundings) -> ForClaim:
    """What to do about a claim."""
    if facts.BIND_COMPLETED in objects.annotations(claim):
        return _bound_before(claim, around.volumes)
    if objects.spec(claim).get("volumeName"):
        return _asking_for_one(claim, around.volumes)
    return _asking(claim, around)


def _asking(claim: Object, around: Surroundings) -> ForClaim:
    """It takes any volume that will do."""
    name = facts.class_of(claim)
    kind = around.storage_class(name) if name else None
    delayed = kind is not None and kind.get("volumeBindingMode") == facts.WAIT
    volume = around.volumes.best(claim, delayed=delayed)
    if volume is not None:
        return Bind(volume)
    if not facts.names_class(claim):
        default = around.default_class()
        if default is not None:
            return Assign(default)
    if delayed and facts.SELECTED_NODE not in objects.annotations(claim):
        return Wait(_consumer(around.waiting_pods(claim)))
    if name:
        return _provisioning(name, kind)
    text = "no persistent volumes available for this claim and no storage class is set"
    return Wait(Event("FailedBinding", text))


def _consumer(pods: Sequence[str]) -> Event:
    if not pods:
        text = "waiting for first consumer to be created before binding"
        return Event("WaitForFirstConsumer", text)
    noun = "pod" if len(pods) == 1 else "pods"
    return Event("WaitForPodScheduled", f"waiting for {noun} {','.join(pods)} to be scheduled")


def _provisioning(name: str, kind: Object | None) -> ForClaim:
    if kind is None:
        text = f'storageclass.storage.k8s.io "{name}" not found'
        return Wait(Event("ProvisioningFailed", text, warning=True))
    provisioner = kind.get("provisioner") or ""
    if provisioner.startswith(_IN_TREE):
        text = f"no volume plugin matched name: {provisioner}"
        return Wait(Event("ProvisioningFailed", text, warning=True))
    text = (
        f"Waiting for a volume to be created either by the external provisioner '{provisioner}' "
        "or manually by the system administrator. If volume creation is delayed, please verify "
        "that the provisioner is running and correctly registered."
    )
    return Provision(provisioner, Event("ExternalProvisioning", text))


def _asking_for_one(claim: Object, volumes: Volumes) -> ForClaim:
    """It takes the one volume that it names."""
    wanted = objects.spec(claim)["volumeName"]
    volume = volumes.get(wanted)
    if volume is None:
        return Wait()
    if not facts.claim_of(volume):
        wrong = unsuitable(volume, claim)
        if wrong:
            text = f'Cannot bind to requested volume "{wanted}": {wrong}'
            return Wait(Event("VolumeMismatch", text, warning=True))
        return Bind(volume)
    if facts.bound_to(volume, claim):
        return Bind(volume)
    text = f'volume "{wanted}" already bound to a different claim.'
    return Wait(Event("FailedBinding", text, warning=True))


def unsuitable(volume: Object, claim: Object) -> str:
    """Why a volume that a claim asks for cannot be its own; "" where it can."""
    if objects.deleting(volume):
        return f'the volume is marked for deletion "{objects.name(volume)}"'
    if facts.capacity(volume) < facts.requested(claim):
        return "requested PV is too small"
    if facts.class_of(volume) != facts.class_of(claim):
        return "storageClassName does not match"
    if facts.mode_of(volume) != facts.mode_of(claim):
        return "incompatible volumeMode"
    if not {*facts.access_modes(claim)} <= {*facts.access_modes(volume)}:
        return "incompatible accessMode"
    return ""


def _bound_before(claim: Object, volumes: Volumes) -> ForClaim:
    name = objects.spec(claim).get("volumeName")
    if not name:
        text = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
        return _lost("ClaimLost", text)
    volume = volumes.get(name)
    if volume is None:
        text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
        return _lost("ClaimLost", text)
    reference = objects.spec(volume).get("claimRef")
    if not reference or reference.get("uid") == objects.uid(claim):
        return Bind(volume)
    text = "Two claims are bound to the same volume, this one is bound incorrectly"
    return _lost("ClaimMisbound", text)


def _lost(reason: str, message: str) -> Wait:
    return Wait(Event(reason, message, warning=True), phase="Lost")


def newest_default(classes: Iterable[Object]) -> str | None:
    """The default class: of several the newest, then the first by name."""
    marked = [
        found
        for found in classes
        if any(objects.annotations(found).get(mark) == "true" for mark in DEFAULT_MARKS)
    ]
    newest = max((_created(found) for found in marked), default="")
    return min((objects.name(each) for each in marked if _created(each) == newest), default=None)


def _created(obj: Object) -> str:
    return str(objects.meta(obj).get("creationTimestamp") or "")
