"""What webhooks and admission policies have in common: which requests they are about.

Source: pkg/apis/admissionregistration/validation. CEL is imported when an expression is there.
"""

from collections.abc import Callable
from typing import Any, Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import selectors, values
from cluster.api.validation.values import Causes

FAILURE_POLICIES: Final = ("Fail", "Ignore")
MATCH_POLICIES: Final = ("Equivalent", "Exact")
REINVOCATION_POLICIES: Final = ("IfNeeded", "Never")
OPERATIONS: Final = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES: Final = ("*", "Cluster", "Namespaced")
_MOST_CONDITIONS: Final = 64


def enumeration(path: str, value: Any, known: tuple[str, ...]) -> Causes:
    """An enumeration that may be absent."""
    return [] if value is None or value in known else [causes.not_supported(path, value, known)]


def required(path: str, value: Any, known: tuple[str, ...]) -> Causes:
    """An enumeration that must be there."""
    return [causes.required(path)] if not value else enumeration(path, value, known)


def rule(path: str, found: Object) -> Causes:
    """What is wrong with operations, groups, versions, resources and scope of a rule."""
    operations = found.get("operations") or []
    told: Causes = [] if operations else [causes.required(f"{path}.operations")]
    told += _lonely(f"{path}.operations", operations, "operations")
    for index, operation in enumerate(operations):
        told += enumeration(f"{path}.operations[{index}]", operation, OPERATIONS)
    groups, versions = found.get("apiGroups") or [], found.get("apiVersions") or []
    if not groups:
        told.append(causes.required(f"{path}.apiGroups"))
    told += _lonely(f"{path}.apiGroups", groups, "API groups")
    if not versions:
        told.append(causes.required(f"{path}.apiVersions"))
    told += _lonely(f"{path}.apiVersions", versions, "API versions")
    told += [
        causes.required(f"{path}.apiVersions[{index}]")
        for index, version in enumerate(versions)
        if not version
    ]
    told += _resources(f"{path}.resources", found.get("resources") or [])
    return told + enumeration(f"{path}.scope", found.get("scope"), _SCOPES)


def _lonely(path: str, listed: list[str], noun: str) -> Causes:
    if len(listed) > 1 and "*" in listed:
        detail = f"if '*' is present, must not specify other {noun}"
        return [causes.invalid(path, listed, detail)]
    return []


def _resources(path: str, listed: list[str]) -> Causes:
    if not listed:
        return [causes.required(path)]
    told: Causes = []
    whole: dict[str, None] = {}
    anywhere: dict[str, None] = {}
    plain = False
    for index, text in enumerate(listed):
        where = f"{path}[{index}]"
        if not text:
            told.append(causes.required(where))
            continue
        resource, slash, part = text.partition("/")
        if not slash:
            plain = text != "*"
            continue
        if resource in whole:
            detail = f"if '{resource}/*' is present, must not specify {text}"
            told.append(causes.invalid(where, text, detail))
        if part in anywhere:
            detail = f"if '*/{part}' is present, must not specify {text}"
            told.append(causes.invalid(where, text, detail))
        if part == "*":
            whole[resource] = None
        if resource == "*":
            anywhere[part] = None
    if len(listed) > 1 and "*/*" in listed:
        detail = "if '*/*' is present, must not specify other resources"
        told.append(causes.invalid(path, listed, detail))
    if "*" in listed and plain:
        detail = "if '*' is present, must not specify other resources without subresources"
        told.append(causes.invalid(path, listed, detail))
    return told


def match_resources(path: str, found: Object) -> Causes:
    """What is wrong with matchConstraints or matchResources of a policy or binding."""
    told = required(f"{path}.matchPolicy", found.get("matchPolicy"), MATCH_POLICIES)
    for field in ("namespaceSelector", "objectSelector"):
        selector = found.get(field)
        if selector is None:
            told.append(causes.required(f"{path}.{field}"))
        else:
            told += selectors.label_selector(f"{path}.{field}", selector)
    for field in ("resourceRules", "excludeResourceRules"):
        for index, each in enumerate(found.get(field) or ()):
            told += _named_rule(f"{path}.{field}[{index}]", each)
    return told


def _named_rule(path: str, found: Object) -> Causes:
    told: Causes = []
    seen: dict[str, None] = {}
    for index, name in enumerate(found.get("resourceNames") or ()):
        where = f"{path}.resourceNames[{index}]"
        told += values.complaints(where, name, metadata.path_segment(name))
        if name in seen:
            told.append(causes.duplicate(where, name))
        seen[name] = None
    return told + rule(path, found)


def match_conditions(path: str, found: list[Any], *, params: bool = False) -> Causes:
    """What is wrong with matchConditions; `params`: they may name the parameters."""
    told: Causes = []
    if len(found) > _MOST_CONDITIONS:
        told.append(causes.too_many(path, len(found), _MOST_CONDITIONS))
    seen: dict[str, None] = {}
    for index, each in enumerate(found):
        where, name = f"{path}[{index}]", each.get("name") or ""
        told += _condition(f"{where}.expression", (each.get("expression") or "").strip(), params)
        if not name:
            told.append(causes.required(f"{where}.name"))
            continue
        told += values.complaints(f"{where}.name", name, metadata.qualified_name(name))
        if name in seen:
            told.append(causes.duplicate(f"{where}.name", name))
        seen[name] = None
    return told


def _condition(path: str, text: str, params: bool) -> Causes:
    if not text:
        return [causes.required(path)]
    from cluster.api.policies import environments, expressions

    environment = environments.environment(params=params)
    return expression(path, text, lambda: expressions.compiled(text, environment, expressions.BOOL))


def expression(path: str, text: str, compiled: Callable[[], Any]) -> Causes:
    """What is wrong with an expression that `compiled` compiles."""
    from cluster.api.policies import expressions

    try:
        compiled()
    except expressions.Wrong as error:
        return [causes.invalid(path, text, str(error))]
    return []
