"""Printer columns of a custom resource: what `kubectl get` shows.

What a cell holds by its column's type: apiextensions-apiserver pkg/registry/customresource/
tableconvertor.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cluster.api import causes, objects
from cluster.api.crd import jsonpath
from cluster.api.crd.found import go_number
from cluster.api.printing import durations
from cluster.api.printing.table import Printer
from cluster.api.resources import Column

_NAME: Final = Column(
    "Name", "string", "name", "Name must be unique within a namespace."
)  # fmt: skip
_AGE: Final[Mapping[str, Any]] = {
    "name": "Age",
    "type": "date",
    "jsonPath": ".metadata.creationTimestamp",
    "description": "Time since the object was created.",
}

Cell = Callable[[objects.Object, float], Any]


def printer(said: Sequence[Mapping[str, Any]]) -> Printer:
    """The printer of additionalPrinterColumns; the age alone where there are none."""
    columns = [*said] or [_AGE]
    cells = [_cell(column) for column in columns]

    def row(obj: objects.Object, now: float) -> list[Any]:
        return [objects.name(obj), *(cell(obj, now) for cell in cells)]

    return Printer((_NAME, *map(_column, columns)), row)


def _column(said: Mapping[str, Any]) -> Column:
    described = f"Custom resource definition column (in JSONPath format): {said.get('jsonPath')}"
    return Column(
        str(said.get("name") or ""),
        str(said.get("type") or ""),
        str(said.get("format") or ""),
        str(said.get("description") or "") or described,
        int(said.get("priority") or 0),
    )


def _cell(said: Mapping[str, Any]) -> Cell:
    try:
        path = jsonpath.parse(str(said.get("jsonPath") or ""))
    except jsonpath.Malformed:
        return lambda obj, now: None
    shown = _SHOWN.get(str(said.get("type")), _nothing)

    def cell(obj: objects.Object, now: float) -> Any:
        value = path.first(obj)
        return None if value is None else shown(value, now)

    return cell


def _nothing(value: Any, now: float) -> Any:
    return None


def _text(value: Any, now: float) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return go_number(value) if isinstance(value, int | float) else causes.shown(value)


def _number(value: Any, now: float) -> Any:
    return value if type(value) in (int, float) else None


def _integer(value: Any, now: float) -> Any:
    return int(value) if type(value) in (int, float) else None


def _boolean(value: Any, now: float) -> Any:
    return value if type(value) is bool else None


def _date(value: Any, now: float) -> Any:
    if not isinstance(value, str):
        return None
    age = durations.since(value, now)
    return "<invalid>" if value and age == durations.UNKNOWN else age


_SHOWN: Final[Mapping[str, Callable[[Any, float], Any]]] = {
    "string": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
}
