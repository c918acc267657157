"""What the expressions of a policy are given, and their values."""

from typing import TYPE_CHECKING, Any

from cluster.api.objects import Object
from cluster.apiserver.admission.matching import conditions, evaluation
from cluster.apiserver.admission.policies.definition import Expression, Policy

if TYPE_CHECKING:
    from cluster.api import cel


class Variables(dict[str, Any]):
    """The variables of a policy, each with its value from when it is first asked for."""

    def __init__(self, policy: Policy, bindings: dict[str, Any], budget: "cel.Budget") -> None:
        super().__init__()
        self._known = dict(policy.variables)
        self._bindings = bindings
        self._budget = budget

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __missing__(self, name: str) -> Any:
        from cluster.api import cel

        program = self._known[name].program
        if isinstance(program, Exception):
            raise cel.EvaluationError(f'composited variable "{name}" fails to compile: {program}')
        try:
            value = self[name] = program.run(self._bindings, budget=self._budget)
        except cel.EvaluationError as error:
            why = f'composited variable "{name}" fails to evaluate: {error}'
            raise cel.EvaluationError(why) from None
        return value


class Evaluator:
    """The expressions of a policy over one request with one set of parameters."""

    def __init__(self, policy: Policy, bindings: dict[str, Any], params: Object | None) -> None:
        from cluster.api import cel

        self._policy = policy
        self._bindings = bindings | {"params": params}
        self._budget = cel.Budget()
        self._renew()

    def matched(self) -> bool:
        """Whether the matchConditions hold. Failed."""
        policy = self._policy
        if not policy.conditions:
            return True
        without = self._bindings | {"namespaceObject": None}
        return conditions.matched(policy.conditions, without, fail=policy.fails)

    def value(self, expression: Expression) -> Any:
        """The value of an expression. Failed."""
        return evaluation.evaluated(
            expression.text, expression.program, self._bindings, self._budget
        )

    def afresh(self) -> None:
        """Give the expressions that follow a budget of their own, and new variables."""
        from cluster.api import cel

        self._budget = cel.Budget()
        self._renew()

    def _renew(self) -> None:
        if self._policy.variables:
            variables = Variables(self._policy, self._bindings, self._budget)
            self._bindings["variables"] = variables
