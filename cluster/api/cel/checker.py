"""Type checking: finds the type of every part and which overloads a call may mean.

Rules and words are cel-go's (package checker), with homogeneous lists and maps as Kubernetes asks
for. Trees are annotated in place: `Expr.type`, slots of names, keys of fields, overloads of calls.

One file, though it is long: one method a kind of expression, and all of them share one state.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from cluster.api.cel import types
from cluster.api.cel.assigning import Bindings
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
from cluster.api.cel.faults import Fault
from cluster.api.cel.overloads import Overload, functions
from cluster.api.cel.types import BOOL, DYN, ERROR, INT, NULL, STRING, Type
from cluster.api.cel.validators import literal_fault

Objects = Callable[[str], Type | None]
"""The object type of a name that an expression may construct, or None."""

FIRST_SLOT: Final = 2
"""Places of the frame before variables: the cost so far and its limit."""

TYPE_NAMES: Final[Mapping[str, Type]] = {
    "bool": BOOL, "int": INT, "uint": types.UINT, "double": types.DOUBLE, "string": STRING,
    "bytes": types.BYTES, "null_type": NULL, "list": types.list_of(DYN),
    "map": types.map_of(DYN, DYN), "type": types.type_of(DYN), "dyn": DYN,
    "google.protobuf.Timestamp": types.TIMESTAMP, "google.protobuf.Duration": types.DURATION,
    "optional_type": types.optional_of(DYN),
    **{
        name: types.opaque(name)
        for name in (
            "kubernetes.Quantity", "kubernetes.URL", "net.IP", "net.CIDR",
            "kubernetes.NamedFormat", "kubernetes.Semver",
        )
    },
}  # fmt: skip

# Results for arguments of plain types, by function, style and kinds: found once a process.
_RESOLVED: Final[dict[tuple[Any, ...], tuple[list[Overload], Type]]] = {}
_RESOLVED_LIMIT: Final = 4096


class Checked(NamedTuple):
    """What was found: what is wrong, the variables used with their slots, the frame's size."""

    faults: list[Fault]
    used: tuple[tuple[str, int], ...]
    slots: int


def check(tree: Expr, variables: Mapping[str, Type], objects: Objects | None = None) -> Checked:
    """Check and annotate a tree."""
    checker = _Checker(variables, objects)
    checker.check(tree)
    if checker.bindings.names:
        tree.type = checker.bindings.resolved(tree.type)
    return Checked(checker.faults, tuple(checker.used.items()), checker.slots)


