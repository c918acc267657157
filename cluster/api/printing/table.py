"""What a printer is: columns, and a function from an object to the cells of its row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.api import objects
from cluster.api.printing import durations
from cluster.api.resources import Column

NONE = "<none>"

Cells = Callable[[objects.Object, float], list[Any]]
Conditions = Callable[[objects.Object], list[objects.Object]]

NAME = Column("Name", format="name", description="Name must be unique within a namespace.")
AGE = Column("Age", description="Time since the object was created.")


def _unconditional(_obj: objects.Object) -> list[objects.Object]:
    return []


@dataclass(frozen=True, slots=True)
class Printer:
    """Prints the objects of one resource.

    `cells(obj, now)` gives one JSON value a column, `now` in seconds since the epoch.
    `conditions(obj)` gives the TableRowConditions of the row, mostly none.
    """

    columns: tuple[Column, ...]
    cells: Cells
    conditions: Conditions = _unconditional


def wide(name: str, type: str = "string") -> Column:
    """A column that shows with `-o wide` only."""
    return Column(name, type, priority=1)


def age(obj: objects.Object, now: float) -> str:
    """The AGE cell."""
    return durations.since(objects.meta(obj).get("creationTimestamp"), now)


def joined(values: Sequence[str]) -> str:
    """A comma-separated cell."""
    return ",".join(values)


def labels(pairs: dict[str, str] | None) -> str:
    """A set of labels in one cell: `a=1,b=2`, sorted, or `<none>`."""
    return ",".join(f"{key}={pairs[key]}" for key in sorted(pairs)) if pairs else NONE


def label_selector(selector: objects.Object | None) -> str:
    """A LabelSelector in one cell, in the form that `-l` takes."""
    if selector is None:
        return "<error>"
    wanted = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    wanted += [
        (term.get("key", ""), _requirement(term)) for term in selector.get("matchExpressions") or ()
    ]
    return ",".join(text for _, text in sorted(wanted, key=lambda pair: pair[0])) or NONE


def _requirement(term: objects.Object) -> str:
    key, values = term.get("key", ""), ",".join(sorted(term.get("values") or ()))
    match term.get("operator"):
        case "In":
            return f"{key} in ({values})"
        case "NotIn":
            return f"{key} notin ({values})"
        case "DoesNotExist":
            return f"!{key}"
        case _:
            return str(key)
