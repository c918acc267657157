"""CSIDriver, CSINode, CSIStorageCapacity and VolumeAttachment (pkg/apis/storage/validation)."""

from typing import Any, Final

from cluster.api import causes, errors, metadata, quantity
from cluster.api.objects import Object
from cluster.api.validation import (
    drivernames,
    family,
    persistentvolumes,
    selectors,
    storageclasses,
    values,
)
from cluster.api.validation.values import Causes

_GROUP: Final = "storage.k8s.io"
_FS_GROUP: Final = ("File", "None", "ReadWriteOnceWithFSType")
_LIFECYCLES: Final = ("Persistent", "Ephemeral")
_SHORTEST_TOKEN: Final = 600
_LONGEST_TOKEN: Final = 1 << 32
_SHORTEST_PERIOD: Final = 10
_NODE_ID_LENGTH: Final = 192
_MESSAGE_SIZE: Final = 1024
_SOURCE: Final = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


def _spec(obj: Object) -> Object:
    return obj.get("spec") or {}


def driver(obj: Object) -> Causes:
    """What is wrong with a CSIDriver."""
    spec = _spec(obj)
    found: Causes = []
    if len(obj["metadata"].get("name") or "") > drivernames.LENGTH:
        found.append(causes.too_long("metadata.name", drivernames.LENGTH))
    policy = spec.get("fsGroupPolicy")
    if policy is not None and policy not in _FS_GROUP:
        found.append(causes.not_supported("spec.fsGroupPolicy", policy, _FS_GROUP))
    found += _tokens(spec.get("tokenRequests") or [])
    found += [
        causes.not_supported("spec.volumeLifecycleModes", mode, _LIFECYCLES)
        for mode in spec.get("volumeLifecycleModes") or ()
        if mode not in _LIFECYCLES
    ]
    period = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < _SHORTEST_PERIOD:
        at = "spec.nodeAllocatableUpdatePeriodSeconds"
        detail = "must be greater than or equal to 10 seconds"
        found.append(causes.invalid(at, period, detail))
    return found


def driver_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed CSIDriver."""
    before, after = _spec(old), _spec(new)
    found = driver(new)
    found += values.immutable(
        "spec.attachedRequired", before.get("attachRequired"), after.get("attachRequired")
    )
    field = "volumeLifecycleModes"
    return found + values.immutable(f"spec.{field}", before.get(field), after.get(field))


def _tokens(listed: list[Object]) -> Causes:
    found: Causes = []
    seen: set[str] = set()
    for index, request in enumerate(listed):
        at, audience = f"spec.tokenRequests[{index}]", request.get("audience") or ""
        if audience in seen:
            found.append(causes.duplicate(f"{at}.audience", audience))
            continue
        seen.add(audience)
        seconds = request.get("expirationSeconds")
        if seconds is not None and seconds < _SHORTEST_TOKEN:
            detail = "may not specify a duration less than 10 minutes"
            found.append(causes.invalid(f"{at}.expirationSeconds", seconds, detail))
        if seconds is not None and seconds > _LONGEST_TOKEN:
            detail = "may not specify a duration larger than 2^32 seconds"
            found.append(causes.invalid(f"{at}.expirationSeconds", seconds, detail))
    return found


def node(obj: Object) -> Causes:
    """What is wrong with a CSINode."""
    found: Causes = []
    names: set[str] = set()
    for index, each in enumerate(_spec(obj).get("drivers") or ()):
        found += _node_driver(f"spec.drivers[{index}]", each, names)
    return found


def _node_driver(path: str, each: Object, names: set[str]) -> Causes:
    name, identity = each.get("name") or "", each.get("nodeID") or ""
    found = drivernames.driver_name(f"{path}.name", name)
    if not identity:
        found.append(causes.required(f"{path}.nodeID"))
    if len(identity) > _NODE_ID_LENGTH:
        detail = f"must be {_NODE_ID_LENGTH} characters or less"
        found.append(causes.invalid(f"{path}.nodeID", identity, detail))
    count = (each.get("allocatable") or {}).get("count")
    found += values.not_negative(f"{path}.allocatable.count", count)
    if name in names:
        found.append(causes.duplicate(f"{path}.name", name))
    names.add(name)
    keys: set[str] = set()
    for key in each.get("topologyKeys") or ():
        if not key:
            found.append(causes.required(path))
        if key in keys:
            found.append(causes.duplicate(path, key))
        keys.add(key)
        found += [
            causes.invalid(path, each["topologyKeys"], told)
            for told in metadata.qualified_name(key)
        ]
    return found


def node_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed CSINode: drivers come and go, and but for their limits stay."""
    found = node(new)
    known = {each.get("name"): each for each in _spec(old).get("drivers") or ()}
    for each in _spec(new).get("drivers") or ():
        was = known.get(each.get("name"))
        if was is not None and _fixed(was) != _fixed(each):
            found.append(causes.invalid("CSINodeDriver", each, values.IMMUTABLE))
    return found


