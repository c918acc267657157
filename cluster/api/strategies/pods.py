"""Pod: a fresh one is Pending; its quality of service follows from its resources.

One with scheduling gates says from the start that they keep it from being scheduled.
"""

from collections.abc import Mapping
from typing import Final

from cluster.api import qos
from cluster.api.objects import Object
from cluster.api.strategies.strategy import Strategy

_GATED: Final = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}


def on_create(obj: Object) -> None:
    """status.phase Pending, qosClass, what gates there are; nothing else of status."""
    spec = obj.get("spec") or {}
    obj["status"] = {"phase": "Pending", "qosClass": qos.of(spec)}
    if spec.get("schedulingGates"):
        obj["status"]["conditions"] = [dict(_GATED)]


def on_status(old: Object, new: Object) -> None:
    """The quality of service does not change."""
    quality = (old.get("status") or {}).get("qosClass")
    if quality:
        new.setdefault("status", {})["qosClass"] = quality


def ephemeral_containers(old: Object, new: Object) -> None:
    """Of the new pod, its ephemeral containers alone; one that is new has no status yet."""
    wanted = (new.get("spec") or {}).get("ephemeralContainers")
    spec = {
        field: value
        for field, value in (old.get("spec") or {}).items()
        if field != "ephemeralContainers"
    }
    if wanted:
        spec["ephemeralContainers"] = wanted
    _only_spec(old, new, spec)


_RESIZED: Final = ("resources", "resizePolicy")


def resize(old: Object, new: Object) -> None:
    """Of the new pod, what its containers may use alone."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    spec = dict(before)
    for field in ("containers", "initContainers"):
        if before.get(field) and len(before[field]) == len(after.get(field) or ()):
            pairs = zip(before[field], after[field], strict=True)
            spec[field] = [_resized(was, wanted) for was, wanted in pairs]
    _only_spec(old, new, spec)


def _resized(was: Object, wanted: Object) -> Object:
    if was.get("name") != wanted.get("name"):
        return was
    kept = {field: value for field, value in was.items() if field not in _RESIZED}
    return kept | {field: wanted[field] for field in _RESIZED if field in wanted}


def _only_spec(old: Object, new: Object, spec: Object) -> None:
    managed = new["metadata"].get("managedFields")
    for field in [field for field in new if field not in ("metadata", "spec")]:
        del new[field]
    new["metadata"] = {
        field: value
        for field, value in old["metadata"].items()
        if field not in ("managedFields", "resourceVersion")
    }
    if managed is not None:
        new["metadata"]["managedFields"] = managed
    if spec != old.get("spec") and "generation" in new["metadata"]:
        new["metadata"]["generation"] += 1
    new["spec"] = spec
    for field, value in old.items():
        if field not in ("metadata", "spec"):
            new[field] = value


BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    "pods": Strategy(
        status_keeps=("ownerReferences",),
        on_create=on_create,
        on_status=on_status,
        on_other={"ephemeralcontainers": ephemeral_containers, "resize": resize},
    ),
}
