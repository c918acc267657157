"""Defaults in a schema: they must be pruned and valid themselves.

Rules and words: apiextensions-apiserver pkg/apiserver/schema/defaulting/validation.go.
"""

import copy
from collections.abc import Iterator

from cluster.api import causes, errors
from cluster.api.crd import checking, embedded, pruning
from cluster.api.crd.found import MISSING, Enough, Found, same
from cluster.api.crd.structure import Schema


def check(root: Schema, path: str) -> list[errors.Cause]:
    """What is wrong with the defaults of the schema at `path`."""
    return [*_node(root, path, in_meta=False, root=True)]


def _node(node: Schema, path: str, *, in_meta: bool, root: bool = False) -> Iterator[errors.Cause]:
    in_meta = in_meta and not node.embedded
    if node.default is not None:
        yield from _default(node, f"{path}.default", in_meta=in_meta)
    if node.items is not None:
        yield from _node(node.items, f"{path}.items", in_meta=in_meta)
    for name, inner in node.properties.items():
        meta = in_meta or ((root or node.embedded) and name in pruning.META_FIELDS)
        yield from _node(inner, f"{path}.properties[{name}]", in_meta=meta)
    if node.element is not None:
        yield from _node(node.element, f"{path}.additionalProperties", in_meta=in_meta)


def _default(node: Schema, path: str, *, in_meta: bool) -> Iterator[errors.Cause]:
    value = copy.deepcopy(node.default)
    if not in_meta:
        unknown: list[str] = []
        pruned = pruning.compiled_part(node)(value, "", unknown)
        if unknown or not same(pruned, value):
            yield causes.invalid(path, node.default, "must not have unknown fields")
    found = Found()
    try:
        checking.compiled(node)(value, MISSING, (), found)
        check_embedded = embedded.compiled_check(Schema({}, properties={"": node}))
        if check_embedded is not None and not in_meta:
            check_embedded({"": value}, found)
    except Enough:
        pass
    for cause in found.causes:
        yield _below(cause, path)


def _below(cause: errors.Cause, path: str) -> errors.Cause:
    """A cause about a part of a default, told of the whole definition."""
    if cause.field == "<nil>":
        return errors.Cause(cause.reason, cause.message, path)
    inner = cause.field.lstrip(".")
    return errors.Cause(cause.reason, cause.message, f"{path}.{inner}" if inner else path)