class _Checker:
    def __init__(self, variables: Mapping[str, Type], objects: Objects | None) -> None:
        self.faults: list[Fault] = []
        self.used: dict[str, int] = {}
        self.slots = FIRST_SLOT
        self.bindings = Bindings()
        self._variables = variables
        self._objects = objects
        self._locals: dict[str, tuple[int, Type]] = {}
        self._dotted = any("." in name for name in variables)

    def check(self, tree: Expr) -> Type:
        found: Type = _CHECKS[type(tree)](self, tree)
        tree.type = found
        return found

    def _fault(self, offset: int, said: str) -> Type:
        self.faults.append(Fault(offset, said))
        return ERROR

    # --- names and fields ---

    def _literal(self, tree: Literal) -> Type:
        return tree.type

    def _ident(self, tree: Ident) -> Type:
        name = tree.name
        local = self._locals.get(name)
        if local is not None:
            tree.slot = local[0]
            return local[1]
        declared = self._variables.get(name)
        if declared is not None:
            tree.slot = self._variable(name)
            return declared
        if name in TYPE_NAMES:
            return types.type_of(TYPE_NAMES[name])
        return self._fault(tree.offset, f"undeclared reference to '{name}' (in container '')")

    def _variable(self, name: str) -> int:
        slot = self.used.get(name)
        if slot is None:
            slot = self.used[name] = self._slot()
        return slot

    def _slot(self) -> int:
        self.slots += 1
        return self.slots - 1

    def _select(self, tree: Select) -> Type:
        if self._dotted and not tree.test and (dotted := self._variable_name(tree)):
            tree.slot = self._variable(dotted)
            return self._variables[dotted]
        if not tree.test and (qualified := self._qualified(tree)) in TYPE_NAMES:
            tree.key = qualified
            return types.type_of(TYPE_NAMES[qualified])
        operand = self.bindings.resolved(self.check(tree.operand))
        inside = operand.params[0] if operand.kind == "optional_type" else operand
        found = self._field(tree, inside)
        if tree.test:
            return BOOL
        if (tree.optional or inside is not operand) and found.kind != "optional_type":
            return types.optional_of(found)
        return found

    def _field(self, tree: Select, operand: Type) -> Type:
        kind = operand.kind
        if kind == "object":
            field = operand.fields.get(tree.field)
            if field is not None:
                tree.key = field.name
                return field.type
            if "*" in operand.fields:
                return DYN
            return self._fault(tree.offset, f"undefined field '{tree.field}'")
        if kind == "map":
            return operand.params[1]
        if kind in ("dyn", "error", "param"):
            return DYN
        said = f"type '{operand.shown()}' does not support field selection"
        return self._fault(tree.offset, said)

    def _qualified(self, tree: Expr) -> str:
        """The dotted name that a tree may be, where its first part is no variable; else ""."""
        names: list[str] = []
        while type(tree) is Select:
            if tree.test or tree.optional:
                return ""
            names.append(tree.field)
            tree = tree.operand
        if type(tree) is not Ident or tree.name in self._locals or tree.name in self._variables:
            return ""
        names.append(tree.name)
        return ".".join(reversed(names))

    def _variable_name(self, tree: Select) -> str:
        """The variable with dots in its name that a selection is, or ""."""
        if not isinstance(tree.operand, Ident) or tree.operand.name in self._locals:
            return ""
        name = f"{tree.operand.name}.{tree.field}"
        return name if name in self._variables else ""

    # --- calls ---

    def _call(self, tree: Call) -> Type:
        function = tree.function
        if tree.target is not None:
            qualified = self._qualified(tree.target)
            if qualified and f"{qualified}.{function}" in functions():
                tree.function = function = f"{qualified}.{function}"
                tree.target = None
        special = _SPECIAL.get(function)
        found = [self.check(item) for item in tree.operands()]
        if special is not None:
            return special(self, tree, *found)
        known = functions().get(function)
        if known is None:
            said = f"undeclared reference to '{function}' (in container '')"
            return self._fault(tree.offset, said)
        literal = literal_fault(tree)
        if literal is not None:
            self.faults.append(literal)
        return self._resolve(tree, known, found)

    def _resolve(self, tree: Call, known: list[Overload], found: list[Type]) -> Type:
        member = tree.target is not None
        plain = not any(item.params or item.kind in ("object", "param") for item in found)
        if plain:
            key = (tree.function, member, *(item.kind for item in found))
            kept = _RESOLVED.get(key)
            if kept is not None:
                tree.overloads = kept[0]
                return kept[1]
        matching: list[Overload] = []
        result: Type | None = None
        shared = True
        for overload in known:
            if overload.member != member or len(overload.params) != len(found):
                continue
            one = self._matched(overload, found)
            if one is None:
                continue
            shared = shared and not overload.generic
            result = one if result is None or types.same(result, one) else DYN
            matching.append(overload)
        if result is None:
            return self._no_overload(tree.offset, tree.function, found, member=member)
        tree.overloads = matching
        if plain and shared and len(_RESOLVED) < _RESOLVED_LIMIT:
            _RESOLVED[key] = (matching, result)
        return result

    def _matched(self, overload: Overload, found: list[Type]) -> Type | None:
        """The result of an overload for arguments of these types; None where they do not fit."""
        if not overload.generic:
            fits = all(map(self.bindings.assignable, overload.params, found))
            return overload.result if fits else None
        renamed = self.bindings.fresh()
        kept = self.bindings.saved()
        for declared, given in zip(overload.params, found, strict=True):
            if not self.bindings.assignable(renamed(declared), given):
                self.bindings.restore(kept)
                return None
        result = self.bindings.resolved(renamed(overload.result))
        if overload.function == "_+_" and found[0].kind == "list" and found[0].listing != "atomic":
            return found[0]
        return result

    def _no_overload(
        self, offset: int, function: str, found: list[Type], *, member: bool = False
    ) -> Type:
        shown = [self.bindings.resolved(item).shown() for item in found]
        applied = f"({', '.join(shown)})"
        if member:
            applied = f"{shown[0]}.({', '.join(shown[1:])})"
        said = f"found no matching overload for '{function}' applied to '{applied}'"
        return self._fault(offset, said)

    def _equality(self, tree: Call, left: Type, right: Type) -> Type:
        if self._agree(left, right):
            return BOOL
        return self._no_overload(tree.offset, tree.function, [left, right])

    def _agree(self, left: Type, right: Type) -> bool:
        return self.bindings.assignable(left, right) or self.bindings.assignable(right, left)

    def _in(self, tree: Call, left: Type, right: Type) -> Type:
        right = self.bindings.resolved(right)
        if right.kind in ("dyn", "error"):
            return BOOL
        if right.kind in ("list", "map") and self._agree(right.params[0], left):
            return BOOL
        return self._no_overload(tree.offset, tree.function, [left, right])

    def _index(self, tree: Call, operand: Type, index: Type) -> Type:
        operand = self.bindings.resolved(operand)
        inside = operand.params[0] if operand.kind == "optional_type" else operand
        wrapped = inside is not operand or tree.function == "_[?_]"
        if inside.kind in ("dyn", "error", "param"):
            return types.optional_of(DYN) if wrapped else DYN
        if inside.kind == "list" and self.bindings.assignable(INT, index):
            found = inside.params[0]
        elif inside.kind == "map" and self.bindings.assignable(inside.params[0], index):
            found = inside.params[1]
        else:
            return self._no_overload(tree.offset, tree.function, [operand, index])
        return types.optional_of(found) if wrapped else found

    # --- branches ---

    def _logic(self, tree: Logic) -> Type:
        name = "_&&_" if tree.every else "_||_"
        left = self.check(tree.parts[0])
        for offset, part in zip(tree.offsets, tree.parts[1:], strict=True):
            right = self.check(part)
            if not (self.bindings.assignable(BOOL, left) and self.bindings.assignable(BOOL, right)):
                self._no_overload(offset, name, [left, right])
                left = ERROR
            else:
                left = BOOL
        return left

    def _conditional(self, tree: Conditional) -> Type:
        test, yes, no = self.check(tree.test), self.check(tree.yes), self.check(tree.no)
        if not self.bindings.assignable(BOOL, test) or not self._agree(yes, no):
            return self._no_overload(tree.offset, "_?_:_", [test, yes, no])
        return self.bindings.joined(yes, no)

    # --- things made ---

    def _list(self, tree: ListOf) -> Type:
        element: Type | None = None
        for place, item in enumerate(tree.elements):
            found = self.check(item)
            if place in tree.optional:
                found = self._unwrapped(item, found)
            element = self._joined(item.offset, element, found)
        return types.list_of(self.bindings.variable() if element is None else element)

    def _unwrapped(self, item: Expr, found: Type) -> Type:
        found = self.bindings.resolved(found)
        if found.kind == "optional_type":
            return found.params[0]
        if found.kind not in ("dyn", "error"):
            expected = types.optional_of(found).shown()
            self._fault(item.offset, f"expected type '{expected}' but found '{found.shown()}'")
        return DYN

    def _joined(self, offset: int, previous: Type | None, current: Type) -> Type:
        if previous is None:
            return current
        if not self._agree(previous, current):
            shown = self.bindings.resolved(previous).shown()
            other = self.bindings.resolved(current).shown()
            self._fault(offset, f"expected type '{shown}' but found '{other}'")
            return previous
        return self.bindings.joined(previous, current)

    def _map(self, tree: MapOf) -> Type:
        key: Type | None = None
        value: Type | None = None
        for entry in tree.entries:
            key = self._joined(entry.key.offset, key, self.check(entry.key))
            found = self.check(entry.value)
            if entry.optional:
                found = self._unwrapped(entry.value, found)
            value = self._joined(entry.value.offset, value, found)
        if key is None or value is None:
            return types.map_of(self.bindings.variable(), self.bindings.variable())
        return types.map_of(key, value)

    def _construct(self, tree: Construct) -> Type:
        made = None if self._objects is None else self._objects(tree.name)
        for entry in tree.entries:
            found = self.check(entry.value)
            if made is None:
                continue
            field = made.fields.get(entry.key) or made.fields.get("*")
            if field is None:
                self._fault(entry.offset, f"undefined field '{entry.key}'")
                continue
            if entry.optional:
                found = self._unwrapped(entry.value, found)
            if not self.bindings.assignable(field.type, found):
                self._fault(
                    entry.offset,
                    f"expected type of field '{entry.key}' is '{field.type.shown()}' but provided "
                    f"type is '{self.bindings.resolved(found).shown()}'",
                )
        if made is None:
            said = f"undeclared reference to '{tree.name}' (in container '')"
            return self._fault(tree.offset, said)
        return made

    # --- macros ---

    def _loop(self, tree: Loop) -> Type:
        ranged = self.bindings.resolved(self.check(tree.range))
        declared = self._loop_types(tree, ranged)
        kept = {name: self._locals.get(name) for name in tree.names}
        for name, found in zip(tree.names, declared, strict=True):
            slot = self._slot()
            tree.slots.append(slot)
            self._locals[name] = (slot, found)
        parts = [self.check(part) for part in tree.parts]
        self._forget(kept)
        return self._loop_result(tree, ranged, parts)

    def _forget(self, kept: dict[str, tuple[int, Type] | None]) -> None:
        for name, previous in kept.items():
            if previous is None:
                del self._locals[name]
            else:
                self._locals[name] = previous

    def _loop_types(self, tree: Loop, ranged: Type) -> list[Type]:
        two = len(tree.names) == 2
        if ranged.kind == "list":
            return [INT, ranged.params[0]] if two else [ranged.params[0]]
        if ranged.kind == "map":
            return list(ranged.params) if two else [ranged.params[0]]
        if ranged.kind not in ("dyn", "error", "param"):
            self._fault(
                tree.range.offset,
                f"expression of type '{ranged.shown()}' cannot be range of a comprehension "
                "(must be list, map, or dynamic)",
            )
            return [ERROR] * len(tree.names)
        return [DYN] * len(tree.names)

    def _loop_result(self, tree: Loop, ranged: Type, parts: list[Type]) -> Type:
        macro, value = tree.macro, self.bindings.resolved(parts[-1])
        if macro in ("all", "exists"):
            sign = "_&&_" if macro == "all" else "_||_"
            if not self.bindings.assignable(BOOL, value):
                self._no_overload(tree.offset, sign, [BOOL, value])
            return BOOL
        element = ranged.params[0] if ranged.kind in ("list", "map") else DYN
        made = types.list_of(element if macro == "filter" else value)
        counted = INT if macro == "exists_one" else made
        if macro in ("exists_one", "filter") or len(parts) == 2:
            test = self.bindings.resolved(parts[0])
            if not self.bindings.assignable(BOOL, test):
                self._no_overload(tree.offset, "_?_:_", [test, counted, counted])
        if macro == "exists_one":
            return BOOL
        if macro == "transformMap":
            key = INT if ranged.kind == "list" else element
            return types.map_of(key, value)
        if macro == "transformMapEntry":
            if value.kind not in ("map", "dyn", "error"):
                self._no_overload(tree.offset, "cel.@mapInsert", [types.map_of(DYN, DYN), value])
            return value
        return made

    def _bind(self, tree: Bind) -> Type:
        value = self.bindings.resolved(self.check(tree.value))
        optional = tree.macro != "bind"
        inside = value
        if optional:
            inside = value.params[0] if value.kind == "optional_type" else DYN
            if value.kind not in ("optional_type", "dyn", "error"):
                self._no_overload(tree.offset, "hasValue", [value], member=True)
        kept = {tree.name: self._locals.get(tree.name)}
        tree.slot = self._slot()
        self._locals[tree.name] = (tree.slot, inside)
        body = self.bindings.resolved(self.check(tree.body))
        self._forget(kept)
        if tree.macro == "optMap":
            return types.optional_of(body)
        if tree.macro == "optFlatMap" and body.kind not in ("optional_type", "dyn", "error"):
            none = types.optional_of(DYN)
            return self._no_overload(tree.offset, "_?_:_", [BOOL, body, none])
        return body


_SPECIAL: Final[dict[str, Callable[..., Type]]] = {
    "_==_": _Checker._equality, "_!=_": _Checker._equality, "@in": _Checker._in,  # noqa: SLF001
    "_[_]": _Checker._index, "_[?_]": _Checker._index,  # noqa: SLF001
}  # fmt: skip
_CHECKS: Final[dict[type[Expr], Callable[..., Type]]] = {
    Literal: _Checker._literal, Ident: _Checker._ident, Select: _Checker._select,  # noqa: SLF001
    Call: _Checker._call, Logic: _Checker._logic, Conditional: _Checker._conditional,  # noqa: SLF001
    ListOf: _Checker._list, MapOf: _Checker._map, Construct: _Checker._construct,  # noqa: SLF001
    Loop: _Checker._loop, Bind: _Checker._bind,  # noqa: SLF001
}  # fmt: skip
