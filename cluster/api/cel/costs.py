"""What an expression may cost at least and at most, before it runs.

Rules: cel-go's checker/cost.go and the apiserver's pkg/cel/library/cost.go. Sizes of what comes
from variables are those that their types allow (`Type.largest`: maxLength, maxItems and
maxProperties of the schema, or what fits into a request). What is not known is without bound.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

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
from cluster.api.cel.costfunctions import call_cost
from cluster.api.cel.program import Program
from cluster.api.cel.ranges import FREE, ONE, UNKNOWN, Range, fixed, total, union

ESTIMATE_LIMIT: Final = 10_000_000
"""What a rule may be estimated to cost, times how often it may run (StaticEstimatedCostLimit)."""
CRD_ESTIMATE_LIMIT: Final = 100_000_000
"""The same of all rules of a CRD version together (StaticEstimatedCRDCostLimit)."""

_SCALARS: Final = frozenset(
    ("bool", "int", "uint", "double", "null_type", "timestamp", "duration", "type")
)
_LIST, _MAP, _STRUCT = fixed(10), fixed(30), fixed(40)


def estimate(program: Program) -> Range:
    """The least and the greatest cost of one evaluation; `most` is 2**64-1 where unbounded."""
    return _Coster().cost(program.ast)


class _Entry(NamedTuple):
    """Sizes of what a list or map that an expression made holds."""

    key: Range
    value: Range


class _Local(NamedTuple):
    path: bool
    size: Range | None
    entry: _Entry | None


class _Coster:
    def __init__(self) -> None:
        self._paths: set[int] = set()
        self._sizes: dict[int, Range] = {}
        self._entries: dict[int, _Entry | None] = {}
        self._locals: dict[str, _Local] = {}

    def cost(self, tree: Expr) -> Range:
        return _COSTS[type(tree)](self, tree)

    # --- sizes ---

    def size(self, tree: Expr) -> Range:
        """How large the value of a part may be, that was costed before."""
        known = self._sizes.get(id(tree))
        if known is not None:
            return known
        if isinstance(tree, Literal):
            sized = tree.value if isinstance(tree.value, str | bytes) else "."
            return fixed(len(sized))
        if isinstance(tree, ListOf):
            return fixed(len(tree.elements))
        if isinstance(tree, MapOf):
            return fixed(len(tree.entries))
        if id(tree) in self._paths:
            return Range(0, tree.type.largest or 0)
        if tree.type.kind in _SCALARS:
            return ONE
        local = self._locals.get(tree.name) if isinstance(tree, Ident) else None
        return UNKNOWN if local is None or local.size is None else local.size

    def element(self, tree: Expr) -> Range:
        """How large an element of a list or map may be."""
        entry = self._entries.get(id(tree))
        if entry is not None:
            return entry.value
        inner = tree.type.params[-1] if tree.type.params else None
        if inner is not None and id(tree) in self._paths:
            return Range(0, inner.largest or 0)
        return ONE if inner is not None and inner.kind in _SCALARS else UNKNOWN

    # --- parts ---

    def _literal(self, tree: Literal) -> Range:
        return FREE

    def _ident(self, tree: Ident) -> Range:
        local = self._locals.get(tree.name)
        if local is None:
            self._paths.add(id(tree))
            return ONE
        if local.path:
            self._paths.add(id(tree))
        if local.size is not None:
            self._sizes[id(tree)] = local.size
        self._entries[id(tree)] = local.entry
        return ONE

    def _select(self, tree: Select) -> Range:
        operand = self.cost(tree.operand)
        if id(tree.operand) in self._paths:
            self._paths.add(id(tree))
        if tree.test:
            return operand
        if tree.optional or tree.operand.type.kind in ("map", "object", "param", "optional_type"):
            return operand.plus(ONE)
        return operand

    def _call(self, tree: Call) -> Range:
        operands = tree.operands()
        spent = total(self.cost(item) for item in operands)
        if tree.function in ("_[_]", "_[?_]"):
            if id(operands[0]) in self._paths:
                self._paths.add(id(tree))
            else:
                self._sizes[id(tree)] = self.element(operands[0])
            return spent.plus(ONE)
        if tree.function == "dyn":
            self._copy(tree, operands[0])
            return spent.plus(ONE)
        elements = self.element(operands[0]) if operands else UNKNOWN
        sizes = [self.size(item) for item in operands]
        found, size = call_cost(tree, sizes, elements)
        if size is not None:
            self._sizes[id(tree)] = size
        if tree.function == "_+_":
            self._entries[id(tree)] = self._union(operands)
        return spent.plus(found)

    def _copy(self, tree: Expr, source: Expr) -> None:
        self._sizes[id(tree)] = self.size(source)
        self._entries[id(tree)] = self._entry(source)

    def _entry(self, tree: Expr) -> _Entry | None:
        known = self._entries.get(id(tree))
        if known is None and id(tree) in self._paths and tree.type.params:
            key = tree.type.params[0].largest if tree.type.kind == "map" else 1
            return _Entry(Range(0, key or 0), self.element(tree))
        return known

    def _union(self, parts: Sequence[Expr]) -> _Entry | None:
        found = [self._entry(part) for part in parts]
        if any(item is None for item in found):
            return None
        known = [item for item in found if item is not None]
        return _Entry(union(item.key for item in known), union(item.value for item in known))

    def _logic(self, tree: Logic) -> Range:
        costs = [self.cost(part) for part in tree.parts]
        return Range(costs[0].least, total(costs).most)

    def _conditional(self, tree: Conditional) -> Range:
        asked = self.cost(tree.test)
        branches = [self.cost(tree.yes), self.cost(tree.no)]
        self._sizes[id(tree)] = union((self.size(tree.yes), self.size(tree.no)))
        self._entries[id(tree)] = self._union([tree.yes, tree.no])
        return asked.plus(union(branches))

    def _list(self, tree: ListOf) -> Range:
        spent = total(self.cost(item) for item in tree.elements)
        sizes = [self.size(item) for item in tree.elements] or [FREE]
        self._entries[id(tree)] = _Entry(ONE, union(sizes))
        return spent.plus(_LIST)

    def _map(self, tree: MapOf) -> Range:
        spent = total(self.cost(item.key).plus(self.cost(item.value)) for item in tree.entries)
        keys = [self.size(item.key) for item in tree.entries] or [FREE]
        values = [self.size(item.value) for item in tree.entries] or [FREE]
        self._entries[id(tree)] = _Entry(union(keys), union(values))
        return spent.plus(_MAP)

    def _construct(self, tree: Construct) -> Range:
        return total(self.cost(item.value) for item in tree.entries).plus(_STRUCT)

    # --- macros ---

    def _loop(self, tree: Loop) -> Range:
        once = self.cost(tree.range)
        kept = {name: self._locals.get(name) for name in tree.names}
        self._name(tree)
        parts = [self.cost(part) for part in tree.parts]
        last = self.size(tree.parts[-1])
        self._restore(kept)
        init, turn = _turn(tree, parts)
        count = self.size(tree.range)
        if tree.macro in ("all", "exists", "exists_one"):
            self._sizes[id(tree)] = ONE
        else:
            self._sizes[id(tree)] = count
            value = self.element(tree.range) if tree.macro == "filter" else last
            self._entries[id(tree)] = _Entry(ONE, value)
        result = fixed(2) if tree.macro == "exists_one" else ONE
        return once.plus(init).plus(count.times(turn)).plus(result)

    def _name(self, tree: Loop) -> None:
        ranged = tree.range
        path = id(ranged) in self._paths
        entry = self._entry(ranged)
        key = None if entry is None else entry.key
        value = None if entry is None else entry.value
        if len(tree.names) == 2:
            index = ranged.type.kind == "list"
            self._locals[tree.names[0]] = _Local(path and not index, ONE if index else key, None)
            self._locals[tree.names[1]] = _Local(path, None if path else value, None)
            return
        size = key if ranged.type.kind == "map" else value
        self._locals[tree.names[0]] = _Local(path, None if path else size, None)

    def _restore(self, kept: dict[str, _Local | None]) -> None:
        for name, previous in kept.items():
            if previous is None:
                self._locals.pop(name, None)
            else:
                self._locals[name] = previous

    def _bind(self, tree: Bind) -> Range:
        value = self.cost(tree.value)
        kept = {tree.name: self._locals.get(tree.name)}
        path = id(tree.value) in self._paths
        size = self.size(tree.value) if tree.macro == "bind" and not path else None
        self._locals[tree.name] = _Local(path, size, self._entry(tree.value))
        body = self.cost(tree.body)
        self._restore(kept)
        if tree.macro == "bind":
            self._copy(tree, tree.body)
            return value.plus(_LIST).plus(body)
        # hasValue() ? optional.of(bind of value()) : optional.none()
        given = value.plus(ONE).plus(_LIST).plus(body).plus(ONE)
        return value.plus(ONE).plus(union((given, ONE)))


def _turn(tree: Loop, parts: list[Range]) -> tuple[Range, Range]:
    """What it costs to begin a loop, and each turn of it."""
    part = parts[-1]
    if tree.macro == "all":
        return FREE, Range(3, fixed(3).plus(part).most)
    if tree.macro == "exists":
        return FREE, Range(4, fixed(4).plus(part).most)
    if tree.macro == "exists_one":
        return FREE, part.plus(Range(1, 2))
    if tree.macro == "filter":
        return _LIST, part.plus(Range(1, 13))
    init, step = {"transformMap": (_MAP, 3), "transformMapEntry": (_MAP, 2)}.get(
        tree.macro, (_LIST, 12)
    )
    made = part.plus(fixed(step))
    return init, made if len(parts) == 1 else parts[0].plus(union((made, ONE)))


_COSTS: Final[dict[type[Expr], Callable[..., Range]]] = {
    Literal: _Coster._literal, Ident: _Coster._ident, Select: _Coster._select,  # noqa: SLF001
    Call: _Coster._call, Logic: _Coster._logic, Conditional: _Coster._conditional,  # noqa: SLF001
    ListOf: _Coster._list, MapOf: _Coster._map, Construct: _Coster._construct,  # noqa: SLF001
    Loop: _Coster._loop, Bind: _Coster._bind,  # noqa: SLF001
}  # fmt: skip

__all__ = ["CRD_ESTIMATE_LIMIT", "ESTIMATE_LIMIT", "Range", "estimate"]
