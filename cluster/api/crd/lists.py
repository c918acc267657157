"""Uniqueness in lists of type set and map.

Rules: apiextensions-apiserver pkg/apiserver/schema/listtype.
"""

from collections.abc import Callable
from typing import Any

from cluster.api import causes, walker
from cluster.api.crd.found import Found, Path
from cluster.api.crd.structure import Schema

Check = Callable[[Any, Path, Found], None]


def compiled(schema: Schema) -> Check | None:
    """The check of all lists of an object; None where the schema has none that must be unique."""
    into_object, into_list = _object(schema), _list(schema)
    if into_object is None and into_list is None:
        return None

    def check(value: Any, path: Path, found: Found) -> None:
        if type(value) is dict and into_object is not None:
            into_object(value, path, found)
        elif type(value) is list and into_list is not None:
            into_list(value, path, found)

    return check


def _object(node: Schema) -> Check | None:
    inside = {name: one for name, inner in node.properties.items() if (one := compiled(inner))}
    rest = compiled(node.element) if node.element is not None else None
    if not inside and rest is None:
        return None
    known = node.properties

    def check(value: Any, path: Path, found: Found) -> None:
        for name, one in inside.items():
            if name in value:
                one(value[name], (path, name), found)
        if rest is not None:
            for key, item in value.items():
                if key not in known:
                    rest(item, (path, key), found)

    return check


def _list(node: Schema) -> Check | None:
    inner = compiled(node.items) if node.items is not None else None
    kind, keys = node.list_type, node.list_map_keys
    if inner is None and kind not in ("set", "map"):
        return None

    def check(value: Any, path: Path, found: Found) -> None:
        if kind == "set":
            _unique(value, value, path, found)
        elif kind == "map":
            _unique_keys(value, keys, path, found)
        if inner is not None:
            for index, item in enumerate(value):
                inner(item, (path, index), found)

    return check


def _unique(items: list[Any], told: list[Any], path: Path, found: Found) -> None:
    """The first repetition of each value is told."""
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        text = causes.shown(item)
        seen[text] = seen.get(text, 0) + 1
        if seen[text] == 2:
            found.put(causes.duplicate(walker.shown((path, index)), told[index]))


def _unique_keys(items: list[Any], keys: tuple[str, ...], path: Path, found: Found) -> None:
    for index, item in enumerate(items):
        if item is not None and type(item) is not dict:
            why = "must be an object for an array of list-type map"
            found.put(causes.invalid(walker.shown((path, index)), item, why))
            return
    values = [{key: item[key] for key in keys if key in item} if item else {} for item in items]
    _unique(values, values, path, found)
