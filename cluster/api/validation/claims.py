"""PersistentVolumeClaim (core validation)."""

from typing import Any, Final

from cluster.api import causes, metadata, quantity
from cluster.api.objects import Object
from cluster.api.validation import family, selectors, values
from cluster.api.validation.values import Causes

ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES: Final = ("Block", "Filesystem")
_BETA_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
_POSITIVE: Final = "must be greater than zero"
_FIXED: Final = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for "
    "bound claims"
)


def of_new(obj: Object) -> Causes:
    """What is wrong with a new claim."""
    return claim_spec("spec", obj.get("spec") or {})


def claim_spec(path: str, spec: Object) -> Causes:
    """What is wrong with what a claim, or the template of one, asks for."""
    modes = spec.get("accessModes") or []
    found: Causes = []
    if not modes:
        detail = "at least 1 access mode is required"
        found.append(causes.required(f"{path}.accessModes", detail))
    if "selector" in spec:
        found += selectors.label_selector(f"{path}.selector", spec["selector"])
    found += access_modes(f"{path}.accessModes", modes)
    requests = (spec.get("resources") or {}).get("requests") or {}
    found += _storage(f"{path}.resources[storage]", requests.get("storage"))
    for field in ("storageClassName", "volumeAttributesClassName"):
        if name := spec.get(field):
            found += values.complaints(f"{path}.{field}", name, metadata.dns1123_subdomain(name))
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        found.append(causes.not_supported(f"{path}.volumeMode", mode, VOLUME_MODES))
    return found + _sources(path, spec)


def access_modes(path: str, modes: list[str]) -> Causes:
    """What is wrong with access modes, here and of volumes."""
    found: Causes = [
        causes.not_supported(path, mode, ACCESS_MODES) for mode in modes if mode not in ACCESS_MODES
    ]
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        detail = "may not use ReadWriteOncePod with other access modes"
        found.append(causes.forbidden(path, detail))
    return found


def _storage(path: str, amount: str | None) -> Causes:
    if amount is None:
        return [causes.required(path)]
    if quantity.parse(amount) <= 0:
        return [causes.invalid(path, amount, _POSITIVE)]
    return []


def _sources(path: str, spec: Object) -> Causes:
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    found: Causes = []
    if source is not None:
        found += _source(f"{path}.dataSource", source)
    if reference is not None:
        found += _source(f"{path}.dataSourceRef", reference)
        if space := reference.get("namespace"):
            told = metadata.dns1123_label(space)
            found += values.complaints(f"{path}.dataSourceRef.namespace", space, told)
            if source is not None:
                detail = "may not be specified when dataSourceRef.namespace is specified"
                found.append(causes.invalid(f"{path}.dataSource", source, detail))
            return found
    if source is not None and reference is not None and not _same(source, reference):
        detail = "must match dataSourceRef"
        found.append(causes.invalid(path, source, detail))
    return found


def _same(source: Object, reference: Object) -> bool:
    return all(
        (source.get(field) or "") == (reference.get(field) or "")
        for field in ("apiGroup", "kind", "name")
    )


def _source(path: str, source: Object) -> Causes:
    found: Causes = []
    for field in ("name", "kind"):
        if not source.get(field):
            found.append(causes.required(f"{path}.{field}"))
    group, kind = source.get("apiGroup") or "", source.get("kind") or ""
    if not group and kind != "PersistentVolumeClaim":
        found.append(causes.invalid(path, kind, ""))
    if group:
        told = metadata.dns1123_subdomain(group)
        found += values.complaints(f"{path}.apiGroup", group, told)
    return found


def of_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a claim."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if before == after:
        return []
    found = of_new(new)
    bound = (new.get("status") or {}).get("phase") == "Bound"
    if "storageClassName" in after and _may_get_class(old):
        before = {**before, "storageClassName": after["storageClassName"]}
    if _fixed(before, after, bound=bound) != _fixed(after, after, bound=bound):
        found.append(causes.forbidden("spec", _FIXED))
    was, now = _requested(before), _requested(after)
    capacity = ((old.get("status") or {}).get("capacity") or {}).get("storage")
    if now < was and not (capacity and now > quantity.parse(capacity)):
        at = "spec.resources.requests.storage"
        detail = "field can not be less than status.capacity"
        found.append(causes.forbidden(at, detail))
    fixed = values.immutable("volumeMode", before.get("volumeMode"), after.get("volumeMode"))
    return found + fixed


def _may_get_class(old: Object) -> bool:
    """A claim that names no class may be given the default one that came after it."""
    named = (old.get("metadata") or {}).get("annotations") or {}
    return (old.get("spec") or {}).get("storageClassName") is None and not named.get(_BETA_CLASS)


def _requested(spec: Object) -> Any:
    requests = (spec.get("resources") or {}).get("requests") or {}
    return quantity.parse(requests.get("storage") or "0")


def _fixed(spec: Object, after: Object, *, bound: bool) -> Object:
    """What may not change; what may is taken from the new spec."""
    kept = dict(spec)
    if not kept.get("volumeName"):  # a volume is found once
        kept["volumeName"] = after.get("volumeName")
    if bound:
        kept.pop("volumeAttributesClassName", None)
        resources = dict(kept.get("resources") or {})
        resources.pop("requests", None)
        kept["resources"] = resources
    return kept


def of_status(old: Object, new: Object) -> Causes:
    """What is wrong with what a status says of the volume."""
    found: Causes = []
    for name, amount in ((new.get("status") or {}).get("capacity") or {}).items():
        if quantity.parse(amount) < 0:
            at = f"status.capacity[{name}]"
            found.append(causes.invalid(at, amount, "must be a valid resource quantity"))
    return found


_ID: Final = "persistentvolumeclaims"
NEW: Final[family.Creates] = {_ID: of_new}
UPDATE: Final[family.Updates] = {_ID: of_update}
STATUS: Final[family.Updates] = {_ID: of_status}
OTHER: Final[family.Others] = {}
