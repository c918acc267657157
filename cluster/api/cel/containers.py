"""Lists, maps and objects that an expression writes down; indexes into them; `in`."""

from typing import Any

from cluster.api.cel.ast import Call, Construct, Expr, ListOf, Literal, MapOf
from cluster.api.cel.closures import Build, Code, Run
from cluster.api.cel.faults import EvaluationError
from cluster.api.cel.values import (
    NONE,
    Frame,
    Message,
    Optional,
    contains,
    kind_of,
    no_such_overload,
    spend,
)

_KEYS = frozenset(("string", "int", "uint", "bool"))


def list_of(tree: ListOf, build: Build) -> Code:
    """`[a, ?b]`."""
    if constant(tree):
        kept = literal(tree)
        return Code(lambda _: kept, 0)
    parts = [build(item) for item in tree.elements]
    cost = 10 + sum(part.cost for part in parts)
    runs = [part.run for part in parts]
    if not tree.optional:
        return Code(lambda frame: [run(frame) for run in runs], cost)
    optional = tree.optional

    def run(frame: Frame) -> list[Any]:
        result = []
        for place, part in enumerate(runs):
            value = part(frame)
            if place in optional:
                if _given(value) is NONE:
                    continue
                value = value.value
            result.append(value)
        return result

    return Code(run, cost)


def _given(value: Any) -> Optional:
    if isinstance(value, Optional):
        return value
    raise EvaluationError(
        f"cannot initialize optional list element from non-optional value {value}"
    )


def constant(tree: Expr) -> bool:
    """Whether a tree is a constant: a literal, or a list of them."""
    if isinstance(tree, ListOf):
        return not tree.optional and all(map(constant, tree.elements))
    return isinstance(tree, Literal)


def literal(tree: Expr) -> Any:
    """The value of a constant."""
    if isinstance(tree, ListOf):
        return [literal(item) for item in tree.elements]
    return tree.value if isinstance(tree, Literal) else None


def map_of(tree: MapOf, build: Build) -> Code:
    """`{key: value, ?key: value}`."""
    entries = [(build(item.key), build(item.value), item.optional) for item in tree.entries]
    cost = 30 + sum(key.cost + value.cost for key, value, _ in entries)
    runs = [(key.run, value.run, optional) for key, value, optional in entries]

    def run(frame: Frame) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for made, part, optional in runs:
            key, value = made(frame), part(frame)
            if kind_of(key) not in _KEYS:
                raise EvaluationError(f"unsupported key type: {kind_of(key)}")
            if optional:
                if _given(value) is NONE:
                    continue
                value = value.value
            if key in result:
                raise EvaluationError(f"Failed with repeated key: {key}")
            result[key] = value
        return result

    return Code(run, cost)


def construct(tree: Construct, build: Build) -> Code:
    """`Name{field: value}`."""
    names = tree.type.fields
    parts = [
        (names[entry.key].name if entry.key in names else entry.key, entry.optional,
         build(entry.value))
        for entry in tree.entries
    ]  # fmt: skip
    cost = 40 + sum(part.cost for _, _, part in parts)
    runs = [(name, optional, part.run) for name, optional, part in parts]
    kind = tree.type.name

    def run(frame: Frame) -> Message:
        result: dict[str, Any] = {}
        for name, optional, part in runs:
            value = part(frame)
            if optional:
                if _given(value) is NONE:
                    continue
                value = value.value
            result[name] = value
        return Message(kind, result)

    return Code(run, cost)


def index(tree: Call, build: Build) -> Code:
    """`a[b]` and `a[?b]`, also through an optional value."""
    operand, key = build(tree.args[0]), build(tree.args[1])
    cost = operand.cost + key.cost + 1
    optional = tree.type.kind == "optional_type" and (
        tree.function == "_[?_]" or tree.args[0].type.kind == "optional_type"
    )
    container, wanted = operand.run, key.run
    if optional:
        return Code(lambda frame: optionally(container(frame), wanted(frame)), cost)
    if tree.args[0].type.kind == "list" and tree.args[1].type.kind == "int":
        return Code(_item(container, wanted), cost)
    return Code(lambda frame: lookup(container(frame), wanted(frame)), cost)


def _item(container: Run, wanted: Run) -> Run:
    def run(frame: Frame) -> Any:
        items, place = container(frame), wanted(frame)
        if 0 <= place < len(items):
            return items[place]
        raise EvaluationError(f"index out of bounds: {place}")

    return run


def lookup(container: Any, key: Any) -> Any:
    """An element of a list or map. EvaluationError."""
    if isinstance(container, Optional):
        return optionally(container, key)
    if isinstance(container, dict):
        if _has_key(container, key):
            return container[key]
        raise EvaluationError(f"no such key: {shown(key)}")
    if isinstance(container, list):
        place = _place(key)
        if 0 <= place < len(container):
            return container[place]
        raise EvaluationError(f"index out of bounds: {place}")
    raise EvaluationError("no such overload")


def shown(value: Any) -> str:
    """A key as Go prints it."""
    if value is True or value is False:
        return "true" if value else "false"
    return str(value)


def _place(key: Any) -> int:
    if isinstance(key, bool) or not isinstance(key, int | float):
        raise EvaluationError(f"unsupported index type '{kind_of(key)}' in list")
    if isinstance(key, float) and (not key.is_integer()):
        raise EvaluationError(f"unsupported index value {key} in list")
    return int(key)


def _has_key(container: dict[Any, Any], key: Any) -> bool:
    if isinstance(key, bool):
        # To Python true is 1: look which of them is there.
        return any(item is key for item in container)
    kind = kind_of(key)
    if kind == "double":
        return key in container
    if kind not in _KEYS:
        raise EvaluationError(f"unsupported key type: {kind}")
    if key not in container:
        return False
    return (
        kind == "string"
        or key not in (0, 1)
        or not any(item is True or item is False for item in container)
    )


def optionally(container: Any, key: Any) -> Optional:
    """An element as an optional value."""
    if isinstance(container, Optional):
        if container is NONE:
            return NONE
        container = container.value
    if isinstance(container, dict):
        return Optional(container[key]) if _has_key(container, key) else NONE
    if isinstance(container, list):
        place = _place(key)
        return Optional(container[place]) if 0 <= place < len(container) else NONE
    raise no_such_overload()


def within(tree: Call, build: Build) -> Code:
    """`a in b`."""
    item, holder = build(tree.args[0]), build(tree.args[1])
    wanted, container = item.run, holder.run
    cost = item.cost + holder.cost
    simple = tree.args[0].type.kind == "string" and (
        tree.args[1].type.kind == "list" and tree.args[1].type.params[0].kind == "string"
    )
    if simple and constant(tree.args[1]):
        kept = frozenset(literal(tree.args[1]))
        return Code(lambda frame: wanted(frame) in kept, cost + 1)

    def run(frame: Frame) -> bool:
        value, found = wanted(frame), container(frame)
        if isinstance(found, list):
            spend(frame, len(found))
            return value in found if simple else contains(found, value, frame)
        if isinstance(found, dict):
            frame[0] += 1
            return _has_key(found, value)
        raise no_such_overload()

    return Code(run, cost)
