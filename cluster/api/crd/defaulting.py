"""Defaulting: what the schema gives to fields that are absent, or null where they may not be.

Rules: apiextensions-apiserver pkg/apiserver/schema/defaulting. A default of an object is given
first, then those inside it.
"""

import copy
from collections.abc import Callable
from typing import Any

from cluster.api.crd.structure import Schema

Default = Callable[[Any], None]
"""Fills in defaults inside a value, in place."""


def compiled(schema: Schema) -> Default:
    """The defaulting of a whole custom object."""
    return _of(schema) or _nothing


def _nothing(value: Any) -> None:
    """No field has a default."""


def _of(node: Schema) -> Default | None:
    """None: nothing inside has a default."""
    into_object, into_list = _object(node), _list(node)
    if into_object is None:
        return into_list
    if into_list is None:
        return into_object

    def fill(value: Any) -> None:
        into_object(value)
        into_list(value)

    return fill


def _object(node: Schema) -> Default | None:
    given = [
        (name, _maker(inner.default), inner.nullable)
        for name, inner in node.properties.items()
        if inner.default is not None
    ]
    inside = {name: one for name, inner in node.properties.items() if (one := _of(inner))}
    rest = node.element
    fill_rest = _of(rest) if rest is not None else None
    rest_default = _replacing_null(rest)
    if not given and not inside and fill_rest is None and rest_default is None:
        return None
    known = node.properties

    def fill(value: Any) -> None:
        if type(value) is not dict:
            return
        for name, make, nullable in given:
            if name not in value or (value[name] is None and not nullable):
                value[name] = make()
        for name, fill_one in inside.items():
            if name in value:
                fill_one(value[name])
        if fill_rest is not None or rest_default is not None:
            for key in value:
                if key not in known:
                    _element(value, key, rest_default, fill_rest)

    return fill


def _element(
    holder: Any, place: Any, default: Callable[[], Any] | None, fill: Default | None
) -> None:
    """Fill in an entry of a map or a list: a null gives way to its default."""
    if default is not None and holder[place] is None:
        holder[place] = default()
    if fill is not None:
        fill(holder[place])


def _list(node: Schema) -> Default | None:
    if node.items is None:
        return None
    fill_item, item_default = _of(node.items), _replacing_null(node.items)
    if fill_item is None and item_default is None:
        return None

    def fill(value: Any) -> None:
        if type(value) is not list:
            return
        for index in range(len(value)):
            _element(value, index, item_default, fill_item)

    return fill


def _replacing_null(node: Schema | None) -> Callable[[], Any] | None:
    if node is None or node.nullable or node.default is None:
        return None
    return _maker(node.default)


def _maker(default: Any) -> Callable[[], Any]:
    """Scalars are shared, documents copied: who gets a default may change it."""
    if isinstance(default, dict | list):
        return lambda: copy.deepcopy(default)
    return lambda: default
