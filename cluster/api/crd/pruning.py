"""Pruning: a copy of a custom object without what its schema does not specify.

Rules: apiextensions-apiserver pkg/apiserver/schema/pruning. apiVersion, kind and metadata of the
object and of embedded resources stay: `embedded` looks after them. Nulls where the schema allows
none are dropped too, as https://kubernetes.io/docs says of nullable, but those that a default
replaces or that are elements of a list.
"""

from collections.abc import Callable
from typing import Any, Final

from cluster.api.crd.structure import Schema

META_FIELDS: Final = ("apiVersion", "kind", "metadata")
UNKNOWN_LIMIT: Final = 100  # complaints kept, as Kubernetes' strict decoder keeps them

Prune = Callable[[Any, str, list[str]], Any]
"""(value, its path, paths of what was dropped) to the pruned copy. What was dropped is added."""


def compiled(schema: Schema) -> Prune:
    """The pruning of a whole custom object."""
    return _object(schema, root=True)


def _of(node: Schema | None) -> Prune:
    if node is None:
        return _emptied
    if node.preserve:
        return _preserving(node)
    if not node.properties and node.additional is None and node.items is None:
        return _emptied if not node.embedded else _object(node)
    return _any_kind(node)


def _emptied(value: Any, path: str, unknown: list[str]) -> Any:
    """A value of which nothing is specified: what is in objects goes."""
    kind = type(value)
    if kind is dict:
        for key in value:
            note(unknown, f"{path}.{key}" if path else key)
        return {}
    if kind is list:
        return [_emptied(item, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    return value


def _any_kind(node: Schema) -> Prune:
    """For objects, lists and scalars: a value may be of another kind than its schema says."""
    pruned_object = _object(node)
    pruned_item = _of(node.items)

    def prune(value: Any, path: str, unknown: list[str]) -> Any:
        kind = type(value)
        if kind is dict:
            return pruned_object(value, path, unknown)
        if kind is list:
            return [
                pruned_item(item, f"{path}[{index}]", unknown)
                if type(item) is dict or type(item) is list
                else item
                for index, item in enumerate(value)
            ]
        return value

    return prune


def _object(node: Schema, *, root: bool = False, preserves: bool = False) -> Prune:
    known = {name: _of(inner) for name, inner in node.properties.items()}
    drops_null = {name: _drops_null(inner) for name, inner in node.properties.items()}
    has_rest = node.additional not in (None, False)
    rest = _of(node.element)
    rest_drops = node.element is not None and _drops_null(node.element)
    kept = META_FIELDS if root or node.embedded else ()
    preserves = preserves or bool(node.preserve)

    def prune_object(value: Any, path: str, unknown: list[str]) -> Any:
        if type(value) is not dict:
            return value
        result = {}
        for key, item in value.items():
            inner = known.get(key)
            kind = type(item)
            if key in kept:
                result[key] = item
            elif inner is not None:
                if kind is dict or kind is list:
                    result[key] = inner(item, f"{path}.{key}" if path else key, unknown)
                elif item is not None or not drops_null[key]:
                    result[key] = item
            elif has_rest:
                if kind is dict or kind is list:
                    result[key] = rest(item, f"{path}.{key}" if path else key, unknown)
                elif item is not None or not rest_drops:
                    result[key] = item
            elif preserves:
                result[key] = item
            else:
                note(unknown, f"{path}.{key}" if path else key)
        return result

    return prune_object


def _preserving(node: Schema) -> Prune:
    """x-kubernetes-preserve-unknown-fields: what is specified is pruned inside, the rest stays."""
    pruned_object = _object(node, preserves=True)
    pruned_item = _preserving(node.items) if node.items is not None else None

    def prune(value: Any, path: str, unknown: list[str]) -> Any:
        kind = type(value)
        if kind is dict:
            return pruned_object(value, path, unknown)
        if kind is list and pruned_item is not None:
            return [pruned_item(item, f"{path}[{i}]", unknown) for i, item in enumerate(value)]
        return value

    return prune


def _drops_null(node: Schema) -> bool:
    return not node.nullable and node.default is None


def note(unknown: list[str], path: str) -> None:
    """Keep the path of a field that was dropped, up to UNKNOWN_LIMIT of them."""
    if len(unknown) < UNKNOWN_LIMIT:
        unknown.append(path)


def compiled_part(node: Schema) -> Prune:
    """The pruning of a part of an object, by its node."""
    return _of(node)