def _fixed(each: Object) -> dict[str, Any]:
    return {field: value for field, value in each.items() if field != "allocatable"}


def capacity(obj: Object) -> Causes:
    """What is wrong with a CSIStorageCapacity."""
    found: Causes = []
    if "nodeTopology" in obj:
        found += selectors.label_selector("nodeTopology", obj["nodeTopology"])
    name = obj.get("storageClassName") or ""
    found += values.complaints("storageClassName", name, metadata.dns1123_subdomain(name))
    for field in ("capacity", "maximumVolumeSize"):
        if field in obj and quantity.parse(obj[field]) < 0:
            found.append(causes.invalid(field, obj[field], values.NOT_NEGATIVE))
    return found


def capacity_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed CSIStorageCapacity: what it is about stays."""
    found = capacity(new)
    for field in ("nodeTopology", "storageClassName"):
        found += values.immutable(field, old.get(field), new.get(field))
    return found


def attachment(obj: Object) -> Causes:
    """What is wrong with a new VolumeAttachment."""
    spec = _spec(obj)
    found = _attachment(obj)
    if spec.get("attacher"):
        found += drivernames.driver_name("spec.attacher", spec["attacher"])
    volume = (spec.get("source") or {}).get("persistentVolumeName")
    if volume is not None:
        told = metadata.dns1123_subdomain(volume)
        found += values.complaints("spec.source.persistentVolumeName", volume, told)
    return found


def _attachment(obj: Object) -> Causes:
    spec = _spec(obj)
    source, node_name = spec.get("source") or {}, spec.get("nodeName") or ""
    found: Causes = [] if spec.get("attacher") else [causes.required("spec.attacher")]
    inline, volume = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
    if inline is None and volume is None:
        found.append(causes.required("spec.source", _SOURCE))
    elif inline is not None and volume is not None:
        found.append(causes.forbidden("spec.source", _SOURCE))
    elif volume == "":
        detail = "must specify non empty persistentVolumeName"
        found.append(causes.required("spec.source.persistentVolumeName", detail))
    elif inline is not None:
        found += _inline(inline)
    found += values.complaints("spec.nodeName", node_name, metadata.dns1123_subdomain(node_name))
    return found + attachment_status(obj, obj)


def _inline(spec: Object) -> Causes:
    """An inline volume is a PersistentVolume's spec of a CSI driver, without the claim's half."""
    path = "spec.source.inlineVolumeSpec"
    found = [
        errors.Cause(cause.reason, cause.message, cause.field.replace("spec", path, 1))
        for cause in persistentvolumes.of_new({"spec": spec})
        if cause.field != "spec.capacity"
    ]
    if spec.get("csi") is None:
        found.append(causes.required(f"{path}.csi"))
    found += [
        causes.forbidden(f"{path}.{field}", f"{field} may not be specified in the context of inline"
                         " volumes")
        for field in ("claimRef", "capacity", "persistentVolumeReclaimPolicy", "storageClassName")
        if spec.get(field)
    ]  # fmt: skip
    return found


def attachment_status(_old: Object, new: Object) -> Causes:
    """What is wrong with the status of a VolumeAttachment."""
    status = new.get("status") or {}
    found: Causes = []
    told = status.get("attachmentMetadata") or {}
    if sum(len(key) + len(value) for key, value in told.items()) > storageclasses.PARAMETERS_SIZE:
        at = "status.attachmentMetadata"
        found.append(causes.too_long(at, storageclasses.PARAMETERS_SIZE))
    for field in ("attachError", "detachError"):
        message = (status.get(field) or {}).get("message") or ""
        if len(message.encode()) > _MESSAGE_SIZE:
            at = f"status.{field}.message"
            found.append(causes.too_long(at, storageclasses.PARAMETERS_SIZE))
    return found


def attachment_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed VolumeAttachment: its spec stays."""
    return _attachment(new) + values.immutable("spec", _spec(old), _spec(new))


NEW: Final[family.Creates] = {
    f"csidrivers.{_GROUP}": driver,
    f"csinodes.{_GROUP}": node,
    f"csistoragecapacities.{_GROUP}": capacity,
    f"volumeattachments.{_GROUP}": attachment,
}
UPDATE: Final[family.Updates] = {
    f"csidrivers.{_GROUP}": driver_update,
    f"csinodes.{_GROUP}": node_update,
    f"csistoragecapacities.{_GROUP}": capacity_update,
    f"volumeattachments.{_GROUP}": attachment_update,
}
STATUS: Final[family.Updates] = {f"volumeattachments.{_GROUP}": attachment_status}
OTHER: Final[family.Others] = {}
