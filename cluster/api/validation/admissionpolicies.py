"""Admission policies and their bindings (pkg/apis/admissionregistration/validation)."""

import re
from typing import Any, Final

from cluster.api import causes, metadata
from cluster.api.objects import Object
from cluster.api.validation import admissionrules, family, policyexpressions, selectors, values
from cluster.api.validation.values import Causes

_GROUP: Final = "admissionregistration.k8s.io"
_ACTIONS: Final = ("Audit", "Deny", "Warn")
_NOT_FOUND: Final = ("Deny", "Allow")
_MUTABLE: Final = ("CREATE", "UPDATE")
_PATCH_TYPES: Final = ("ApplyConfiguration", "JSONPatch")


def _validating(obj: Object, old: Object | None = None) -> Causes:
    spec = obj.get("spec") or {}
    told = _policy(spec, (old or {}).get("spec"))
    scope = policyexpressions.scope(spec)
    told += policyexpressions.variables(scope, spec)
    checks, annotations = spec.get("validations") or [], spec.get("auditAnnotations") or []
    if not checks and not annotations:
        detail = "validations or auditAnnotations must contain at least one item"
        told.append(causes.required("spec.validations", detail))
        told.append(causes.required("spec.auditAnnotations", detail))
    for index, check in enumerate(checks):
        told += policyexpressions.validation(scope, check, f"spec.validations[{index}]")
    name = obj["metadata"].get("name") or ""
    return told + policyexpressions.annotations(scope, annotations, name)


def _mutating(obj: Object, old: Object | None = None) -> Causes:
    spec = obj.get("spec") or {}
    told = _policy(spec, (old or {}).get("spec"))
    path = "spec.matchConstraints.resourceRules"
    for index, rule in enumerate((spec.get("matchConstraints") or {}).get("resourceRules") or ()):
        for operation in rule.get("operations") or ():
            told += admissionrules.enumeration(f"{path}[{index}].operations", operation, _MUTABLE)
    scope = policyexpressions.scope(spec, patches=True)
    told += policyexpressions.variables(scope, spec)
    mutations = spec.get("mutations") or []
    if not mutations:
        detail = "mutations must contain at least one item"
        told.append(causes.required("spec.mutations", detail))
    for index, mutation in enumerate(mutations):
        told += _mutation(scope, mutation, f"spec.mutations[{index}]")
    return told + admissionrules.required(
        "spec.reinvocationPolicy", spec.get("reinvocationPolicy"),
        admissionrules.REINVOCATION_POLICIES,
    )  # fmt: skip


def _policy(spec: Object, old: Object | None) -> Causes:
    """What both kinds of policies have."""
    known = admissionrules.FAILURE_POLICIES
    told = admissionrules.required("spec.failurePolicy", spec.get("failurePolicy"), known)
    kind = spec.get("paramKind")
    if kind is not None:
        told += _param_kind(kind, "spec.paramKind")
    constraints = spec.get("matchConstraints")
    if constraints is None:
        told.append(causes.required("spec.matchConstraints"))
    else:
        told += admissionrules.match_resources("spec.matchConstraints", constraints)
        if not constraints.get("resourceRules"):
            told.append(causes.required("spec.matchConstraints.resourceRules"))
    found = spec.get("matchConditions") or []
    same = old is not None and all(
        (old.get(field) or None) == (spec.get(field) or None)
        for field in ("paramKind", "matchConditions")
    )
    if not same:
        told += admissionrules.match_conditions(
            "spec.matchConditions", found, params=kind is not None
        )
    return told


def _param_kind(kind: Object, path: str) -> Causes:
    told: Causes = []
    text, name = kind.get("apiVersion") or "", kind.get("kind") or ""
    at = f"{path}.apiVersion"
    group, _, version = text.rpartition("/")
    if not text:
        told.append(causes.required(at))
    elif "/" in group:
        told.append(causes.invalid(at, text, f"unexpected GroupVersion string: {text}"))
    else:
        complaints = metadata.dns1123_subdomain(group) if group else ()
        if complaints:
            told.append(causes.invalid(at, group, ",".join(complaints)))
        if not version:
            told.append(causes.invalid(at, text, "version must be specified"))
        elif complaints := metadata.dns1035_label(version):
            told.append(causes.invalid(at, version, ",".join(complaints)))
    if not name:
        told.append(causes.required(f"{path}.kind"))
    elif complaints := metadata.dns1035_label(name.lower()):
        detail = f"may have mixed case, but should otherwise match: {','.join(complaints)}"
        told.append(causes.invalid(f"{path}.kind", name, detail))
    return told


