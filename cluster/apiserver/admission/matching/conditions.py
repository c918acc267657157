"""matchConditions: CEL that says whether a request is of interest at all.

Source: k8s.io/apiserver pkg/admission/plugin/webhook/matchconditions/matcher.go.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cluster.apiserver.admission.matching.evaluation import Failed, evaluated

if TYPE_CHECKING:
    from cluster.api.policies.expressions import Condition


def matched(conditions: Sequence["Condition"], bindings: Mapping[str, Any], *, fail: bool) -> bool:
    """Whether no condition is false. Failed where one has no value and the policy is to `fail`;
    else that is no match.
    """
    from cluster.api import cel

    budget = cel.Budget(cel.MATCH_CONDITIONS_BUDGET)
    troubles: list[str] = []
    for condition in conditions:
        try:
            if evaluated(condition.text, condition.program, bindings, budget) is False:
                return False
        except Failed as error:
            if error.exhausted:
                troubles = [str(error)]
                break
            troubles.append(str(error))
    if not troubles:
        return True
    if fail:
        told = list(dict.fromkeys(troubles))
        raise Failed(told[0] if len(told) == 1 else f"[{', '.join(told)}]")
    return False
