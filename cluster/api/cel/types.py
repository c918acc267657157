"""Types of expressions: what is declared of variables and found out of every part.

A type is made by the functions here, by `structural.from_schema` (a CRD's JSON schema) or by
`builtin.from_node` (a built-in kind). Types are values that are compared by identity where they
are scalars; they are never changed after they were made, but for the fields of an object type.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Listing = Literal["atomic", "set", "map"]
MAX_REQUEST: Final = 3 << 20
"""Bytes that a request may have: no string, list or map is larger (estimated costs use it)."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object type: its type and its name in JSON (rules know it escaped)."""

    type: "Type"
    name: str


class Type:
    """A type. `kind` is `int`, `list`, `map`, `object`, `optional_type`, `type`, `param`, …

    `params` are the element (list), key and value (map), or what is inside (optional, type).
    `fields` are an object's by their escaped names. `listing` and `keys` say how lists compare
    and join (x-kubernetes-list-type). `largest` is the greatest size of a value (characters,
    bytes, elements) and `smallest` the least number of bytes of its JSON: both for costs.
    """

    __slots__ = ("fields", "keys", "kind", "largest", "listing", "name", "params", "smallest")

    def __init__(
        self,
        kind: str,
        params: "tuple[Type, ...]" = (),
        *,
        name: str = "",
        fields: Mapping[str, Field] | None = None,
        listing: Listing = "atomic",
        keys: tuple[str, ...] = (),
        largest: int | None = None,
        smallest: int = 1,
    ) -> None:
        self.kind = kind
        self.params = params
        self.name = name or kind
        self.fields: Mapping[str, Field] = {} if fields is None else fields
        self.listing: Listing = listing
        self.keys = keys
        self.largest = largest
        self.smallest = smallest

    def __repr__(self) -> str:
        return self.shown()

    def shown(self) -> str:
        """The type as cel-go prints it in errors: `map(string, list(int))`."""
        if not self.params:
            return self.name
        return f"{self.name}({', '.join(item.shown() for item in self.params)})"


DYN: Final = Type("dyn")
ERROR: Final = Type("error", name="!error!")
NULL: Final = Type("null_type", name="null")
BOOL: Final = Type("bool", smallest=4)
INT: Final = Type("int", smallest=1)
UINT: Final = Type("uint", smallest=1)
DOUBLE: Final = Type("double", smallest=1)
STRING: Final = Type("string", smallest=2, largest=MAX_REQUEST - 2)
BYTES: Final = Type("bytes", smallest=2, largest=MAX_REQUEST - 2)
TIMESTAMP: Final = Type("timestamp", smallest=20, largest=64)
DURATION: Final = Type("duration", smallest=2, largest=32)


def list_of(
    element: Type,
    *,
    listing: Listing = "atomic",
    keys: tuple[str, ...] = (),
    largest: int | None = None,
) -> Type:
    """A list. A `set` or `map` compares without regard to order, and `+` joins by value or key."""
    return Type("list", (element,), listing=listing, keys=keys, largest=largest, smallest=2)


def map_of(key: Type, value: Type, *, largest: int | None = None) -> Type:
    """A map."""
    return Type("map", (key, value), largest=largest, smallest=2)


def object_of(
    name: str, fields: Mapping[str, Type] | Mapping[str, Field], *, smallest: int = 2
) -> Type:
    """An object with named fields; those given by their type alone are escaped here.

    A field whose name cannot be escaped is not seen by expressions.
    """
    made: dict[str, Field] = {}
    for key, value in fields.items():
        if isinstance(value, Field):
            made[key] = value
        elif (escaped := escape(key)) is not None:
            made[escaped] = Field(value, key)
    return Type("object", name=name, fields=made, smallest=smallest)


def optional_of(inner: Type) -> Type:
    """An optional value: of `inner`, or none."""
    return Type("optional_type", (inner,))


def type_of(inner: Type) -> Type:
    """The type of a type's name used as a value (`int`, `type(x)`)."""
    return Type("type", (inner,))


def opaque(name: str) -> Type:
    """A type of values that only functions open (`kubernetes.Quantity`)."""
    return Type(name)


def param(name: str) -> Type:
    """A type parameter, in the declaration of a function."""
    return Type("param", name=name)


RESERVED: Final = frozenset((
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function",
    "if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while",
))  # fmt: skip
"""Words that cannot be names."""
_ESCAPABLE: Final = re.compile(r"[A-Za-z_./-][A-Za-z0-9_./-]*", re.ASCII)
_ESCAPED: Final = re.compile(r"__|\.|-|/")
_NAMES: Final = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}


def escape(name: str) -> str | None:
    """A property's name as expressions write it: `a-b` is `a__dash__b`, `for` is `__for__`.

    None for a name that expressions cannot have. Rule: pkg/cel/escaping.go of the apiserver.
    """
    if name in RESERVED:
        return f"__{name}__"
    if not _ESCAPABLE.fullmatch(name):
        return None
    return _ESCAPED.sub(lambda found: _NAMES[found[0]], name)


def same(one: Type, other: Type) -> bool:
    """Whether two types are equal (object types by their name)."""
    if one is other:
        return True
    if one.kind != other.kind or one.name != other.name or len(one.params) != len(other.params):
        return False
    return all(same(a, b) for a, b in zip(one.params, other.params, strict=True))


Variables = Mapping[str, Type]
Values = Mapping[str, Any]
