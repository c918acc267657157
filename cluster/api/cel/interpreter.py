"""From a checked tree to code: each part becomes a closure that takes the evaluation's frame."""

from collections.abc import Callable
from typing import Any, Final

from cluster.api.cel import attributes, branching, calls, containers, loops, operators
from cluster.api.cel.ast import (
    Bind,
    Call,
    Conditional,
    Construct,
    Expr,
    Ident,
    ListOf,
    Literal,
    Logic,
    Loop,
    MapOf,
    Select,
)
from cluster.api.cel.closures import UNBOUND, Code

__all__ = ["UNBOUND", "compiled"]


def compiled(tree: Expr) -> Code:
    """The code of a checked tree and what it costs at least."""
    return _BUILD[type(tree)](tree)


def _literal(tree: Literal) -> Code:
    value = tree.value
    return Code(lambda _: value, 0)


def _call(tree: Call) -> Code:
    special = _CALLS.get(tree.function)
    return calls.call(tree, compiled) if special is None else special(tree, compiled)


_CALLS: Final[dict[str, Callable[..., Code]]] = {
    "_==_": operators.equality, "_!=_": operators.equality,
    "_<_": operators.comparison, "_<=_": operators.comparison,
    "_>_": operators.comparison, "_>=_": operators.comparison,
    "@in": containers.within, "_[_]": containers.index, "_[?_]": containers.index,
}  # fmt: skip
_BUILD: Final[dict[type[Expr], Callable[[Any], Code]]] = {
    Literal: _literal,
    Ident: attributes.ident,
    Call: _call,
    Select: lambda tree: attributes.select(tree, compiled),
    Logic: lambda tree: branching.logic(tree, compiled),
    Conditional: lambda tree: branching.conditional(tree, compiled),
    ListOf: lambda tree: containers.list_of(tree, compiled),
    MapOf: lambda tree: containers.map_of(tree, compiled),
    Construct: lambda tree: containers.construct(tree, compiled),
    Loop: lambda tree: loops.loop(tree, compiled),
    Bind: lambda tree: loops.bind(tree, compiled),
}
