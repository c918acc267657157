"""Functions: what types each takes and gives, how it is computed and what it costs.

A library is a module with a list of overloads, each written as a signature and a function:
`declare("string.contains(string) -> bool", contains)`. Capital letters are type parameters.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Final

from cluster.api.cel import types
from cluster.api.cel.types import Type

Cost = Callable[[Sequence[Any]], int]
"""What a call costs, from its arguments (target first)."""

LIBRARIES: Final = (
    "standard", "conversions", "times", "strings", "formatting", "listlib", "setlib", "optionals",
    "regexlib", "urls", "quantities", "addresses", "formats", "semvers", "authorization",
    "jsonpatches",
)  # fmt: skip


class Overload:
    """One signature of a function. `framed` implementations get the evaluation's frame first."""

    __slots__ = ("cost", "framed", "function", "generic", "id", "member", "params", "result", "run")

    def __init__(
        self, function: str, params: tuple[Type, ...], result: Type, run: Callable[..., Any],
        *, member: bool, framed: bool, cost: Cost | None, id: str,
    ) -> None:  # fmt: skip
        self.function = function
        self.params = params
        self.result = result
        self.run = run
        self.member = member
        self.framed = framed
        self.cost = cost
        self.id = id
        self.generic = any(_generic(item) for item in (*params, result))


def _generic(item: Type) -> bool:
    return item.kind == "param" or any(_generic(inner) for inner in item.params)


_NAMED: Final = {
    "dyn": types.DYN, "bool": types.BOOL, "int": types.INT, "uint": types.UINT,
    "double": types.DOUBLE, "string": types.STRING, "bytes": types.BYTES, "null": types.NULL,
    "timestamp": types.TIMESTAMP, "duration": types.DURATION,
    "quantity": types.opaque("kubernetes.Quantity"), "url": types.opaque("kubernetes.URL"),
    "ip": types.opaque("net.IP"), "cidr": types.opaque("net.CIDR"),
    "format": types.opaque("kubernetes.NamedFormat"), "semver": types.opaque("kubernetes.Semver"),
    "authorizer": types.opaque("kubernetes.authorization.Authorizer"),
    "path_check": types.opaque("kubernetes.authorization.PathCheck"),
    "group_check": types.opaque("kubernetes.authorization.GroupCheck"),
    "resource_check": types.opaque("kubernetes.authorization.ResourceCheck"),
    "decision": types.opaque("kubernetes.authorization.Decision"),
}  # fmt: skip
_WORD: Final = re.compile(r"\s*([A-Za-z_]+|[(),.]|->)")


def type_named(name: str) -> Type:
    """A type of a signature: `int`, `quantity`. KeyError."""
    return _NAMED[name]


def declare(
    signature: str, run: Callable[..., Any], cost: Cost | None = None, *, framed: bool = False,
    name: str = "",
) -> Overload:  # fmt: skip
    """An overload from its signature: `list(A).indexOf(A) -> int`, `size(string) -> int`.

    `name` is the function's name where it does not look like one (`_+_`) or has dots in it.
    """
    reader = _Reader(signature)
    target: Type | None = None
    if not name:
        head = signature.split("(", 1)[0].strip()
        if "." in head or signature.startswith(("list(", "map(", "optional(")):
            target = reader.type()
            reader.skip(".")
        name = reader.word()
    reader.skip("(")
    params = [] if target is None else [target]
    while reader.peek() != ")":
        params.append(reader.type())
        if reader.peek() == ",":
            reader.skip(",")
    reader.skip(")")
    reader.skip("->")
    return Overload(
        name, tuple(params), reader.type(), run,
        member=target is not None, framed=framed, cost=cost, id=signature,
    )  # fmt: skip


class _Reader:
    def __init__(self, text: str) -> None:
        self._words: list[str] = _WORD.findall(text)
        self._place = 0

    def peek(self) -> str:
        return self._words[self._place]

    def word(self) -> str:
        self._place += 1
        return self._words[self._place - 1]

    def skip(self, sign: str) -> None:
        if self.word() != sign:
            raise ValueError(f"a signature is wrong: {self._words}")

    def type(self) -> Type:
        word = self.word()
        if len(word) == 1:
            return types.param(word)
        if word not in ("list", "map", "optional", "type"):
            return _NAMED[word]
        self.skip("(")
        inner = [self.type()]
        while self.peek() == ",":
            self.skip(",")
            inner.append(self.type())
        self.skip(")")
        return _composed(word, inner)


def _composed(word: str, inner: list[Type]) -> Type:
    if word == "map":
        return types.map_of(inner[0], inner[1])
    if word == "list":
        return types.list_of(inner[0])
    return types.optional_of(inner[0]) if word == "optional" else types.type_of(inner[0])


@cache
def functions() -> dict[str, list[Overload]]:
    """All overloads by the function's name, in order of declaration."""
    found: dict[str, list[Overload]] = {}
    for library in LIBRARIES:
        module = import_module(f"cluster.api.cel.{library}")
        for overload in module.overloads():
            found.setdefault(overload.function, []).append(overload)
    return found


def strings_cost(factor: float = 0.1, *, places: tuple[int, ...] = (0,)) -> Cost:
    """A cost in proportion to the length of some arguments (0.1 a character)."""

    def cost(args: Sequence[Any]) -> int:
        total = 0
        for place in places:
            total += len(args[place])
        return max(1, -int(-total * factor // 1))

    return cost


def list_cost(args: Sequence[Any]) -> int:
    """A cost of 1 an element."""
    return max(1, len(args[0]))
