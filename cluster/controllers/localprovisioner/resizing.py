"""Making volumes of the provisioner larger: the steps, one at a time. Pure.

Kubernetes' way has two halves: a controller makes the volume larger, and the kubelet the file
system on it. A directory has no size of its own, so there is nothing for the kubelet to do, and
the controller writes what the kubelet would write at the end.
Source: kubernetes-csi/external-resizer, and KEP 1790 for allocatedResources.
"""

from typing import Final

from cluster.api import conditions, objects
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts

_RESIZING: Final = "Resizing"
_IN_PROGRESS: Final = "ControllerResizeInProgress"


def wanted(claim: Object, volume: Object) -> bool:
    """Whether a bound claim asks for more than it has."""
    reference = objects.spec(volume).get("claimRef") or {}
    if reference.get("uid") != objects.uid(claim) or not facts.fully_bound(claim):
        return False
    return facts.wants_more(claim)


def under_way(claim: Object) -> bool:
    """Whether the claim says that it is being made larger to what it asks for now."""
    allocated = objects.status(claim).get("allocatedResources") or {}
    asked = _asked(claim)
    return conditions.is_true(claim, _RESIZING) and allocated.get("storage") in (None, asked)


def begun(claim: Object, now: float) -> Object:
    """The claim that says so."""
    status = dict(objects.status(claim))
    listed = [dict(each) for each in status.get("conditions") or ()]
    conditions.put(listed, {"type": _RESIZING, "status": "True"}, now)
    status["conditions"] = listed
    status["allocatedResources"] = {"storage": _asked(claim)}
    status["allocatedResourceStatuses"] = {"storage": _IN_PROGRESS}
    return {**claim, "status": status}


def grown(volume: Object, claim: Object) -> Object | None:
    """The volume with what the claim asks for; None where it has that much."""
    if facts.capacity(volume) >= facts.requested(claim):
        return None
    spec = objects.spec(volume) | {"capacity": {"storage": _asked(claim)}}
    return {**volume, "spec": spec}


def ended(claim: Object) -> Object:
    """The claim that has what it asked for."""
    status = {
        key: value
        for key, value in objects.status(claim).items()
        if key not in ("allocatedResourceStatuses", "conditions")
    }
    listed = [dict(each) for each in objects.status(claim).get("conditions") or ()]
    conditions.remove(listed, _RESIZING)
    if listed:
        status["conditions"] = listed
    status["capacity"] = {**(status.get("capacity") or {}), "storage": _asked(claim)}
    return {**claim, "status": status}


def _asked(claim: Object) -> str:
    return str(objects.spec(claim)["resources"]["requests"]["storage"])
