"""CEL, the Common Expression Language, as Kubernetes uses it.

`compile(text, Environment({"self": type}))` gives a `Program`, whose `run({"self": value})` gives
a value. Types come from `structural.from_schema` (CRDs), `builtin.from_node` (built-in kinds) or
are `types.DYN`. Errors are `CompileError` and `EvaluationError`, in cel-go's words. Every
evaluation has a cost that is bounded; `costs.estimate` says beforehand what it may be at most.

Our own rather than a library: none for Python has optional types, comprehensions of two variables,
Kubernetes' functions, cel-go's messages of its type checker and its costs (docs/design.md).
"""

from cluster.api.cel.faults import CompileError, CostExceeded, EvaluationError
from cluster.api.cel.program import (
    MATCH_CONDITIONS_BUDGET,
    PER_CALL_LIMIT,
    RUNTIME_BUDGET,
    Budget,
    Environment,
    Program,
    compile,  # noqa: A004 - cel.compile
)
from cluster.api.cel.values import NONE, Optional


def none() -> Optional:
    """The optional value that is not there (`oldSelf` of a new object, with optionalOldSelf)."""
    return NONE


def optional(value: object) -> Optional:
    """An optional value that is there."""
    return Optional(value)


__all__ = [
    "MATCH_CONDITIONS_BUDGET", "PER_CALL_LIMIT", "RUNTIME_BUDGET", "Budget", "CompileError",
    "CostExceeded", "Environment", "EvaluationError", "Program", "compile", "none", "optional",
]  # fmt: skip
