"""Compile an expression once, run it often."""

from collections.abc import Mapping
from typing import Any, Final

from cluster.api.cel import checker, interpreter, parser
from cluster.api.cel.ast import Expr
from cluster.api.cel.faults import CompileError, CostExceeded, EvaluationError, Fault
from cluster.api.cel.types import DYN, Type

PER_CALL_LIMIT: Final = 1_000_000
"""Cost that one evaluation may have (Kubernetes' PerCallLimit: about a tenth of a second)."""
RUNTIME_BUDGET: Final = 10_000_000
"""Cost of all rules of an object or all expressions of a policy (RuntimeCELCostBudget)."""
MATCH_CONDITIONS_BUDGET: Final = 2_500_000
"""Cost of the matchConditions of one webhook (RuntimeCELCostBudgetMatchConditions)."""


class Budget:
    """What several evaluations may cost together. `left` falls below 0 when it is used up."""

    __slots__ = ("left",)

    def __init__(self, left: int = RUNTIME_BUDGET) -> None:
        self.left = left

    @property
    def exhausted(self) -> bool:
        """Whether more was spent than there was."""
        return self.left < 0


class Environment:
    """What an expression may name: variables with their types, and object types by name.

    `variables` are typed by `types`, `structural.from_schema`, `builtin.from_node` or `types.DYN`.
    `objects` are the types that an expression may construct (`Object{spec: Object.spec{…}}`):
    `mutation.OBJECTS` for MutatingAdmissionPolicy. An environment is shared and never changed.
    """

    __slots__ = ("names", "objects", "variables")

    def __init__(
        self, variables: Mapping[str, Type], objects: "checker.Objects | None" = None
    ) -> None:
        self.variables = dict(variables)
        self.objects = objects
        self.names = {name: place for place, name in enumerate(self.variables)}

    def extended(self, variables: Mapping[str, Type]) -> "Environment":
        """This environment with more variables."""
        return Environment({**self.variables, **variables}, self.objects)


class Program:
    """A checked expression. `type` is that of its value; `variables` those that it names.

    `transition` rules are those with "oldSelf" in `variables`.
    """

    __slots__ = ("_frame", "_run", "_slots", "ast", "text", "type", "variables")

    def __init__(self, text: str, ast: Expr, used: tuple[tuple[str, int], ...], slots: int) -> None:
        self.text = text
        self.ast = ast
        self.type = ast.type
        self.variables = tuple(name for name, _ in used)
        self._slots = used
        self._run, cost = interpreter.compiled(ast)
        self._frame: list[Any] = [cost] + [None] * (slots - 1)

    def run(
        self, bindings: Mapping[str, Any], *, budget: Budget | None = None,
        limit: int = PER_CALL_LIMIT,
    ) -> Any:  # fmt: skip
        """The value, as decoded JSON has it (or a class of `values`).

        Values bound are decoded JSON, never changed; a dict subclass may make values as they are
        asked for (`__missing__` and `__contains__`). A variable that is not bound fails where
        it is used. What it cost is taken from `budget`, also where it fails. EvaluationError in
        cel-go's words, CostExceeded beyond `limit`.
        """
        frame = self._frame.copy()
        frame[1] = limit
        for name, slot in self._slots:
            frame[slot] = bindings.get(name, interpreter.UNBOUND)
        try:
            value = self._run(frame)
        except RecursionError:
            raise EvaluationError("values are nested too deeply") from None
        except UnicodeError:
            # Half of a surrogate pair, which JSON can write: RE2 takes no such text.
            raise EvaluationError("invalid UTF-8") from None
        finally:
            if budget is not None:
                budget.left -= frame[0]
        if frame[0] > limit:
            raise CostExceeded
        return value


def compile(text: str, environment: Environment) -> Program:  # noqa: A001 - cel.compile
    """Parse and check an expression. CompileError with all that is wrong with it."""
    try:
        tree = parser.parse(text)
        checked = checker.check(tree, environment.variables, environment.objects)
        if checked.faults:
            raise CompileError(text, checked.faults)
        return Program(text, tree, checked.used, checked.slots)
    except parser.SyntaxFaults as faults:
        raise CompileError(text, faults.faults) from None
    except RecursionError:
        raise CompileError(text, [Fault(0, parser.TOO_DEEP)]) from None


def result_is(program: Program, *allowed: Type) -> bool:
    """Whether an expression's value is of one of the types; `dyn` may be any."""
    return program.type.kind == DYN.kind or any(program.type.kind == one.kind for one in allowed)
