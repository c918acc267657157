"""StorageClass and VolumeAttributesClass (pkg/apis/storage/validation)."""

from collections.abc import Mapping
from typing import Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import drivernames, family, values
from cluster.api.validation.values import Causes

MOST_PARAMETERS: Final = 512
PARAMETERS_SIZE: Final = 256 * 1024
_POLICIES: Final = ("Delete", "Retain")
_MODES: Final = ("Immediate", "WaitForFirstConsumer")


def storage_class(obj: Object) -> Causes:
    """What is wrong with a storage class."""
    provisioner = obj.get("provisioner") or ""
    found: Causes = []
    if provisioner:
        told = metadata.qualified_name(provisioner.lower())
        found += values.complaints("provisioner", provisioner, told)
    else:
        found.append(causes.required("provisioner"))
    found += _parameters(obj.get("parameters") or {}, needed=False)
    policy, mode = obj.get("reclaimPolicy"), obj.get("volumeBindingMode")
    if policy and policy not in _POLICIES:
        found.append(causes.not_supported("reclaimPolicy", policy, _POLICIES))
    if mode is None:
        found.append(causes.required("volumeBindingMode"))
    elif mode not in _MODES:
        found.append(causes.not_supported("volumeBindingMode", mode, _MODES))
    return found + _topologies(obj.get("allowedTopologies") or [])


def storage_class_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed storage class: little of it may change."""
    found = storage_class(new)
    for field in ("parameters", "provisioner", "reclaimPolicy"):
        if (old.get(field) or {}) != (new.get(field) or {}):
            found.append(causes.forbidden(field, f"updates to {field} are forbidden."))
    field = "volumeBindingMode"
    return found + values.immutable(field, old.get(field), new.get(field))


def attributes_class(obj: Object) -> Causes:
    """What is wrong with a volume attributes class."""
    found = drivernames.driver_name("driverName", obj.get("driverName") or "")
    return found + _parameters(obj.get("parameters") or {}, needed=True)


def attributes_class_update(old: Object, new: Object) -> Causes:
    """What is wrong with a changed attributes class: nothing of it may change."""
    found: Causes = []
    if old.get("driverName") != new.get("driverName"):
        found.append(causes.forbidden("driverName", "updates to driverName are forbidden."))
    if (old.get("parameters") or {}) != (new.get("parameters") or {}):
        found.append(causes.forbidden("parameters", "updates to parameters are forbidden."))
    return found


def _parameters(parameters: Mapping[str, str], *, needed: bool) -> Causes:
    path = "parameters"
    if needed and not parameters:
        return [causes.required(path, "must contain at least one key/value pair")]
    if len(parameters) > MOST_PARAMETERS:
        return [causes.too_long(path, MOST_PARAMETERS)]
    found: Causes = []
    if "" in parameters:
        found.append(causes.invalid(path, "", "field can not be empty."))
    size = sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items())
    if size > PARAMETERS_SIZE:
        found.append(causes.too_long(path, PARAMETERS_SIZE))
    return found


def _topologies(terms: list[Object]) -> Causes:
    found: Causes = []
    seen: list[dict[str, list[str]]] = []
    for index, term in enumerate(terms):
        at = f"allowedTopologies[{index}].matchLabelExpressions"
        known: dict[str, list[str]] = {}
        for place, requirement in enumerate(term.get("matchLabelExpressions") or ()):
            found += _requirement(f"{at}[{place}]", requirement, known)
        if known in seen:
            found.append(causes.duplicate(at, ""))
        seen.append(known)
    return found


def _requirement(path: str, requirement: Object, known: dict[str, list[str]]) -> Causes:
    key, listed = requirement.get("key") or "", requirement.get("values") or []
    found: Causes = [] if listed else [causes.required(f"{path}.values")]
    seen: dict[str, None] = {}
    for index, value in enumerate(listed):
        if value in seen:
            found.append(causes.duplicate(f"{path}.values[{index}]", value))
        seen[value] = None
    found += values.complaints(f"{path}.key", key, metadata.qualified_name(key))
    if key in known:
        found.append(causes.duplicate(f"{path}.key", key))
    known[key] = sorted(seen)
    return found


_CLASSES: Final = "storageclasses.storage.k8s.io"
_ATTRIBUTES: Final = "volumeattributesclasses.storage.k8s.io"
NEW: Final[family.Creates] = {_CLASSES: storage_class, _ATTRIBUTES: attributes_class}
UPDATE: Final[family.Updates] = {
    _CLASSES: storage_class_update,
    _ATTRIBUTES: attributes_class_update,
}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {}
