"""Changes of a pod by `/ephemeralcontainers` and `/resize` (core validation)."""

from typing import Any, Final

from cluster.api import causes, qos
from cluster.api.objects import Object
from cluster.api.validation import containers, family, resourcelists
from cluster.api.validation.values import Causes

_RESIZABLE: Final = ("cpu", "memory")
_ENDED: Final = ("Succeeded", "Failed")


def ephemeral_containers(old: Object, new: Object) -> Causes:
    """What is wrong with the ephemeral containers that a pod gets: they only ever become more."""
    path, spec = "spec.ephemeralContainers", new.get("spec") or {}
    wanted = spec.get("ephemeralContainers") or []
    volumes = {volume.get("name") or "" for volume in spec.get("volumes") or ()}
    taken = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    found = containers.ephemeral(path, wanted, volumes, taken)
    by_name = {container.get("name"): container for container in wanted}
    for was in (old.get("spec") or {}).get("ephemeralContainers") or ():
        name = was.get("name") or ""
        now = by_name.get(name)
        if now is None:
            detail = f"existing ephemeral containers {causes.quoted(name)} may not be removed\n"
            found.append(causes.forbidden(path, detail))
        elif now != was:
            detail = f"existing ephemeral containers {causes.quoted(name)} may not be changed\n"
            found.append(causes.forbidden(path, detail))
    return found


def resize(old: Object, new: Object) -> Causes:
    """What is wrong with what a running pod's containers shall use."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    found: Causes = []
    if (old.get("status") or {}).get("phase") in _ENDED:
        found.append(causes.forbidden("spec", "a pod that has ended cannot be resized"))
    for field in ("containers", "initContainers"):
        pairs = zip(before.get(field) or (), after.get(field) or (), strict=False)
        for index, (was, now) in enumerate(pairs):
            path = f"spec.{field}[{index}]"
            found += resourcelists.requirements(f"{path}.resources", now.get("resources") or {})
            found += _container(path, field, was, now)
    quality = qos.of(after)
    if qos.of(before) != quality:
        detail = "Pod QOS Class may not change as a result of resizing"
        found.append(causes.invalid("spec", quality, detail))
    return found


def _container(path: str, field: str, was: Object, now: Object) -> Causes:
    before, after = was.get("resources") or {}, now.get("resources") or {}
    if before == after and was.get("resizePolicy") == now.get("resizePolicy"):
        return []
    found: Causes = []
    if field == "initContainers" and was.get("restartPolicy") != "Always":
        detail = "non-sidecar init containers can not be resized"
        return [causes.forbidden(f"{path}.resources", detail)]
    if was.get("resizePolicy") != now.get("resizePolicy"):
        found.append(causes.forbidden("spec", "only cpu and memory resources are mutable"))
    for side in ("requests", "limits"):
        old, new = before.get(side) or {}, after.get(side) or {}
        if _others(old) != _others(new):
            found.append(causes.forbidden("spec", "only cpu and memory resources are mutable"))
        gone = [name for name in _RESIZABLE if name in old and name not in new]
        if gone:
            detail = f"resource {side} cannot be removed"
            found.append(causes.forbidden(f"{path}.resources.{side}", detail))
    return found


def _others(amounts: dict[str, Any]) -> dict[str, Any]:
    return {name: amount for name, amount in amounts.items() if name not in _RESIZABLE}


NEW: Final[family.Creates] = {}
UPDATE: Final[family.Updates] = {}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {
    ("pods", "ephemeralcontainers"): ephemeral_containers,
    ("pods", "resize"): resize,
}
