"""Names and selections: `self.spec.replicas` is one step, however long."""

from collections.abc import Callable
from typing import Any

from cluster.api.cel.ast import Expr, Ident, Select
from cluster.api.cel.closures import UNBOUND, Build, Code, Run, converter
from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.types import Type
from cluster.api.cel.values import NONE, Frame, Optional, TypeName

_PROTOBUF = {"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration"}


def ident(tree: Ident) -> Code:
    """A variable, or the name of a type."""
    if tree.slot < 0:
        kind = tree.type.params[0].kind
        named = TypeName(_PROTOBUF.get(kind, kind))
        return Code(lambda _: named, 1)
    return _variable(tree.slot, tree.name, tree.type)


def _variable(slot: int, name: str, type: Type) -> Code:
    convert = converter(type)

    def run(frame: Frame) -> Any:
        value = frame[slot]
        if value is UNBOUND:
            raise EvaluationError(f"no such attribute(s): {name}")
        return value

    return Code(run if convert is None else _converted(run, convert), 1)


def select(tree: Select, build: Build) -> Code:
    """A field, a test of presence, or an optional field."""
    if tree.slot >= 0:
        return _variable(tree.slot, tree.field, tree.type)
    if tree.type.kind == "type" and "." in tree.key and not tree.test:
        named = TypeName(tree.key)
        return Code(lambda _: named, 1)
    optional = tree.operand.type.kind == "optional_type"
    if tree.test:
        operand = build(tree.operand)
        return Code(_tested(operand.run, tree.key), operand.cost)
    convert = converter(_inside(tree.type) if tree.optional or optional else tree.type)
    if tree.optional or optional:
        operand = build(tree.operand)
        return Code(_optional(operand.run, tree.key, convert), operand.cost + 1)
    keys, base = _chain(tree)
    if isinstance(base, Ident) and base.slot >= 0:
        run = _path(base.slot, base.name, keys)
        cost = 1 + len(keys)
    else:
        operand = build(base)
        run = _fields(operand.run, keys)
        cost = operand.cost + len(keys)
    return Code(run if convert is None else _converted(run, convert), cost)


def _inside(type: Type) -> Type:
    return type.params[0] if type.kind == "optional_type" else type


def _converted(run: Run, convert: Callable[[Any], Any]) -> Run:
    return lambda frame: convert(run(frame))


def _chain(tree: Select) -> tuple[tuple[str, ...], Expr]:
    keys = [tree.key]
    base = tree.operand
    while type(base) is Select and not base.test and not base.optional and base.slot < 0:
        if base.type.kind in ("optional_type", "type") or (
            base.operand.type.kind == "optional_type"
        ):
            break
        keys.append(base.key)
        base = base.operand
    keys.reverse()
    return tuple(keys), base


def _path(slot: int, name: str, keys: tuple[str, ...]) -> Run:
    if len(keys) == 1:
        return _one(slot, name, keys)
    if len(keys) == 2:
        return _two(slot, name, keys)

    def run(frame: Frame) -> Any:
        value = frame[slot]
        try:
            for key in keys:
                value = value[key]
        except (KeyError, TypeError, IndexError):
            return _slowly(frame[slot], keys, name)
        return value

    return run


def _one(slot: int, name: str, keys: tuple[str, ...]) -> Run:
    key = keys[0]

    def run(frame: Frame) -> Any:
        try:
            return frame[slot][key]
        except (KeyError, TypeError):
            return _slowly(frame[slot], keys, name)

    return run


def _two(slot: int, name: str, keys: tuple[str, ...]) -> Run:
    first, second = keys

    def run(frame: Frame) -> Any:
        try:
            return frame[slot][first][second]
        except (KeyError, TypeError):
            return _slowly(frame[slot], keys, name)

    return run


def _fields(operand: Run, keys: tuple[str, ...]) -> Run:
    def run(frame: Frame) -> Any:
        return _slowly(operand(frame), keys, "")

    return run


def _slowly(value: Any, keys: tuple[str, ...], name: str) -> Any:
    """Follow the keys with care: says which is missing, and goes through optional values."""
    if value is UNBOUND:
        raise EvaluationError(f"no such attribute(s): {name}")
    for place, key in enumerate(keys):
        if isinstance(value, Optional):
            return _optionally(value, keys[place:])
        if not isinstance(value, dict):
            raise EvaluationError(f"no such key: {key}")
        try:
            value = value[key]
        except KeyError:
            raise EvaluationError(f"no such key: {key}") from None
    return value


def _optionally(value: Optional, keys: tuple[str, ...]) -> Optional:
    for key in keys:
        value = opened(value, key)
    return value


def opened(value: Any, key: str) -> Optional:
    """The field as an optional value: none where it, or the whole, is not there."""
    if isinstance(value, Optional):
        if value is NONE:
            return NONE
        value = value.value
    if isinstance(value, dict) and key in value:
        return Optional(value[key])
    return NONE


def _optional(operand: Run, key: str, convert: Callable[[Any], Any] | None) -> Run:
    def run(frame: Frame) -> Any:
        found = opened(operand(frame), key)
        if convert is not None and found is not NONE:
            return Optional(convert(found.value))
        if found is not NONE and isinstance(found.value, Optional):
            return found.value
        return found

    return run


def _tested(operand: Run, key: str) -> Run:
    def run(frame: Frame) -> bool:
        value = operand(frame)
        if isinstance(value, Optional):
            return opened(value, key) is not NONE
        return isinstance(value, dict) and key in value

    return run
