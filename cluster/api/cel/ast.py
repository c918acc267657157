"""The tree of an expression. `offset` is the place in the text that errors point to."""

from typing import Any

from cluster.api.cel.types import Type


class Expr:
    """A part of an expression. `type` is what the checker found; `offset` counts characters."""

    __slots__ = ("offset", "type")
    type: Type

    def __init__(self, offset: int) -> None:
        self.offset = offset


class Literal(Expr):
    """A constant."""

    __slots__ = ("value",)

    def __init__(self, offset: int, value: Any, type: Type) -> None:
        self.offset = offset
        self.value = value
        self.type = type


class Ident(Expr):
    """A name. `slot` is its place in the frame of an evaluation; -1 for a type's name."""

    __slots__ = ("name", "slot")

    def __init__(self, offset: int, name: str) -> None:
        self.offset = offset
        self.name = name
        self.slot = -1


class Select(Expr):
    """`operand.field`, `has(operand.field)` (`test`), `operand.?field` (`optional`).

    `key` is the field's name in JSON. `slot` is that of a variable with a dot in its name; else -1.
    """

    __slots__ = ("field", "key", "operand", "optional", "slot", "test")

    def __init__(self, offset: int, operand: Expr, field: str, *, optional: bool = False) -> None:
        self.offset = offset
        self.operand = operand
        self.field = field
        self.key = field
        self.optional = optional
        self.slot = -1
        self.test = False


class Call(Expr):
    """A function or operator. `overloads` are those that the checker found possible."""

    __slots__ = ("args", "function", "overloads", "target")

    def __init__(self, offset: int, function: str, target: Expr | None, args: list[Expr]) -> None:
        self.offset = offset
        self.function = function
        self.target = target
        self.args = args
        self.overloads: list[Any] = []

    def operands(self) -> list[Expr]:
        """The target, if any, and the arguments."""
        return self.args if self.target is None else [self.target, *self.args]


class Logic(Expr):
    """`a && b && …` (`every`) or `a || b || …`: absorbs errors of parts that do not matter."""

    __slots__ = ("every", "offsets", "parts")

    def __init__(self, every: bool, parts: list[Expr], offsets: list[int]) -> None:
        self.offset = offsets[-1]
        self.every = every
        self.parts = parts
        self.offsets = offsets


class Conditional(Expr):
    """`test ? yes : no`."""

    __slots__ = ("no", "test", "yes")

    def __init__(self, offset: int, test: Expr, yes: Expr, no: Expr) -> None:
        self.offset = offset
        self.test = test
        self.yes = yes
        self.no = no


class ListOf(Expr):
    """`[a, ?b]`; `optional` are the places of elements that may be left out."""

    __slots__ = ("elements", "optional")

    def __init__(self, offset: int, elements: list[Expr], optional: frozenset[int]) -> None:
        self.offset = offset
        self.elements = elements
        self.optional = optional


class Entry:
    """An entry of a map or of an object. A field of an object has its name as key."""

    __slots__ = ("key", "offset", "optional", "value")

    def __init__(self, offset: int, key: Any, value: Expr, *, optional: bool) -> None:
        self.offset = offset
        self.key = key
        self.value = value
        self.optional = optional


class MapOf(Expr):
    """`{key: value, ?key: value}`."""

    __slots__ = ("entries",)

    def __init__(self, offset: int, entries: list[Entry]) -> None:
        self.offset = offset
        self.entries = entries


class Construct(Expr):
    """`Name{field: value}`."""

    __slots__ = ("entries", "name")

    def __init__(self, offset: int, name: str, entries: list[Entry]) -> None:
        self.offset = offset
        self.name = name
        self.entries = entries


class Loop(Expr):
    """A macro over a list or map: `range.all(names…, parts…)`. Names have their slots."""

    __slots__ = ("macro", "names", "parts", "range", "slots")

    def __init__(
        self, offset: int, macro: str, range: Expr, names: list[str], parts: list[Expr]
    ) -> None:
        self.offset = offset
        self.macro = macro
        self.range = range
        self.names = names
        self.parts = parts
        self.slots: list[int] = []


class Bind(Expr):
    """`cel.bind(name, value, body)`, and `value.optMap(name, body)` (`macro`)."""

    __slots__ = ("body", "macro", "name", "slot", "value")

    def __init__(self, offset: int, macro: str, name: str, value: Expr, body: Expr) -> None:
        self.offset = offset
        self.macro = macro
        self.name = name
        self.value = value
        self.body = body
        self.slot = -1
