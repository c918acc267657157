"""Values that JSON does not have, and how values compare.

Everything else is as decoded: dict, list, str, int, float, bool, None; bytes.
"""

from collections.abc import Callable
from typing import Any, Final

from cluster.api.cel.faults import CostExceeded, EvaluationError

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
UINT_MAX: Final = 2**64 - 1


class Uint(int):
    """An unsigned integer of 64 bits."""

    __slots__ = ()


class Message(dict[str, Any]):
    """An object that an expression constructed, as JSON has it; `type_name` is its type."""

    __slots__ = ("type_name",)

    def __init__(self, type_name: str, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.type_name = type_name


class _Ordered:
    """Nanoseconds that compare with their own kind."""

    __slots__ = ("nanos",)

    def __init__(self, nanos: int) -> None:
        self.nanos = nanos

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Ordered) and type(other) is type(self) and other.nanos == self.nanos
        )

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.nanos))

    def __lt__(self, other: "_Ordered") -> bool:
        return self.nanos < other.nanos

    def __le__(self, other: "_Ordered") -> bool:
        return self.nanos <= other.nanos

    def __gt__(self, other: "_Ordered") -> bool:
        return self.nanos > other.nanos

    def __ge__(self, other: "_Ordered") -> bool:
        return self.nanos >= other.nanos


class Timestamp(_Ordered):
    """A moment, in nanoseconds of Unix time, within the years 1 to 9999."""

    __slots__ = ()


class Duration(_Ordered):
    """A span of time in nanoseconds, within 64 bits."""

    __slots__ = ()


class TypeName:
    """A type as a value: what `type(x)` gives and `int` names."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypeName) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class Optional:
    """A value or none (`values.NONE`); `there` says which."""

    __slots__ = ("value",)
    there = True

    def __init__(self, value: Any) -> None:
        self.value = value


class _Nothing(Optional):
    __slots__ = ()
    there = False


NONE: Final = _Nothing(None)


class Opaque:
    """The base of values that only functions open. `kind` is the name of the type."""

    __slots__ = ()
    kind = "opaque"


_KINDS: Final[dict[type, str]] = {
    bool: "bool", int: "int", Uint: "uint", float: "double", str: "string", bytes: "bytes",
    list: "list", dict: "map", type(None): "null_type", Timestamp: "timestamp",
    Duration: "duration", TypeName: "type", Optional: "optional_type", _Nothing: "optional_type",
    tuple: "list",
}  # fmt: skip


def kind_of(value: Any) -> str:
    """The kind of a value, as `Type.kind` has it."""
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    if isinstance(value, Message):
        return "object"
    if isinstance(value, dict):
        return "map"
    return str(getattr(value, "kind", "unknown"))


def type_name(value: Any) -> str:
    """What `type(value)` is called."""
    if isinstance(value, Message):
        return value.type_name
    kind = kind_of(value)
    if kind == "timestamp":
        return "google.protobuf.Timestamp"
    return "google.protobuf.Duration" if kind == "duration" else kind


_NUMBERS: Final = frozenset((int, float, Uint))
Frame = list[Any]
"""Of an evaluation: the cost so far, its limit, then variables in their slots."""


def spend(frame: Frame, cost: int) -> None:
    """Add to the cost of an evaluation. CostExceeded."""
    frame[0] += cost
    if frame[0] > frame[1]:
        raise CostExceeded


def equal(one: Any, other: Any, frame: Frame) -> bool:
    """Whether two values are equal: numbers by value, other kinds only with their own."""
    first, second = type(one), type(other)
    if first is second and first in _KINDS and first not in (list, dict, Optional):
        return bool(one == other)
    if first in _NUMBERS and second in _NUMBERS:
        return bool(one == other)
    if isinstance(one, dict):
        return isinstance(other, dict) and _equal_maps(one, other, frame)
    if isinstance(one, list):
        return isinstance(other, list) and _equal_lists(one, other, frame)
    if isinstance(one, Optional) and isinstance(other, Optional):
        if one is NONE or other is NONE:
            return one is other
        return equal(one.value, other.value, frame)
    return bool(first is second and one == other)


def _equal_lists(one: list[Any], other: list[Any], frame: Frame) -> bool:
    if len(one) != len(other):
        return False
    # Lists may share parts, so that what is compared is far more than what is stored.
    spend(frame, len(one) // 10 + 1)
    return all(equal(a, b, frame) for a, b in zip(one, other, strict=True))


def _equal_maps(one: dict[Any, Any], other: dict[Any, Any], frame: Frame) -> bool:
    if len(one) != len(other):
        return False
    spend(frame, len(one) // 10 + 1)
    return all(key in other and equal(value, other[key], frame) for key, value in one.items())


def contains(items: Any, value: Any, frame: Frame) -> bool:
    """Whether a list has an element equal to the value."""
    return any(equal(item, value, frame) for item in items)


def set_equal(one: list[Any], other: list[Any], frame: Frame) -> bool:
    """Equality of lists of type `set`: the order does not matter."""
    if len(one) != len(other):
        return False
    keys = _hashable(one)
    if keys is not None and (others := _hashable(other)) is not None:
        return keys == others
    spend(frame, len(one) * len(other))
    return all(contains(other, item, frame) for item in one)


def _hashable(items: list[Any]) -> set[Any] | None:
    if all(type(item) is str for item in items):
        return set(items)
    return None


def map_key(item: Any, keys: tuple[str, ...]) -> Any:
    """What identifies an element of a list of type `map`."""
    return tuple((item.get(key) if isinstance(item, dict) else None) for key in keys)


def map_equal(
    one: list[Any], other: list[Any], keys: tuple[str, ...], frame: Frame,
    compare: Callable[[Any, Any, Frame], bool] = equal,
) -> bool:  # fmt: skip
    """Equality of lists of type `map`: elements with the same keys are compared."""
    if len(one) != len(other):
        return False
    spend(frame, len(one) // 10 + 1)
    found = {map_key(item, keys): item for item in other}
    for item in one:
        key = map_key(item, keys)
        if key not in found or not compare(item, found[key], frame):
            return False
    return True


def set_joined(one: list[Any], other: list[Any], frame: Frame) -> list[Any]:
    """`one + other` of type `set`: what `one` lacks is appended."""
    result = list(one)
    spend(frame, (len(one) + len(other)) // 10)
    known = _hashable(one)
    if known is not None:
        result += [item for item in other if not (isinstance(item, str) and item in known)]
        return result
    spend(frame, len(one) * len(other))
    return result + [item for item in other if not contains(one, item, frame)]


def map_joined(one: list[Any], other: list[Any], keys: tuple[str, ...], frame: Frame) -> list[Any]:
    """`one + other` of type `map`: elements of `other` replace those with the same keys."""
    spend(frame, (len(one) + len(other)) // 10)
    result = {map_key(item, keys): item for item in one}
    for item in other:
        result[map_key(item, keys)] = item
    return list(result.values())


def no_such_overload() -> EvaluationError:
    """The error for values of types that a function does not take."""
    return EvaluationError("no such overload")
