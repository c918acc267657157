"""What a pod says about where it may run: tolerations, affinity, spread (core validation)."""

import re
from typing import Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import selectors, values
from cluster.api.validation.values import Causes

EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OPERATORS: Final = ("", "Equal", "Exists")
_NODE_OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,19}", re.ASCII)
_UNSATISFIABLE: Final = ("DoNotSchedule", "ScheduleAnyway")
_INCLUSION: Final = ("Honor", "Ignore")


def tolerations(path: str, listed: list[Object]) -> Causes:
    """What is wrong with tolerations."""
    found: Causes = []
    for index, toleration in enumerate(listed):
        found += _toleration(f"{path}[{index}]", toleration)
    return found


def _toleration(path: str, toleration: Object) -> Causes:
    found: Causes = []
    key, operator = toleration.get("key") or "", toleration.get("operator") or ""
    effect, value = toleration.get("effect") or "", toleration.get("value") or ""
    if key:
        found += values.complaints(f"{path}.key", key, metadata.qualified_name(key))
    elif operator != "Exists":
        detail = (
            "operator must be Exists when `key` is empty, which means "
            '"match all values and all keys"'
        )
        found.append(causes.invalid(f"{path}.operator", operator, detail))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        found.append(causes.invalid(f"{path}.effect", effect, detail))
    if operator in ("", "Equal"):
        found += values.complaints(f"{path}.operator", value, metadata.label_value(value))
    elif operator == "Exists" and value:
        detail = "value must be empty when `operator` is 'Exists'"
        found.append(causes.invalid(f"{path}.operator", toleration, detail))
    if operator not in _OPERATORS:
        found.append(causes.not_supported(f"{path}.operator", operator, ("Equal", "Exists")))
    if effect and effect not in EFFECTS:
        found.append(causes.not_supported(f"{path}.effect", effect, EFFECTS))
    return found


def affinity(path: str, wanted: Object) -> Causes:
    """What is wrong with an affinity."""
    found: Causes = []
    node = wanted.get("nodeAffinity") or {}
    required = node.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is not None:
        at = f"{path}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
        found += node_selector(at, required)
    preferred = node.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    for index, term in enumerate(preferred):
        at = f"{path}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[{index}]"
        found += _weight(at, term)
        found += _node_term(f"{at}.preference", term.get("preference") or {})
    for name in ("podAffinity", "podAntiAffinity"):
        found += _pod_affinity(f"{path}.{name}", wanted.get(name) or {})
    return found


def node_selector(path: str, selector: Object) -> Causes:
    """What is wrong with a NodeSelector."""
    terms = selector.get("nodeSelectorTerms") or []
    if not terms:
        detail = "must have at least one node selector term"
        return [causes.required(f"{path}.nodeSelectorTerms", detail)]
    found: Causes = []
    for index, term in enumerate(terms):
        found += _node_term(f"{path}.nodeSelectorTerms[{index}]", term)
    return found


def _node_term(path: str, term: Object) -> Causes:
    found: Causes = []
    for index, requirement in enumerate(term.get("matchExpressions") or ()):
        found += _node_requirement(f"{path}.matchExpressions[{index}]", requirement)
    for index, requirement in enumerate(term.get("matchFields") or ()):
        at, key = f"{path}.matchFields[{index}]", requirement.get("key") or ""
        if len(requirement.get("values") or ()) != 1:
            detail = (
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            )
            found.append(causes.required(f"{at}.values", detail))
        if key != "metadata.name":
            found.append(causes.invalid(f"{at}.key", key, "not a valid field selector key"))
    return found


def _node_requirement(path: str, requirement: Object) -> Causes:
    found: Causes = []
    operator, listed = requirement.get("operator") or "", requirement.get("values") or []
    if operator in ("In", "NotIn") and not listed:
        detail = "must be specified when `operator` is 'In' or 'NotIn'"
        found.append(causes.required(f"{path}.values", detail))
    elif operator in ("Exists", "DoesNotExist") and listed:
        detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        found.append(causes.forbidden(f"{path}.values", detail))
    elif operator in ("Gt", "Lt") and len(listed) != 1:
        detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
        found.append(causes.required(f"{path}.values", detail))
    elif operator in ("Gt", "Lt") and _INTEGER.fullmatch(listed[0]) is None:
        detail = "for 'Gt', 'Lt' operators, the value must be an integer"
        found.append(causes.invalid(f"{path}.values[0]", listed[0], detail))
    elif operator not in _NODE_OPERATORS:
        detail = "not a valid selector operator"
        found.append(causes.invalid(f"{path}.operator", operator, detail))
    key = requirement.get("key") or ""
    return found + values.complaints(f"{path}.key", key, metadata.qualified_name(key))


def _weight(path: str, term: Object) -> Causes:
    weight = term.get("weight", 0)
    if 1 <= weight <= 100:
        return []
    return [causes.invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def _pod_affinity(path: str, wanted: Object) -> Causes:
    found: Causes = []
    required = wanted.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    for index, term in enumerate(required):
        at = f"{path}.requiredDuringSchedulingIgnoredDuringExecution[{index}]"
        found += _pod_term(at, term)
    preferred = wanted.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    for index, weighted in enumerate(preferred):
        at = f"{path}.preferredDuringSchedulingIgnoredDuringExecution[{index}]"
        found += _weight(at, weighted)
        found += _pod_term(f"{at}.podAffinityTerm", weighted.get("podAffinityTerm") or {})
    return found


def _pod_term(path: str, term: Object) -> Causes:
    found: Causes = []
    for field in ("labelSelector", "namespaceSelector"):
        if field in term:
            found += selectors.label_selector(f"{path}.{field}", term[field])
    for index, namespace in enumerate(term.get("namespaces") or ()):
        told = metadata.dns1123_label(namespace)
        found += values.complaints(f"{path}.namespaces[{index}]", namespace, told)
    key = term.get("topologyKey") or ""
    if not key:
        return [*found, causes.required(f"{path}.topologyKey", "can not be empty")]
    return found + values.complaints(f"{path}.topologyKey", key, metadata.qualified_name(key))


def spread(path: str, listed: list[Object]) -> Causes:
    """What is wrong with topologySpreadConstraints."""
    found: Causes = []
    seen: dict[tuple[str, str], None] = {}
    for index, constraint in enumerate(listed):
        at = f"{path}[{index}]"
        skew = constraint.get("maxSkew", 0)
        if skew <= 0:
            found.append(causes.invalid(f"{at}.maxSkew", skew, "must be greater than zero"))
        key = constraint.get("topologyKey") or ""
        if not key:
            found.append(causes.required(f"{at}.topologyKey", "can not be empty"))
        else:
            found += values.complaints(f"{at}.topologyKey", key, metadata.qualified_name(key))
        when = constraint.get("whenUnsatisfiable") or ""
        if when not in _UNSATISFIABLE:
            found.append(causes.not_supported(f"{at}.whenUnsatisfiable", when, _UNSATISFIABLE))
        if (key, when) in seen:
            told = f"{{{key}, {when}}}"
            found.append(causes.duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", told))
        seen[key, when] = None
        found += _spread_options(at, constraint)
    return found


def _spread_options(path: str, constraint: Object) -> Causes:
    found: Causes = []
    for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        if field in constraint:
            found += values.one_of(f"{path}.{field}", constraint[field], _INCLUSION)
    domains = constraint.get("minDomains")
    if domains is not None and domains <= 0:
        found.append(causes.invalid(f"{path}.minDomains", domains, "must be greater than zero"))
    if "labelSelector" in constraint:
        found += selectors.label_selector(f"{path}.labelSelector", constraint["labelSelector"])
    return found
