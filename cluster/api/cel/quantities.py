"""Quantities: `quantity("1Gi").isGreaterThan(quantity("500Mi"))`."""

from cluster.api import quantity
from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.overloads import Overload, declare, strings_cost
from cluster.api.cel.values import INT_MAX, INT_MIN, Opaque


class Quantity(Opaque):
    """An amount."""

    __slots__ = ("amount",)
    kind = "kubernetes.Quantity"

    def __init__(self, amount: quantity.Amount) -> None:
        self.amount = amount

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and other.amount == self.amount

    def __hash__(self) -> int:
        return hash(self.amount)


def _parsed(text: str) -> Quantity:
    try:
        return Quantity(quantity.parse(text))
    except ValueError as error:
        raise EvaluationError(str(error)) from None


def _is_quantity(text: str) -> bool:
    try:
        quantity.parse(text)
    except ValueError:
        return False
    return True


def _is_integer(value: Quantity) -> bool:
    return isinstance(value.amount, int) and INT_MIN <= value.amount <= INT_MAX


def _as_integer(value: Quantity) -> int:
    if not isinstance(value.amount, int) or not _is_integer(value):
        raise EvaluationError("cannot convert value to integer")
    return value.amount


def _compared(one: Quantity, other: Quantity) -> int:
    return (one.amount > other.amount) - (one.amount < other.amount)


def overloads() -> list[Overload]:
    """What the library declares."""
    cost = strings_cost()
    return [
        declare("quantity(string) -> quantity", _parsed, cost),
        declare("isQuantity(string) -> bool", _is_quantity, cost),
        declare("quantity.sign() -> int", lambda value: (value.amount > 0) - (value.amount < 0)),
        declare("quantity.isInteger() -> bool", _is_integer),
        declare("quantity.asInteger() -> int", _as_integer),
        declare("quantity.asApproximateFloat() -> double", lambda value: float(value.amount)),
        declare("quantity.isGreaterThan(quantity) -> bool", lambda a, b: a.amount > b.amount),
        declare("quantity.isLessThan(quantity) -> bool", lambda a, b: a.amount < b.amount),
        declare("quantity.compareTo(quantity) -> int", _compared),
        declare("quantity.add(quantity) -> quantity", lambda a, b: Quantity(a.amount + b.amount)),
        declare("quantity.add(int) -> quantity", lambda a, b: Quantity(a.amount + b)),
        declare("quantity.sub(quantity) -> quantity", lambda a, b: Quantity(a.amount - b.amount)),
        declare("quantity.sub(int) -> quantity", lambda a, b: Quantity(a.amount - b)),
    ]
