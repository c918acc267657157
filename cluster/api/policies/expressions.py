"""Expressions of admission, compiled: they have to give a value of a certain type.

Words: k8s.io/apiserver pkg/admission/plugin/cel/compile.go.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from cluster.api import cel
from cluster.api.cel import mutation, types
from cluster.api.cel.types import Type
from cluster.api.policies import environments

BOOL: Final = (types.BOOL,)
TEXT: Final = (types.STRING,)
TEXT_OR_NULL: Final = (types.STRING, types.NULL)
OBJECT: Final = (Type("object", name="Object"),)
PATCHES: Final = (mutation.JSON_PATCHES,)
ANY: Final = ()
"""An expression that may give anything."""


class Wrong(Exception):
    """An expression that cannot be used; the message says why, as field errors show it."""


@dataclass(slots=True)
class Scope:
    """The environments of one policy, whose variables become known one after the other."""

    params: bool = False
    patches: bool = False
    variables: dict[str, Type] = field(default_factory=dict)
    composed: bool = False
    """Whether the policy has variables at all: `variables` is unknown otherwise."""

    def environment(self, *, authorizer: bool = True) -> cel.Environment:
        """What an expression that comes now may name."""
        base = environments.environment(
            params=self.params, authorizer=authorizer, patches=self.patches
        )
        return environments.with_variables(base, self.variables) if self.composed else base


def compiled(text: str, environment: cel.Environment, returns: tuple[Type, ...]) -> cel.Program:
    """An expression whose value is of one of the types. Wrong."""
    try:
        program = cel.compile(text, environment)
    except cel.CompileError as error:
        raise Wrong(str(error)) from None
    if returns and not any(types.same(program.type, one) for one in returns):
        names = " ".join(_shown(one) for one in returns)
        wanted = names if len(returns) == 1 else f"one of [{names}]"
        raise Wrong(f"must evaluate to {wanted} but got {_shown(program.type)}")
    return program


def _shown(kind: Type) -> str:
    return kind.kind if kind is types.NULL else kind.shown()


Compiled = cel.Program | Wrong


def attempted(text: str, environment: cel.Environment, returns: tuple[Type, ...]) -> Compiled:
    """The same, where what is wrong is told when the expression is used."""
    try:
        return compiled(text, environment, returns)
    except Wrong as error:
        return error


@dataclass(frozen=True, slots=True)
class Condition:
    """A matchCondition."""

    name: str
    text: str
    program: Compiled


def conditions(found: Any, *, params: bool = False) -> tuple[Condition, ...]:
    """The matchConditions of a webhook or a policy; they know no variables."""
    environment = environments.environment(params=params)
    return tuple(
        Condition(
            each["name"], each["expression"], attempted(each["expression"], environment, BOOL)
        )
        for each in found or ()
    )


def variables(scope: Scope, found: Any) -> Iterator[tuple[str, str, Compiled]]:
    """Name, text and program of each variable, in order; those that follow may name it."""
    for each in found or ():
        name, text = each["name"], each["expression"]
        program = attempted(text, scope.environment(), ANY)
        scope.variables[name] = types.DYN if isinstance(program, Wrong) else program.type
        yield name, text, program
