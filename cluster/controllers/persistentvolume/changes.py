"""How volumes and claims look after what was decided. Pure: copies come out."""

from cluster.api import objects, timestamps
from cluster.api.objects import Object
from cluster.api.persistentvolumes import facts


def phase(volume: Object, wanted: str, message: str, now: float) -> Object | None:
    """The volume in its phase; None where it is in it already."""
    status = objects.status(volume)
    if status.get("phase") == wanted:
        return None
    kept = {key: value for key, value in status.items() if key not in ("message", "reason")}
    kept |= {"phase": wanted, "lastPhaseTransitionTime": timestamps.encode(now)}
    if message:
        kept["message"] = message
    return {**volume, "status": kept}


def unbound(volume: Object) -> Object:
    """The volume without its claim; one that a user reserved stays reserved for the name."""
    spec = dict(objects.spec(volume))
    if facts.BOUND_BY_CONTROLLER in objects.annotations(volume):
        spec.pop("claimRef", None)
        return facts.without_annotation({**volume, "spec": spec}, facts.BOUND_BY_CONTROLLER)
    reference = spec.get("claimRef") or {}
    kept = {key: reference[key] for key in reference if key not in ("uid", "resourceVersion")}
    return {**volume, "spec": {**spec, "claimRef": kept}}


def claim_bound(claim: Object, volume: Object) -> Object | None:
    """The claim as it is when it is bound to the volume; None where it is so already."""
    spec, name = objects.spec(claim), objects.name(volume)
    notes: dict[str, str] = {}
    changed = claim
    if spec.get("volumeName") != name:
        changed = {**claim, "spec": {**spec, "volumeName": name}}
        if facts.BOUND_BY_CONTROLLER not in objects.annotations(claim):
            notes[facts.BOUND_BY_CONTROLLER] = "yes"
    if facts.BIND_COMPLETED not in objects.annotations(claim):
        notes[facts.BIND_COMPLETED] = "yes"
    if changed is claim and not notes:
        return None
    return facts.annotated(changed, notes)


def claim_status(claim: Object, wanted: str, volume: Object | None) -> Object | None:
    """The claim in its phase, with what `volume` gives it; None where it says so already.

    The capacity is the volume's at the time of binding: later, what the file system has counts.
    """
    before = objects.status(claim)
    status = {**before, "phase": wanted}
    if volume is None:
        status.pop("accessModes", None)
        status.pop("capacity", None)
    else:
        status["accessModes"] = objects.spec(volume).get("accessModes") or []
        if before.get("phase") != wanted:
            status["capacity"] = dict(objects.spec(volume).get("capacity") or {})
    return None if status == before else {**claim, "status": status}


def provisioned_by(claim: Object, provisioner: str) -> Object | None:
    """The claim with the name of its provisioner; None where it names it already."""
    notes = objects.annotations(claim)
    if notes.get(facts.PROVISIONER) == provisioner == notes.get(facts.BETA_PROVISIONER):
        return None
    return facts.annotated(
        claim, {facts.PROVISIONER: provisioner, facts.BETA_PROVISIONER: provisioner}
    )
