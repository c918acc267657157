"""What a volume is, once its claim is known. Pure.

Source: pkg/kubelet/volumemanager/populator for claims, pkg/volume for the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cluster.api import objects, quantity
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts, local
from cluster.kubelet.volumes.contents import SOURCES, Unready


class Unprocessed(Exception):
    """It is not known what a volume is: its claim is not ready."""


@dataclass(frozen=True, slots=True)
class Empty:
    """An empty directory; `limit` in bytes where it cannot grow beyond it (medium Memory)."""

    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """Files that the kubelet writes and keeps true."""


@dataclass(frozen=True, slots=True)
class Host:
    """A path of the node. `type` is hostPath's; `local`: a local volume, which has to be there;
    `reclaim`: the policy of a volume that kubemu's provisioner made, "" for others.
    """

    path: str
    type: str = ""
    readonly: bool = False
    local: bool = False
    reclaim: str = ""


@dataclass(frozen=True, slots=True)
class Volume:
    """What it is, and the name that messages have for it: the volume's, or the PV's."""

    setup: Empty | Files | Host
    title: str


_BYTES: Final = 1 << 50


def claim_name(pod: Object, volume: Mapping[str, Any]) -> str:
    """The claim that a volume is of, "" where it is of none."""
    if "ephemeral" in volume:
        return f"{objects.name(pod)}-{volume['name']}"
    return (volume.get("persistentVolumeClaim") or {}).get("claimName") or ""


def of(volume: Mapping[str, Any]) -> Volume:
    """A volume that is no claim. Unready."""
    name = volume["name"]
    if any(source in volume for source in SOURCES):
        return Volume(Files(), name)
    if "emptyDir" in volume:
        source = volume["emptyDir"] or {}
        limited = source.get("medium") == "Memory" and source.get("sizeLimit") is not None
        limit = min(quantity.value(source["sizeLimit"]), _BYTES) if limited else None
        return Volume(Empty(limit or None), name)
    if "hostPath" in volume:
        source = volume["hostPath"]
        return Volume(Host(source["path"], source.get("type") or ""), name)
    if "csi" in volume:
        raise Unready(_no_driver(volume["csi"].get("driver") or ""))
    kinds = ", ".join(key for key in volume if key != "name") or "nothing"
    raise Unready(f"no volume plugin matched: kubemu has none for {kinds}")


def of_claim(
    pod: Object, volume: Mapping[str, Any], claim: Object | str, held: Object | str
) -> Volume:
    """The volume of a claim. A text instead of an object says why it could not be read.

    Unprocessed, Unready.
    """
    title = f"{objects.namespace(pod)}/{claim_name(pod, volume)}"
    why = _unbound(pod, volume, claim)
    if why or isinstance(claim, str):
        raise Unprocessed(f"error processing PVC {title}: {why}")
    name = objects.spec(claim)["volumeName"]
    why = _unheld(claim, held, name)
    if why or isinstance(held, str):
        raise Unprocessed(f"error processing PVC {title}: {why}")
    mode = facts.mode_of(held)
    if mode != "Filesystem":
        raise Unprocessed(
            f"volume {volume['name']} has volumeMode {mode}, but kubemu has no block devices"
        )
    readonly = bool((volume.get("persistentVolumeClaim") or {}).get("readOnly"))
    return Volume(_of_held(held, readonly=readonly), name)


def _unbound(pod: Object, volume: Mapping[str, Any], claim: Object | str) -> str:
    if isinstance(claim, str):
        return f"failed to fetch PVC from API server: {claim}"
    if objects.deleting(claim):
        return "PVC is being deleted"
    if objects.status(claim).get("phase") != "Bound":
        return "PVC is not bound"
    if not objects.spec(claim).get("volumeName"):
        return "PVC has empty pvc.Spec.VolumeName"
    if "ephemeral" in volume and not facts.made_for(claim, pod):
        return "not the ephemeral PVC for the pod"
    return ""


def _unheld(claim: Object, held: Object | str, name: str) -> str:
    if isinstance(held, str):
        return f"failed to fetch PV {name} from API server: {held}"
    reference = objects.spec(held).get("claimRef")
    if reference is None:
        return (
            f"found PV object {name} but it has a nil pv.Spec.ClaimRef indicating it is not yet "
            "bound to the claim"
        )
    if reference.get("uid") != objects.uid(claim):
        return (
            f"found PV object {name} but its pv.Spec.ClaimRef.UID {reference.get('uid')} does not "
            f"point to claim.UID {objects.uid(claim)}"
        )
    return ""


def _of_held(held: Object, *, readonly: bool) -> Host:
    spec = objects.spec(held)
    if "hostPath" in spec:
        source = spec["hostPath"]
        reclaim = reclaim_of(held) if local.is_ours(held) else ""
        return Host(source["path"], source.get("type") or "", readonly, reclaim=reclaim)
    if "local" in spec:
        return Host(spec["local"]["path"], "", readonly, local=True)
    if "csi" in spec:
        raise Unready(_no_driver(spec["csi"].get("driver") or ""))
    raise Unready("no volume plugin matched: kubemu has hostPath and local volumes alone")


def reclaim_of(held: Object) -> str:
    """What becomes of a volume's data when it is not needed: Retain where it does not say."""
    return objects.spec(held).get("persistentVolumeReclaimPolicy") or "Retain"


def _no_driver(driver: str) -> str:
    return (
        "kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name "
        f"{driver} not found in the list of registered CSI drivers"
    )
