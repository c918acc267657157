"""PersistentVolume (core validation)."""

from typing import Any, Final

from cluster.api import causes, metadata, quantity
from cluster.api.objects import Object
from cluster.api.validation import claims, family, scheduling, values
from cluster.api.validation import volumes as volume_rules
from cluster.api.validation.values import Causes

_RECLAIM: Final = ("Delete", "Recycle", "Retain")
_SOURCES: Final = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd",
    "quobyte", "cephfs", "iscsi", "cinder", "fc", "flexVolume", "azureFile", "vsphereVolume",
    "photonPersistentDisk", "portworxVolume", "azureDisk", "scaleIO", "local", "storageos", "csi",
)  # fmt: skip
_REQUIRED: Final = {
    "nfs": ("server", "path"), "local": ("path",), "csi": ("driver", "volumeHandle"),
    "iscsi": ("targetPortal", "iqn"), "cephfs": ("monitors",), "rbd": ("monitors", "image"),
    "flexVolume": ("driver",), "azureFile": ("secretName", "shareName"), "cinder": ("volumeID",),
    "gcePersistentDisk": ("pdName",), "awsElasticBlockStore": ("volumeID",),
    "vsphereVolume": ("volumePath",), "azureDisk": ("diskName", "diskURI"),
    "glusterfs": ("endpoints", "path"), "portworxVolume": ("volumeID",),
}  # fmt: skip


def of_new(obj: Object) -> Causes:
    """What is wrong with a volume, new or changed."""
    spec = obj.get("spec") or {}
    modes = spec.get("accessModes") or []
    found = [] if modes else [causes.required("spec.accessModes")]
    found += claims.access_modes("spec.accessModes", modes)
    found += _capacity("spec.capacity", spec.get("capacity") or {})
    policy = spec.get("persistentVolumeReclaimPolicy")
    if policy and policy not in _RECLAIM:
        at = "spec.persistentVolumeReclaimPolicy"
        found.append(causes.not_supported(at, policy, _RECLAIM))
    affinity = (spec.get("nodeAffinity") or {}).get("required")
    if "nodeAffinity" in spec:
        at = "spec.nodeAffinity.required"
        if affinity is None:
            found.append(causes.required(at, "must specify required node constraints"))
        else:
            found += scheduling.node_selector(at, affinity)
    found += _source(spec)
    if spec.get("hostPath", {}).get("path") == "/" and policy == "Recycle":
        detail = "may not be 'recycle' for a hostPath mount of '/'"
        found.append(causes.forbidden("spec.persistentVolumeReclaimPolicy", detail))
    for field in ("storageClassName", "volumeAttributesClassName"):
        if name := spec.get(field):
            found += values.complaints(f"spec.{field}", name, metadata.dns1123_subdomain(name))
    mode = spec.get("volumeMode")
    if mode is not None and mode not in claims.VOLUME_MODES:
        found.append(causes.not_supported("spec.volumeMode", mode, claims.VOLUME_MODES))
    return found


def _capacity(path: str, capacity: dict[str, str]) -> Causes:
    found: Causes = []
    if not capacity:
        found.append(causes.required(path))
    if "storage" not in capacity or len(capacity) > 1:
        found.append(causes.not_supported(path, capacity, ("storage",)))
    for name, amount in capacity.items():
        if quantity.parse(amount) <= 0:
            found.append(causes.invalid(f"{path}[{name}]", amount, "must be greater than zero"))
    return found


def _source(spec: Object) -> Causes:
    present = [name for name in _SOURCES if name in spec]
    if not present:
        return [causes.required("spec", "must specify a volume type")]
    found: Causes = [
        causes.forbidden(f"spec.{name}", "may not specify more than 1 volume type")
        for name in present[1:]
    ]
    kind, source = present[0], spec[present[0]]
    if kind == "hostPath":
        return found + volume_rules.host_path("spec.hostPath", source)
    for field in _REQUIRED.get(kind, ()):
        if not source.get(field):
            found.append(causes.required(f"spec.{kind}.{field}"))
    if kind == "nfs" and source.get("path") and not source["path"].startswith("/"):
        detail = "must be an absolute path"
        found.append(causes.invalid("spec.nfs.path", source["path"], detail))
    if kind == "local":
        if source.get("path"):
            found += volume_rules.no_backsteps("spec.local.path", source["path"])
        if "nodeAffinity" not in spec:
            detail = "Local volume requires node affinity"
            found.append(causes.required("spec.nodeAffinity", detail))
    return found


def of_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a volume."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if before == after:
        return []
    found = of_new(new)
    if _sources(before) != _sources(after, before):
        detail = "spec.persistentvolumesource is immutable after creation"
        found.append(causes.forbidden("spec.persistentvolumesource", detail))
    found += values.immutable("volumeMode", before.get("volumeMode"), after.get("volumeMode"))
    if "nodeAffinity" in before:
        was, now = before.get("nodeAffinity"), after.get("nodeAffinity")
        found += values.immutable("nodeAffinity", was, now)
    return found


def _sources(spec: Object, before: Object | None = None) -> dict[str, Any]:
    """The sources; secrets of a CSI driver may still be named where they were not."""
    found: dict[str, Any] = {name: spec[name] for name in _SOURCES if name in spec}
    was = (before or {}).get("csi")
    if was is not None and "csi" in found:
        late = ("controllerExpandSecretRef", "nodeExpandSecretRef")
        found["csi"] = {
            field: value
            for field, value in found["csi"].items()
            if field not in late or field in was
        }
    return found


_ID: Final = "persistentvolumes"
NEW: Final[family.Creates] = {_ID: of_new}
UPDATE: Final[family.Updates] = {_ID: of_update}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {}
