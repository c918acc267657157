"""Pod: what a new one must be, and the little that may change (core validation)."""

from typing import Any, Final

from cluster.api import causes
from cluster.api.objects import Object
from cluster.api.recall import Recall
from cluster.api.validation import family, podspec
from cluster.api.validation.values import Causes

_MAY_CHANGE: Final = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)
_SHOWN_DIFFERENCES: Final = 10


_sound: Final[Recall[Causes]] = Recall()


def of_new(obj: Object) -> Causes:
    """What is wrong with a new pod.

    Pods come from templates: a spec that was found sound is known again by its text.
    """
    spec = obj.get("spec") or {}
    text = _sound.text(spec)
    known = _sound.get(text) if text is not None else None
    if known is not None:
        return []
    found = _of_spec(spec)
    if not found:
        _sound.keep(text, found)
    return found


def _of_spec(spec: Object) -> Causes:
    found = podspec.pod_spec("spec", spec)
    if spec.get("ephemeralContainers"):
        found.append(causes.forbidden("spec.ephemeralContainers", "cannot be set on create"))
    return found


def of_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a pod."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    if before == after:
        return []
    found = podspec.pod_spec("spec", after)
    for field, noun in (("containers", "containers"), ("initContainers", "init containers")):
        if len(before.get(field) or ()) != len(after.get(field) or ()):
            detail = f"pod updates may not add or remove {noun}"
            found.append(causes.forbidden(f"spec.{field}", detail))
            return found
    found += _deadline(before, after) + _tolerations(before, after) + _gates(before, after)
    differing = _differences("spec", _comparable(before), _comparable(after, before))
    if differing:
        told = "\n".join(f"  {line}" for line in differing[:_SHOWN_DIFFERENCES])
        found.append(causes.forbidden("spec", f"{_MAY_CHANGE}\n{told}\n"))
    return found


def _deadline(before: Object, after: Object) -> Causes:
    path = "spec.activeDeadlineSeconds"
    old, new = before.get("activeDeadlineSeconds"), after.get("activeDeadlineSeconds")
    if old is None or new == old:
        return []
    if new is None:
        detail = "must not update from a positive integer to nil value"
        return [causes.invalid(path, new, detail)]
    if new > old:
        return [causes.invalid(path, new, "must be less than or equal to previous value")]
    return []


def _tolerations(before: Object, after: Object) -> Causes:
    kept = [_without_seconds(toleration) for toleration in after.get("tolerations") or ()]
    for toleration in before.get("tolerations") or ():
        if _without_seconds(toleration) not in kept:
            detail = "existing toleration can not be modified except its tolerationSeconds"
            return [causes.forbidden("spec.tolerations", detail)]
    return []


def _without_seconds(toleration: Object) -> Object:
    return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}


def _gates(before: Object, after: Object) -> Causes:
    known = [gate.get("name") for gate in before.get("schedulingGates") or ()]
    return [
        causes.forbidden(
            f"spec.schedulingGates[{index}]",
            f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'",
        )
        for index, gate in enumerate(after.get("schedulingGates") or ())
        if gate.get("name") not in known
    ]


_FREE: Final = ("activeDeadlineSeconds", "tolerations", "schedulingGates")


def _comparable(spec: Object, before: Object | None = None) -> Object:
    """The spec less what may change. `before` is given for the new one."""
    result = {field: value for field, value in spec.items() if field not in _FREE}
    for field in ("containers", "initContainers"):
        if spec.get(field):
            result[field] = [
                {key: value for key, value in container.items() if key != "image"}
                for container in spec[field]
            ]
    if before is not None:
        _excuse(result, before)
    return result


def _excuse(result: Object, before: Object) -> None:
    grace = before.get("terminationGracePeriodSeconds")
    if result.get("terminationGracePeriodSeconds") == 1 and grace is not None and grace < 0:
        result["terminationGracePeriodSeconds"] = grace
    if before.get("schedulingGates"):
        # While a pod is gated its placement may still be narrowed.
        old, new = before.get("nodeSelector") or {}, result.get("nodeSelector") or {}
        if old.items() <= new.items() and old:
            result["nodeSelector"] = old
        elif not old:
            result.pop("nodeSelector", None)


def _differences(path: str, old: Any, new: Any) -> list[str]:
    """One line for each place where the two differ."""
    if old == new:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        found: list[str] = []
        for key in sorted({*old, *new}):
            found += _differences(f"{path}.{key}", old.get(key), new.get(key))
        return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [line for at, (a, b) in pairs for line in _differences(f"{path}[{at}]", a, b)]
    return [f"{path}: {causes.shown(old)} -> {causes.shown(new)}"]


NEW: Final[family.Creates] = {
    "pods": of_new,
}
UPDATE: Final[family.Updates] = {
    "pods": of_update,
}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {}
