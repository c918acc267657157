"""What is to become of a volume. Pure.

Source: syncVolume and reclaimVolume of k8s.io/kubernetes
pkg/controller/volume/persistentvolume/pv_controller.go.
"""

import re
from typing import Final

from cluster.api import objects
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts
from cluster.controllers.persistentvolume.actions import (
    Delete,
    Event,
    ForVolume,
    Phase,
    Unbind,
    Wake,
)

RELEASED: Final = "Released"
FAILED: Final = "Failed"
ENDED: Final = (RELEASED, FAILED)
"""The phases of a volume whose claim is gone."""
_IN_TREE: Final = "kubernetes.io/"
_NO_RECYCLER: Final = (
    "Recycle is deprecated, and not built in kubemu: use Retain or Delete, or a provisioner"
)
_HOST_PATH: Final = re.compile(r"/tmp/.+")


def decide(volume: Object, claim: Object | None) -> ForVolume | None:
    """What to do about a volume. `claim` is the one of the name that its claimRef names, or None;
    the result is None where all is well.
    """
    reference = objects.spec(volume).get("claimRef")
    if not reference or not reference.get("uid"):
        return _phase(volume, "Available")
    if claim is None or objects.uid(claim) != reference["uid"]:
        return released(volume)
    chosen = objects.spec(claim).get("volumeName")
    if not chosen:
        return _half_bound(volume, claim)
    if chosen == objects.name(volume):
        return _phase(volume, "Bound")
    dynamic = facts.PROVISIONED_BY in objects.annotations(volume)
    if dynamic and _policy(volume) == "Delete":
        return released(volume)  # it was made for the claim, which found another one
    return Unbind()


def _phase(volume: Object, wanted: str) -> Phase | None:
    return None if objects.status(volume).get("phase") == wanted else Phase(wanted)


def _half_bound(volume: Object, claim: Object) -> Wake:
    if facts.mode_of(volume) == facts.mode_of(claim):
        return Wake(claim)
    name = objects.name(claim)
    what = f'PersistentVolume to requested PersistentVolumeClaim "{name}"'
    on_volume = f"Cannot bind {what} due to incompatible volumeMode."
    on_claim = (
        f'Cannot bind PersistentVolume "{objects.name(volume)}" to requested PersistentVolumeClaim '
        "due to incompatible volumeMode."
    )
    return Wake(
        claim,
        Event("VolumeMismatch", on_volume, warning=True),
        Event("VolumeMismatch", on_claim, warning=True),
    )


def released(volume: Object) -> ForVolume | None:
    """Its claim is gone: Released first, then what its reclaim policy says."""
    if objects.status(volume).get("phase") not in ENDED:
        return Phase(RELEASED)
    policy = _policy(volume)
    if policy == "Delete":
        return _deletion(volume)
    if policy == "Recycle":
        return _failed(volume, "VolumeFailedRecycle", _NO_RECYCLER)
    return None


def _deletion(volume: Object) -> ForVolume | None:
    """Volumes of other provisioners are theirs to delete."""
    if objects.deleting(volume):
        return None
    maker = objects.annotations(volume).get(facts.PROVISIONED_BY) or ""
    if maker and not maker.startswith(_IN_TREE):
        return None
    name, path = objects.name(volume), objects.spec(volume).get("hostPath")
    if path is None:
        text = f'error getting deleter volume plugin for volume "{name}": '
        return _failed(volume, "VolumeFailedDelete", text + "no deletable volume plugin matched")
    if not _HOST_PATH.fullmatch(path.get("path") or ""):
        text = f"host_path deleter only supports /tmp/.+ but received provided {path.get('path')}"
        return _failed(volume, "VolumeFailedDelete", text)
    return Delete()


def _failed(volume: Object, reason: str, message: str) -> Phase | None:
    if objects.status(volume).get("phase") == FAILED:
        return None
    return Phase(FAILED, message, Event(reason, message, warning=True))


def _policy(volume: Object) -> str:
    return objects.spec(volume).get("persistentVolumeReclaimPolicy") or "Retain"
