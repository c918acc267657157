"""LimitRange and ResourceQuota (core validation)."""

from fractions import Fraction
from typing import Final

from cluster.api import causes, metadata, quantity
from cluster.api.objects import Object
from cluster.api.validation import family, resourcelists, values
from cluster.api.validation.values import Causes

_TYPES: Final = ("Container", "PersistentVolumeClaim", "Pod")
_COUNTED: Final = (
    "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps",
    "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
)  # fmt: skip
_COMPUTE: Final = ("cpu", "memory", "ephemeral-storage")
_STANDARD: Final = frozenset(
    (
        *_COMPUTE, *_COUNTED, "storage", "requests.storage",
        *(f"{side}.{name}" for side in ("requests", "limits") for name in _COMPUTE),
    )
)  # fmt: skip
_QUOTA: Final = _STANDARD - {"storage"}
_HUGE: Final = ("hugepages-", "requests.hugepages-")
_POD_COMPUTE: Final = frozenset(
    ("cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory")
)
_EXISTS_ONLY: Final = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating")
_SCOPES: Final = (
    *_EXISTS_ONLY, "PriorityClass", "CrossNamespacePodAffinity", "VolumeAttributesClass",
)  # fmt: skip
_CONFLICTING: Final = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
_ONLY_EXIST: Final = (
    "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, "
    "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
    "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)


def limit_range(obj: Object) -> Causes:
    """What is wrong with a LimitRange, new or changed."""
    found: Causes = []
    seen: dict[str, None] = {}
    for index, limit in enumerate((obj.get("spec") or {}).get("limits") or ()):
        path, kind = f"spec.limits[{index}]", limit.get("type") or ""
        found += _limit_type(f"{path}.type", kind)
        if kind in seen:
            found.append(causes.duplicate(f"{path}.type", kind))
        seen[kind] = None
        found += _limit(path, kind, limit)
    return found


def _limit_type(path: str, kind: str) -> Causes:
    found = values.complaints(path, kind, metadata.qualified_name(kind))
    if not found and "/" not in kind and kind not in _TYPES:
        detail = "must be a standard limit type or fully qualified"
        found.append(causes.invalid(path, kind, detail))
    return found


_AMOUNTS: Final = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")


def _limit(path: str, kind: str, limit: Object) -> Causes:
    found: Causes = []
    amounts = {field: limit.get(field) or {} for field in _AMOUNTS}
    if kind == "Pod":
        for field in ("default", "defaultRequest"):
            if amounts[field]:
                detail = "may not be specified when `type` is 'Pod'"
                found.append(causes.forbidden(f"{path}.{field}", detail))
            amounts[field] = {}
    for field, listed in amounts.items():
        for name in listed:
            found += _limited(f"{path}.{field}[{name}]", kind, name)
    storage = "storage" in amounts["min"] or "storage" in amounts["max"]
    if kind == "PersistentVolumeClaim" and not storage:
        detail = "either minimum or maximum storage value is required, but neither was provided"
        found.append(causes.required(f"{path}.limits", detail))
    for name in dict.fromkeys(name for listed in amounts.values() for name in listed):
        said = {field: listed[name] for field, listed in amounts.items() if name in listed}
        found += _consistent(path, name, said)
    return found


def _limited(path: str, kind: str, name: str) -> Causes:
    if kind in ("Pod", "Container"):
        return resourcelists.container_resource(path, name)
    return _resource_name(path, name)


# Of two amounts the first may not be more than the second; the field that is wrong; its words.
_ORDER: Final = (
    ("min", "max", "min", "min", "min value {0} is greater than max value {1}"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest",
     "min value {0} is greater than default request value {1}"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest",
     "default request value {0} is greater than max value {1}"),
    ("defaultRequest", "default", "defaultRequest", "defaultRequest",
     "default request value {0} is greater than default limit value {1}"),
    ("min", "default", "default", "min", "min value {0} is greater than default value {1}"),
    ("default", "max", "default", "max", "default value {0} is greater than max value {1}"),
)  # fmt: skip


def _consistent(path: str, name: str, said: dict[str, str]) -> Causes:
    amount = {field: Fraction(quantity.parse(text)) for field, text in said.items()}
    found: Causes = []
    for less, more, at, shown, words in _ORDER:
        if less in amount and more in amount and amount[less] > amount[more]:
            detail = words.format(said[less], said[more])
            found.append(causes.invalid(f"{path}.{at}[{name}]", said[shown], detail))
    ratio = amount.get("maxLimitRequestRatio")
    if ratio is not None:
        found += _ratio(f"{path}.maxLimitRequestRatio[{name}]", ratio, said, amount)
    default, request = amount.get("default"), amount.get("defaultRequest")
    differ = default is not None and request is not None and default != request
    if differ and not resourcelists.overcommits(name):
        detail = (
            f"default value {said['default']} must equal to defaultRequest value "
            f"{said['defaultRequest']} in {name}"
        )
        shown = said["defaultRequest"]
        found.append(causes.invalid(f"{path}.defaultRequest[{name}]", shown, detail))
    return found


def _ratio(path: str, ratio: Fraction, said: dict[str, str], amount: dict[str, Fraction]) -> Causes:
    text = said["maxLimitRequestRatio"]
    found: Causes = []
    if ratio < 1:
        found.append(causes.invalid(path, text, f"ratio {text} is less than 1"))
    least, most = amount.get("min"), amount.get("max")
    if least and most is not None and ratio > most / least:
        detail = f"ratio {text} is greater than max/min = {float(most / least):f}"
        found.append(causes.invalid(path, text, detail))
    return found


def quota(obj: Object) -> Causes:
    """What is wrong with a ResourceQuota, new or changed."""
    spec = obj.get("spec") or {}
    hard = spec.get("hard") or {}
    found = _hard("spec.hard", hard)
    scopes = spec.get("scopes") or []
    for scope in scopes:
        found += _scope("spec.scopes", scope, scopes, hard)
    found += _conflicts("spec.scopes", scopes, scopes)
    selector = spec.get("scopeSelector")
    if selector is not None:
        found += _scope_selector("spec.scopeSelector", selector, spec, hard)
    return found


def quota_update(old: Object, new: Object) -> Causes:
    """What is wrong with a change of a ResourceQuota."""
    before = (old.get("spec") or {}).get("scopes") or []
    after = (new.get("spec") or {}).get("scopes") or []
    found = quota(new)
    if {*before} != {*after}:
        found.append(causes.invalid("spec.scopes", after, values.IMMUTABLE))
    return found


def quota_status(old: Object, new: Object) -> Causes:
    """What is wrong with what a quota says is used."""
    status = new.get("status") or {}
    found = _hard("status.hard", status.get("hard") or {})
    return found + _hard("status.used", status.get("used") or {})


def _hard(path: str, hard: dict[str, str]) -> Causes:
    found: Causes = []
    for name, text in hard.items():
        at = f"{path}[{name}]"
        wrong = _resource_name(at, name)
        if not wrong and "/" not in name and not _quota_name(name):
            wrong.append(causes.invalid(at, name, "must be a standard resource for quota"))
        found += wrong
        value = quantity.parse(text)
        if value < 0:
            found.append(causes.invalid(at, text, values.NOT_NEGATIVE))
        if _whole(name) and not isinstance(value, int):
            found.append(causes.invalid(at, text, "must be an integer"))
    return found


def _resource_name(path: str, name: str) -> Causes:
    found = values.complaints(path, name, metadata.qualified_name(name))
    if not found and "/" not in name and name not in _STANDARD and not name.startswith(_HUGE):
        detail = "must be a standard resource type or fully qualified"
        found.append(causes.invalid(path, name, detail))
    return found


def _quota_name(name: str) -> bool:
    return name in _QUOTA or name.startswith(_HUGE)


def _whole(name: str) -> bool:
    """Counts of objects, and devices."""
    extended = "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")
    return name in _COUNTED or extended


