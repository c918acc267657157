"""Type checking of a ValidatingAdmissionPolicy: warnings about expressions that cannot be right.

Source: k8s.io/apiserver pkg/admission/plugin/policy/validating/typechecking.go. What it finds
stands in the policy's status and changes nothing else.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from cluster.api import cel
from cluster.api.cel import types
from cluster.api.cel.types import Type
from cluster.api.objects import Object
from cluster.api.policies import environments
from cluster.api.resources import Resource, Table

MOST_TYPES: Final = 10
"""Kinds of one rule that are looked at: maxTypesToCheck."""

Kinds = Sequence[tuple[str, Type]]
"""What kinds a policy is about: as they are shown (`apps/v1, Kind=Deployment`), and their types."""


def rows(policy: Object, table: Table) -> list[Resource]:
    """The resources that a policy names, in order of group, version and kind."""
    found: dict[tuple[str, str, str], Resource] = {}
    constraints = (policy.get("spec") or {}).get("matchConstraints") or {}
    for rule in constraints.get("resourceRules") or ():
        named = list(islice(_named(rule, table), MOST_TYPES))
        found |= {(row.group, row.version, row.kind): row for row in named}
        if len(named) == MOST_TYPES:
            break
    return [found[key] for key in sorted(found)]


def _named(rule: Any, table: Table) -> Iterator[Resource]:
    groups, versions = rule.get("apiGroups") or (), rule.get("apiVersions") or ()
    if any("*" in text for text in (*groups, *versions)):
        return
    plurals = [text for text in rule.get("resources") or () if "*" not in text and "/" not in text]
    for group in sorted(groups):
        for version in sorted(versions):
            for plural in sorted(plurals):
                row = table.at(group, version, plural)
                if row is not None:
                    yield row


def warnings(policy: Object, kinds: Kinds, params: Type | None) -> list[Object]:
    """The expressionWarnings of a policy about these kinds; `params` is what its paramKind is."""
    spec = policy.get("spec") or {}
    found: list[Object] = []
    for index, check in enumerate(spec.get("validations") or ()):
        for field in ("expression", "messageExpression"):
            text = check.get(field)
            told = _checked(text, spec, kinds, params) if text else ""
            if told:
                reference = f"spec.validations[{index}].{field}"
                found.append({"fieldRef": reference, "warning": told})
    return found


def _checked(text: str, spec: Object, kinds: Kinds, params: Type | None) -> str:
    told: list[str] = []
    for shown, kind in kinds:
        environment = _environment(spec, kind, params)
        try:
            cel.compile(text, environment)
        except cel.CompileError as error:
            told.append(f"{shown}: {str(error).removeprefix('compilation failed: ')}\n")
    return "\n".join(told)


def _environment(spec: Object, kind: Type, params: Type | None) -> cel.Environment:
    environment = environments.typed(kind, params)
    known: dict[str, Type] = {}
    for variable in spec.get("variables") or ():
        inner = environments.with_variables(environment, known)
        try:
            known[variable["name"]] = cel.compile(variable["expression"], inner).type
        except cel.CompileError:
            known[variable["name"]] = types.DYN
    return environments.with_variables(environment, known)
