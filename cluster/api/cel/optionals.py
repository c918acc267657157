"""Functions of optional values. `or` and `orValue` do not evaluate what they do not need."""

from typing import Any

from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.overloads import Overload, declare
from cluster.api.cel.values import NONE, Optional, kind_of


def _non_zero(value: Any) -> Optional:
    if kind_of(value) in ("duration",):
        return NONE if value.nanos == 0 else Optional(value)
    if kind_of(value) in ("timestamp", "type"):
        return Optional(value)
    if value is None or value == 0 or value in ("", b"", [], {}):
        return NONE
    return Optional(value)


def _value(found: Optional) -> Any:
    if found is NONE:
        raise EvaluationError("optional.none() dereference")
    return found.value


def _or(found: Optional, other: Any) -> Any:
    return found if found.there else other


def _or_value(found: Optional, other: Any) -> Any:
    return found.value if found.there else other


def overloads() -> list[Overload]:
    """What the library declares."""
    return [
        declare("(A) -> optional(A)", Optional, name="optional.of"),
        declare("(A) -> optional(A)", _non_zero, name="optional.ofNonZeroValue"),
        declare("() -> optional(A)", lambda: NONE, name="optional.none"),
        declare("optional(A).hasValue() -> bool", lambda found: found.there),
        declare("optional(A).value() -> A", _value),
        declare("optional(A).or(optional(A)) -> optional(A)", _or),
        declare("optional(A).orValue(A) -> A", _or_value),
    ]
