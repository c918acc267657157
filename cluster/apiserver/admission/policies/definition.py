"""Policies and bindings, as they are used. Their expressions compile when they are first needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cluster.api import objects
from cluster.api.objects import Object
from cluster.apiserver.admission.matching import rules
from cluster.apiserver.admission.matching.rules import Criteria

if TYPE_CHECKING:
    from cluster.api.policies.expressions import Compiled, Condition, Scope


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression and what came of compiling it."""

    text: str
    program: "Compiled"


@dataclass(frozen=True, slots=True)
class Check:
    """One of spec.validations."""

    expression: Expression
    message: str
    shown: Expression | None
    reason: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """One of spec.mutations."""

    kind: str
    expression: Expression


class Policy:
    """A policy of either kind. `fails`: what cannot be evaluated refuses the request."""

    def __init__(self, document: Object) -> None:
        spec = objects.spec(document)
        self.name = objects.name(document)
        self.criteria: Criteria = rules.of_resources(spec.get("matchConstraints"))
        self.fails = spec.get("failurePolicy") != "Ignore"
        self.params: Object | None = spec.get("paramKind")
        self.again = spec.get("reinvocationPolicy") == "IfNeeded"
        self._spec = spec

    @cached_property
    def conditions(self) -> "Sequence[Condition]":
        """matchConditions."""
        found = self._spec.get("matchConditions")
        if not found:
            return ()
        from cluster.api.policies import expressions

        return expressions.conditions(found, params=self.params is not None)

    @cached_property
    def _scoped(self) -> "tuple[Scope, tuple[tuple[str, Expression], ...]]":
        from cluster.api.policies import expressions

        found = self._spec.get("variables") or ()
        scope = expressions.Scope(
            params=self.params is not None,
            patches="mutations" in self._spec,
            composed=bool(found),
        )
        variables = tuple(
            (name, Expression(text, program))
            for name, text, program in expressions.variables(scope, found)
        )
        return scope, variables

    @property
    def variables(self) -> Sequence[tuple[str, Expression]]:
        """Names and expressions, in order."""
        return self._scoped[1]

    @cached_property
    def checks(self) -> Sequence[Check]:
        """validations."""
        from cluster.api.policies import expressions

        return [
            Check(
                self._compiled(each.get("expression") or "", expressions.BOOL),
                (each.get("message") or "").strip(),
                self._compiled(each["messageExpression"], expressions.TEXT, authorizer=False)
                if each.get("messageExpression")
                else None,
                each.get("reason") or "Invalid",
            )
            for each in self._spec.get("validations") or ()
        ]

    @cached_property
    def annotations(self) -> Sequence[tuple[str, Expression]]:
        """auditAnnotations: keys and expressions."""
        from cluster.api.policies import expressions

        return [
            (each["key"], self._compiled(each["valueExpression"].strip(), expressions.TEXT_OR_NULL))
            for each in self._spec.get("auditAnnotations") or ()
        ]

    @cached_property
    def mutations(self) -> Sequence[Mutation]:
        """What is to be changed, in order."""
        from cluster.api.policies import expressions

        found = []
        for each in self._spec.get("mutations") or ():
            kind = each.get("patchType") or ""
            json = kind == "JSONPatch"
            holder = each.get("jsonPatch" if json else "applyConfiguration") or {}
            returns = expressions.PATCHES if json else expressions.OBJECT
            text = (holder.get("expression") or "").strip()
            found.append(Mutation(kind, self._compiled(text, returns)))
        return found

    def _compiled(self, text: str, returns: Any, *, authorizer: bool = True) -> Expression:
        from cluster.api.policies import expressions

        scope, _ = self._scoped
        environment = scope.environment(authorizer=authorizer)
        return Expression(text, expressions.attempted(text, environment, returns))


@dataclass(frozen=True, slots=True)
class Binding:
    """A binding of either kind. `criteria` narrow down those of its policy."""

    name: str
    policy: str
    criteria: Criteria
    params: Object | None
    actions: tuple[str, ...]


def policies(document: Object) -> Sequence[Policy]:
    """The policy of an object."""
    return (Policy(document),)


def bindings(document: Object) -> Sequence[Binding]:
    """The binding of an object."""
    spec = objects.spec(document)
    return (
        Binding(
            objects.name(document),
            spec.get("policyName") or "",
            rules.of_resources(spec.get("matchResources")),
            spec.get("paramRef"),
            tuple(spec.get("validationActions") or ()),
        ),
    )