def _scope(path: str, scope: str, shown: object, hard: dict[str, str]) -> Causes:
    found: Causes = []
    if scope not in _SCOPES:
        found.append(causes.invalid(path, shown, "unsupported scope"))
    found += [
        causes.invalid(path, shown, "unsupported scope applied to resource")
        for name in sorted(hard)
        if _quota_name(name) and not _applies(scope, name)
    ]
    return found


def _applies(scope: str, name: str) -> bool:
    if scope == "BestEffort":
        return name == "pods"
    if scope == "VolumeAttributesClass":
        return name in ("persistentvolumeclaims", "requests.storage")
    if scope in _SCOPES:
        return name == "pods" or name in _POD_COMPUTE
    return True


def _conflicts(path: str, scopes: list[str], shown: object) -> Causes:
    return [
        causes.invalid(path, shown, "conflicting scopes")
        for one, other in _CONFLICTING
        if one in scopes and other in scopes
    ]


def _scope_selector(path: str, selector: Object, spec: Object, hard: dict[str, str]) -> Causes:
    found: Causes = []
    path = f"{path}.matchExpressions"
    names: list[str] = []
    for term in selector.get("matchExpressions") or ():
        scope, operator = term.get("scopeName") or "", term.get("operator") or ""
        listed = term.get("values") or []
        names.append(scope)
        if scope not in _SCOPES:
            found.append(causes.invalid(f"{path}.scopeName", scope, "unsupported scope"))
        found += _scope(path, scope, selector, hard) if scope in _SCOPES else []
        if scope in (*_EXISTS_ONLY, "CrossNamespacePodAffinity") and operator != "Exists":
            found.append(causes.invalid(f"{path}.operator", operator, _ONLY_EXIST))
        found += _operator(path, operator, listed)
    return found + _conflicts("spec.scopes", names, spec.get("scopes"))


def _operator(path: str, operator: str, listed: list[str]) -> Causes:
    if operator in ("In", "NotIn"):
        detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
        return [] if listed else [causes.required(f"{path}.values", detail)]
    if operator in ("Exists", "DoesNotExist"):
        detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
        return [causes.invalid(f"{path}.values", listed, detail)] if listed else []
    return [causes.invalid(f"{path}.operator", operator, "not a valid selector operator")]


NEW: Final[family.Creates] = {"limitranges": limit_range, "resourcequotas": quota}
UPDATE: Final[family.Updates] = {
    "limitranges": lambda old, new: limit_range(new),
    "resourcequotas": quota_update,
}
STATUS: Final[family.Updates] = {"resourcequotas": quota_status}
OTHER: Final[family.Others] = {}
