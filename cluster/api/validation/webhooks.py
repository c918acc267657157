"""Webhook configurations (pkg/apis/admissionregistration/validation)."""

from functools import partial
from typing import Any, Final

from cluster.api import causes, metadata
from cluster.api.crd import conversions
from cluster.api.objects import Object
from cluster.api.validation import admissionrules, family, selectors
from cluster.api.validation.values import Causes

_MUTATING: Final = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
_VALIDATING: Final = "validatingwebhookconfigurations.admissionregistration.k8s.io"
_SIDE_EFFECTS: Final = ("None", "NoneOnDryRun")
_OLD_SIDE_EFFECTS: Final = ("None", "NoneOnDryRun", "Some", "Unknown")
_REVIEWS: Final = ("v1", "v1beta1")


def _new(obj: Object, *, mutating: bool) -> Causes:
    """What is wrong with a new configuration."""
    return _configuration(obj, None, mutating=mutating)


def _update(old: Object, new: Object, *, mutating: bool) -> Causes:
    """What is wrong with a changed one; what was wrong before may stay so."""
    return _configuration(new, old.get("webhooks") or [], mutating=mutating)


def _configuration(obj: Object, old: list[Any] | None, *, mutating: bool) -> Causes:
    hooks = obj.get("webhooks") or []
    known = _same_conditions(hooks, old) if old is not None else False
    told: Causes = []
    seen: dict[str, None] = {}
    for index, hook in enumerate(hooks):
        path = f"webhooks[{index}]"
        told += _webhook(path, hook, old or [], mutating=mutating)
        if not known:
            found = hook.get("matchConditions") or []
            told += admissionrules.match_conditions(f"{path}.matchConditions", found)
        told += _reviews(path, hook.get("admissionReviewVersions") or [], old or [])
        name = hook.get("name")
        if name and name in seen and _unique(old or []):
            told.append(causes.duplicate(f"{path}.name", name))
        seen[name or ""] = None
    return told


def _webhook(path: str, hook: Object, old: list[Any], *, mutating: bool) -> Causes:
    told = qualified(f"{path}.name", hook.get("name") or "")
    for index, rule in enumerate(hook.get("rules") or ()):
        told += admissionrules.rule(f"{path}.rules[{index}]", rule)
    check = admissionrules.enumeration
    told += check(
        f"{path}.failurePolicy", hook.get("failurePolicy"), admissionrules.FAILURE_POLICIES
    )
    told += check(f"{path}.matchPolicy", hook.get("matchPolicy"), admissionrules.MATCH_POLICIES)
    told += _side_effects(f"{path}.sideEffects", hook.get("sideEffects"), old)
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        detail = "the timeout value must be between 1 and 30 seconds"
        told.append(causes.invalid(f"{path}.timeoutSeconds", seconds, detail))
    for field in ("namespaceSelector", "objectSelector"):
        if hook.get(field) is not None:
            told += selectors.label_selector(f"{path}.{field}", hook[field])
    if mutating:
        known = admissionrules.REINVOCATION_POLICIES
        told += check(f"{path}.reinvocationPolicy", hook.get("reinvocationPolicy"), known)
    return told + _client(f"{path}.clientConfig", hook.get("clientConfig") or {})


def qualified(path: str, name: str) -> Causes:
    """A name of three parts at least (IsFullyQualifiedName)."""
    if not name:
        return [causes.required(path)]
    complaints = metadata.dns1123_subdomain(name)
    if complaints:
        return [causes.invalid(path, name, ",".join(complaints))]
    if name.count(".") < 2:
        detail = "should be a domain with at least three segments separated by dots"
        return [causes.invalid(path, name, detail)]
    return []


def _side_effects(path: str, said: str | None, old: list[Any]) -> Causes:
    strict = all(hook.get("sideEffects") in _SIDE_EFFECTS for hook in old)
    known = _SIDE_EFFECTS if strict else _OLD_SIDE_EFFECTS
    if said is None:
        return [causes.required(path, f"must specify one of {', '.join(known)}")]
    return admissionrules.enumeration(path, said, known)


def _client(path: str, config: Object) -> Causes:
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        return [causes.required(path, "exactly one of url or service is required")]
    if service is None:
        return [*conversions.check_url(str(url), f"{path}.url")]
    return [*conversions.check_service(service, f"{path}.service")]


def _reviews(path: str, versions: list[str], old: list[Any]) -> Causes:
    where = f"{path}.admissionReviewVersions"
    shown = ", ".join(_REVIEWS)
    if not versions:
        return [causes.required(where, f"must specify one of {shown}")]
    told: Causes = []
    for index, version in enumerate(versions):
        if version in versions[:index]:
            told.append(causes.invalid(f"{where}[{index}]", version, "duplicate version"))
            continue
        for complaint in metadata.dns1035_label(version):
            told.append(causes.invalid(f"{where}[{index}]", version, complaint))
    if not any(version in _REVIEWS for version in versions) and _recognized(old):
        told.append(causes.invalid(where, versions, f"must include at least one of {shown}"))
    return told


def _recognized(old: list[Any]) -> bool:
    return all(
        not hook.get("admissionReviewVersions")
        or any(version in _REVIEWS for version in hook["admissionReviewVersions"])
        for hook in old
    )


def _unique(old: list[Any]) -> bool:
    names = [hook.get("name") for hook in old]
    return len(names) == len(dict.fromkeys(names))


def _same_conditions(hooks: list[Any], old: list[Any]) -> bool:
    return len(hooks) == len(old) and all(
        (new.get("matchConditions") or []) == (was.get("matchConditions") or [])
        for new, was in zip(hooks, old, strict=True)
    )


NEW: Final[family.Creates] = {
    _MUTATING: partial(_new, mutating=True),
    _VALIDATING: partial(_new, mutating=False),
}
UPDATE: Final[family.Updates] = {
    _MUTATING: partial(_update, mutating=True),
    _VALIDATING: partial(_update, mutating=False),
}
STATUS: Final[family.Updates] = {}
OTHER: Final[family.Others] = {}