def _mutation(scope: Any, mutation: Object, path: str) -> Causes:
    said = mutation.get("patchType") or ""
    told = admissionrules.required(f"{path}.patchType", said, _PATCH_TYPES)
    if told:
        return told
    mine, other = "applyConfiguration", "jsonPatch"
    if said == "JSONPatch":
        mine, other = other, mine
    holder = mutation.get(mine)
    if holder is None:
        detail = f"must be specified when patchType is {said}"
        told.append(causes.required(f"{path}.{mine}", detail))
    else:
        told += policyexpressions.mutation(scope, said, holder, f"{path}.{mine}.expression")
    if mutation.get(other) is not None:
        detail = f"must not be specified when patchType is {said}"
        told.append(causes.invalid(f"{path}.{other}", f"{{{other}}}", detail))
    return told


def _binding(obj: Object) -> Causes:
    spec = obj.get("spec") or {}
    name = spec.get("policyName") or ""
    path = "spec.policyName"
    told: Causes = (
        values.complaints(path, name, metadata.dns1123_subdomain(name))
        if name
        else [causes.required(path)]
    )
    if spec.get("paramRef") is not None:
        told += _param_ref(spec["paramRef"], "spec.paramRef")
    if spec.get("matchResources") is not None:
        # The path is misspelt in Kubernetes.
        told += admissionrules.match_resources("spec.matchResouces", spec["matchResources"])
    return told


def _validating_binding(obj: Object) -> Causes:
    actions = (obj.get("spec") or {}).get("validationActions") or []
    return _binding(obj) + _actions(actions, "spec.validationActions")


def _param_ref(found: Object, path: str) -> Causes:
    name, selector = found.get("name") or "", found.get("selector")
    exclusive = "name and selector are mutually exclusive"
    told = values.complaints(f"{path}.name", name, metadata.path_segment(name))
    if name and selector is not None:
        told.append(causes.forbidden(f"{path}.name", exclusive))
    if selector is not None:
        told += selectors.label_selector(f"{path}.selector", selector)
        if name:
            told.append(causes.forbidden(f"{path}.selector", exclusive))
    elif not name:
        told.append(causes.required(path, "one of name or selector must be specified"))
    at = f"{path}.parameterNotFoundAction"
    return told + admissionrules.required(at, found.get("parameterNotFoundAction"), _NOT_FOUND)


def _actions(actions: list[Any], path: str) -> Causes:
    told: Causes = []
    for index, action in enumerate(actions):
        told += admissionrules.enumeration(f"{path}[{index}]", action, _ACTIONS)
        if action in actions[:index]:
            told.append(causes.duplicate(f"{path}[{index}]", action))
    if "Deny" in actions and "Warn" in actions:
        detail = (
            "must not contain both Deny and Warn (repeating the same validation failure "
            "information in the API response and headers serves no purpose)"
        )
        told.append(causes.invalid(path, actions, detail))
    if not actions:
        told.append(causes.required(path, "at least one validation action is required"))
    return told


_REFERENCE: Final = re.compile(r"[^{}]+", re.ASCII)


def _status(_old: Object, new: Object) -> Causes:
    """What is wrong with the result of type checking."""
    told: Causes = []
    checking = (new.get("status") or {}).get("typeChecking") or {}
    for index, warning in enumerate(checking.get("expressionWarnings") or ()):
        path = f"status.typeChecking.expressionWarnings[{index}]"
        if not warning.get("warning"):
            told.append(causes.required(f"{path}.warning"))
        reference = (warning.get("fieldRef") or "").strip()
        if not reference:
            told.append(causes.required(f"{path}.fieldRef"))
        elif _REFERENCE.fullmatch(reference) is None:
            detail = "invalid JSONPath: unexpected braces"
            told.append(causes.invalid(f"{path}.fieldRef", reference, detail))
    return told


_POLICY: Final = f"validatingadmissionpolicies.{_GROUP}"
_BINDING: Final = f"validatingadmissionpolicybindings.{_GROUP}"
_MUTATING: Final = f"mutatingadmissionpolicies.{_GROUP}"
_MUTATING_BINDING: Final = f"mutatingadmissionpolicybindings.{_GROUP}"

NEW: Final[family.Creates] = {
    _POLICY: _validating,
    _BINDING: _validating_binding,
    _MUTATING: _mutating,
    _MUTATING_BINDING: _binding,
}
UPDATE: Final[family.Updates] = {
    _POLICY: lambda old, new: _validating(new, old),
    _BINDING: lambda _old, new: _validating_binding(new),
    _MUTATING: lambda old, new: _mutating(new, old),
    _MUTATING_BINDING: lambda _old, new: _binding(new),
}
STATUS: Final[family.Updates] = {_POLICY: _status}
OTHER: Final[family.Others] = {}
