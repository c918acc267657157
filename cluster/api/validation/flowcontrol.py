"""FlowSchema and PriorityLevelConfiguration (pkg/apis/flowcontrol/validation)."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from cluster.api import causes, flowcontrol, metadata
from cluster.api.objects import Object
from cluster.api.validation import family, values
from cluster.api.validation.values import Causes

_LAST: Final = 10_000
_MOST_QUEUES: Final = 10_000_000
_HASH_BITS: Final = 60
_METHODS: Final = ("ByNamespace", "ByUser")
_VERBS: Final = (
    "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch",
)  # fmt: skip
_SUBJECTS: Final = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}
_NAMESPACE_HINT: Final = "each member of this list must be '*' or a DNS-1123 label; "


def flow_schema(obj: Object) -> Causes:
    """What is wrong with a FlowSchema."""
    name, spec = obj["metadata"].get("name") or "", obj.get("spec") or {}
    found = _precedence(name, spec.get("matchingPrecedence") or 0)
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in _METHODS:
        path = "spec.distinguisherMethod.type"
        found.append(causes.not_supported(path, method.get("type") or "", _METHODS))
    path = "spec.priorityLevelConfiguration.name"
    level = (spec.get("priorityLevelConfiguration") or {}).get("name") or ""
    if level:
        found += values.complaints(path, level, metadata.dns1123_subdomain(level))
    else:
        found.append(causes.required(path, "must reference a priority level"))
    for index, rule in enumerate(spec.get("rules") or ()):
        found += _rule(f"spec.rules[{index}]", rule)
    fixed = _mandatory_schemas().get(name)
    if fixed is not None and spec != fixed:
        found.append(_fixed(name, spec))
    return found


def priority_level(obj: Object) -> Causes:
    """What is wrong with a PriorityLevelConfiguration."""
    name, spec = obj["metadata"].get("name") or "", obj.get("spec") or {}
    kind, found = spec.get("type") or "", []
    if (name == flowcontrol.EXEMPT) != (kind == "Exempt"):
        detail = "type must be 'Exempt' if and only if name is 'exempt'"
        found.append(causes.invalid("spec.type", kind, detail))
    limited, exempt = spec.get("limited"), spec.get("exempt")
    if kind == "Exempt":
        if limited is not None:
            detail = "must be nil if the type is not Limited"
            found.append(causes.forbidden("spec.limited", detail))
        found += _shares("spec.exempt", exempt or {})
    elif kind == "Limited":
        if exempt is not None:
            found.append(causes.forbidden("spec.exempt", "must be nil if the type is Limited"))
        if limited is None:
            detail = "must not be empty when type is Limited"
            found.append(causes.required("spec.limited", detail))
        else:
            found += _limited("spec.limited", limited)
    else:
        found.append(causes.not_supported("spec.type", kind, ("Exempt", "Limited")))
    if name == flowcontrol.CATCH_ALL and spec != _catch_all_level():
        found.append(_fixed(name, spec))
    return found


def conditions(_old: Object, new: Object) -> Causes:
    """What is wrong with the conditions of either."""
    found: Causes = []
    seen: list[str] = []
    for index, condition in enumerate((new.get("status") or {}).get("conditions") or ()):
        path, kind = f"status.conditions[{index}].type", condition.get("type") or ""
        if kind in seen:
            found.append(causes.duplicate(path, kind))
        seen.append(kind)
        if not kind:
            found.append(causes.required(path, "must not be empty"))
    return found


def _precedence(name: str, value: int) -> Causes:
    path, found = "spec.matchingPrecedence", []
    if value <= 0:
        found.append(causes.invalid(path, value, "must be a positive value"))
    if value > _LAST:
        found.append(causes.invalid(path, value, f"must not be greater than {_LAST}"))
    if value == 1 and name != flowcontrol.EXEMPT:
        detail = "only the schema named 'exempt' may have matchingPrecedence 1"
        found.append(causes.invalid(path, value, detail))
    return found


def _rule(path: str, rule: Object) -> Causes:
    found: Causes = []
    subjects = rule.get("subjects") or ()
    if not subjects:
        detail = "subjects must contain at least one value"
        found.append(causes.required(f"{path}.subjects", detail))
    for index, subject in enumerate(subjects):
        found += _subject(f"{path}.subjects[{index}]", subject)
    resources, paths = rule.get("resourceRules") or (), rule.get("nonResourceRules") or ()
    if not resources and not paths:
        detail = "at least one of resourceRules and nonResourceRules has to be non-empty"
        found.append(causes.required(path, detail))
    for index, each in enumerate(resources):
        found += _resource_rule(f"{path}.resourceRules[{index}]", each)
    for index, each in enumerate(paths):
        found += _path_rule(f"{path}.nonResourceRules[{index}]", each)
    return found


def _subject(path: str, subject: Object) -> Causes:
    kind = subject.get("kind") or ""
    own = _SUBJECTS.get(kind)
    if own is None:
        return [causes.not_supported(f"{path}.kind", kind, _SUBJECTS)]
    named, found = subject.get(own), []
    if named is None:
        detail = f"{own} is required when subject kind is '{kind}'"
        found.append(causes.required(f"{path}.{own}", detail))
    else:
        found += _named(f"{path}.{own}", kind, named)
    for other_kind, other in _SUBJECTS.items():
        if other != own and subject.get(other) is not None:
            detail = f"{other} is forbidden when subject kind is not '{other_kind}'"
            found.append(causes.forbidden(f"{path}.{other}", detail))
    return found


def _named(path: str, kind: str, named: Object) -> Causes:
    name, found = named.get("name") or "", []
    if not name:
        found.append(causes.required(f"{path}.name"))
    if kind != "ServiceAccount":
        return found
    if name and name != "*":
        found += values.complaints(f"{path}.name", name, metadata.dns1123_subdomain(name))
    space = named.get("namespace") or ""
    if space:
        found += values.complaints(f"{path}.namespace", space, metadata.dns1123_label(space))
    else:
        detail = "must specify namespace for service account"
        found.append(causes.required(f"{path}.namespace", detail))
    return found


def _resource_rule(path: str, rule: Object) -> Causes:
    found = _verbs(path, rule.get("verbs") or ())
    found += _listed(f"{path}.apiGroups", rule.get("apiGroups") or (), "api group", "api groups")
    found += _listed(f"{path}.resources", rule.get("resources") or (), "resource", "resources")
    spaces = rule.get("namespaces") or ()
    if not spaces and not rule.get("clusterScope"):
        detail = "resource rules that are not cluster scoped must supply at least one namespace"
        found.append(causes.required(f"{path}.namespaces", detail))
    elif "*" in spaces:
        found += _alone(f"{path}.namespaces", spaces, "namespaces")
    else:
        for index, space in enumerate(spaces):
            for detail in metadata.dns1123_label(space):
                at = f"{path}.namespaces[{index}]"
                found.append(causes.invalid(at, space, _NAMESPACE_HINT + detail))
    return found


def _path_rule(path: str, rule: Object) -> Causes:
    found, urls = _verbs(path, rule.get("verbs") or ()), rule.get("nonResourceURLs") or ()
    path = f"{path}.nonResourceURLs"
    if not urls:
        found.append(causes.required(path, "nonResourceURLs must contain at least one value"))
    elif "*" in urls:
        found += _alone(path, urls, "non-resource URLs")
    else:
        for index, url in enumerate(urls):
            detail = _wrong_url(url)
            if detail:
                found.append(causes.invalid(f"{path}[{index}]", url, detail))
    return found


def _verbs(path: str, verbs: Sequence[str]) -> Causes:
    path = f"{path}.verbs"
    if not verbs:
        return [causes.required(path, "verbs must contain at least one value")]
    if "*" in verbs:
        return _alone(path, verbs, "verbs")
    if any(verb not in _VERBS for verb in verbs):
        return [causes.not_supported(path, list(verbs), _VERBS)]
    return []


def _listed(path: str, items: Sequence[str], one: str, many: str) -> Causes:
    if not items:
        return [causes.required(path, f"resource rules must supply at least one {one}")]
    return _alone(path, items, many) if "*" in items else []


def _alone(path: str, items: Sequence[str], many: str) -> Causes:
    if len(items) < 2:
        return []
    return [causes.invalid(path, list(items), f"if '*' is present, must not specify other {many}")]


def _wrong_url(url: str) -> str:
    if not url:
        return "must not be empty"
    if url == "/":
        return ""
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    wildcards = url.count("*")
    if wildcards > 1 or (wildcards and not url.endswith("/*")):
        return "wildcard can only do suffix matching"
    return ""


def _limited(path: str, limited: Object) -> Causes:
    found = _shares(path, limited)
    borrows = limited.get("borrowingLimitPercent")
    if borrows is not None and borrows < 0:
        detail = "if specified, must be a non-negative integer"
        found.append(causes.invalid(f"{path}.borrowingLimitPercent", borrows, detail))
    response = limited.get("limitResponse") or {}
    kind, queuing, path = (
        response.get("type") or "",
        response.get("queuing"),
        f"{path}.limitResponse",
    )
    if kind == "Reject":
        if queuing is not None:
            detail = "must be nil if limited.limitResponse.type is not Limited"
            found.append(causes.forbidden(f"{path}.queuing", detail))
    elif kind != "Queue":
        found.append(causes.not_supported(f"{path}.type", kind, ("Queue", "Reject")))
    elif queuing is None:
        detail = "must not be empty if limited.limitResponse.type is Limited"
        found.append(causes.required(f"{path}.queuing", detail))
    else:
        found += _queuing(f"{path}.queuing", queuing)
    return found


def _shares(path: str, holder: Object) -> Causes:
    found: Causes = []
    shares, lends = holder.get("nominalConcurrencyShares") or 0, holder.get("lendablePercent") or 0
    if shares < 0:
        detail = "must be a non-negative integer"
        found.append(causes.invalid(f"{path}.nominalConcurrencyShares", shares, detail))
    if not 0 <= lends <= 100:
        detail = "must be between 0 and 100, inclusive"
        found.append(causes.invalid(f"{path}.lendablePercent", lends, detail))
    return found


def _queuing(path: str, queuing: Object) -> Causes:
    found: Causes = []
    queues, hand = queuing.get("queues") or 0, queuing.get("handSize") or 0
    length = queuing.get("queueLengthLimit") or 0
    if length <= 0:
        found.append(causes.invalid(f"{path}.queueLengthLimit", length, "must be positive"))
    if queues <= 0:
        found.append(causes.invalid(f"{path}.queues", queues, "must be positive"))
    elif queues > _MOST_QUEUES:
        detail = f"must not be greater than {_MOST_QUEUES}"
        found.append(causes.invalid(f"{path}.queues", queues, detail))
    if hand <= 0:
        found.append(causes.invalid(f"{path}.handSize", hand, "must be positive"))
    elif hand > queues:
        detail = f"should not be greater than queues ({queues})"
        found.append(causes.invalid(f"{path}.handSize", hand, detail))
    elif _entropy(queues, hand) > _HASH_BITS:
        detail = (
            f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater"
            f" than {_HASH_BITS}"
        )
        found.append(causes.invalid(f"{path}.handSize", hand, detail))
    return found


def _entropy(queues: int, hand: int) -> int:
    """How many bits a hand of so many queues takes."""
    bits = 0.0
    for turn in range(hand):
        bits += math.log2(queues - turn)
        if bits > _HASH_BITS:
            break
    return math.ceil(bits)


@cache
def _mandatory_schemas() -> dict[str, Any]:
    names = (flowcontrol.EXEMPT, flowcontrol.CATCH_ALL)
    found = {each["metadata"]["name"]: each["spec"] for each in flowcontrol.schemas()}
    return {name: found[name] for name in names}


@cache
def _catch_all_level() -> Any:
    found = {each["metadata"]["name"]: each["spec"] for each in flowcontrol.levels()}
    return found[flowcontrol.CATCH_ALL]


def _fixed(name: str, spec: Object) -> Any:
    return causes.invalid("spec", spec, f"spec of '{name}' must equal the fixed value")


_SCHEMA: Final = "flowschemas.flowcontrol.apiserver.k8s.io"
_LEVEL: Final = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"
NEW: Final[family.Creates] = {_SCHEMA: flow_schema, _LEVEL: priority_level}
UPDATE: Final[family.Updates] = {
    _SCHEMA: lambda old, new: flow_schema(new),
    _LEVEL: lambda old, new: priority_level(new),
}
STATUS: Final[family.Updates] = {_SCHEMA: conditions, _LEVEL: conditions}
OTHER: Final[family.Others] = {}
