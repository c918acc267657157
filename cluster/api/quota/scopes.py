"""Which objects a quota concerns: its scopes and its scope selector."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from cluster.api.objects import Object
from cluster.api.quota import names
from cluster.api.quota.measuring import Facts

_OF_PODS = (
    "Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass",
    "CrossNamespacePodAffinity",
)  # fmt: skip


class Term(NamedTuple):
    """One requirement: a scope, and what its value must be."""

    scope: str
    operator: str = "Exists"
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As Go prints it."""
        return f"{{{self.scope} {self.operator} [{' '.join(self.values)}]}}"


def terms(spec: Object) -> tuple[Term, ...]:
    """The requirements of a quota's spec."""
    selector = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return (*(Term(scope) for scope in spec.get("scopes") or ()), *of_selector(selector))


def of_selector(listed: Iterable[Any]) -> tuple[Term, ...]:
    """The requirements of a list of expressions."""
    return tuple(
        Term(
            str(each.get("scopeName") or ""),
            str(each.get("operator") or "Exists"),
            tuple(each.get("values") or ()),
        )
        for each in listed
    )


def match(wanted: Sequence[Term], resource: str, facts: Facts) -> bool:
    """Whether an object meets all requirements. Others than pods and claims meet none."""
    return all(meets(term, resource, facts) for term in wanted)


def meets(term: Term, resource: str, facts: Facts) -> bool:
    """Whether an object meets a requirement."""
    if resource == names.CLAIMS:
        if term.scope != "VolumeAttributesClass":
            return False
        found = facts.attributes_classes
        return any(_selects(term, each) for each in found) if found else _selects(term, "")
    if resource != names.PODS or term.scope not in _OF_PODS:
        return False
    if term.scope == "PriorityClass":
        return _selects(term, facts.priority_class)
    if term.scope == "CrossNamespacePodAffinity":
        return facts.across_namespaces
    if term.scope in ("Terminating", "NotTerminating"):
        return facts.terminating == (term.scope == "Terminating")
    return facts.best_effort == (term.scope == "BestEffort")


def _selects(term: Term, value: str) -> bool:
    """As a label selector would, of a label that is not there where the value is empty."""
    if term.operator == "Exists":
        return bool(value)
    if term.operator == "DoesNotExist":
        return not value
    if term.operator == "In":
        return bool(value) and value in term.values
    return value not in term.values
