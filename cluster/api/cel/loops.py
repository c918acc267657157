"""Macros over lists and maps, and bindings. Each turn of a loop is charged before it runs."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from cluster.api.cel.ast import Bind, Loop
from cluster.api.cel.closures import Build, Code, Run, boolean, charge
from cluster.api.cel.faults import CostExceeded, EvaluationError
from cluster.api.cel.values import NONE, Frame, Optional, kind_of

# What cel-go's expansion of each macro costs besides its parts: a turn, a turn that keeps
# something, and once.
_COSTS: Final = {
    "all": (3, 0, 1), "exists": (4, 0, 1), "exists_one": (0, 2, 2),
    "map": (0, 12, 1), "filter": (0, 13, 1), "transformList": (0, 12, 1),
    "transformMap": (0, 3, 1), "transformMapEntry": (0, 2, 1),
}  # fmt: skip

Turns = Callable[[Frame], Iterable[Any]]


def loop(tree: Loop, build: Build) -> Code:
    """A macro over a range."""
    ranged = build(tree.range)
    parts = [
        boolean(build(part), part.type) if _is_test(tree, place) else build(part)
        for place, part in enumerate(tree.parts)
    ]
    turn, keep, once = _COSTS[tree.macro]
    turns = _turns(tree, ranged.run, turn + parts[0].cost)
    run = _MAKERS[tree.macro](tree, turns, parts, keep)
    return Code(run, ranged.cost + once)


def _is_test(tree: Loop, place: int) -> bool:
    if tree.macro in ("all", "exists", "exists_one", "filter"):
        return True
    return place == 0 and len(tree.parts) == 2


def _turns(tree: Loop, ranged: Run, cost: int) -> Turns:
    """Sets the variables for each turn and charges it; gives the first of them."""
    if len(tree.slots) == 1:
        return _single(tree.slots[0], ranged, cost)
    first, second = tree.slots

    def run(frame: Frame) -> Iterable[Any]:
        found = _iterable(ranged(frame))
        pairs = found.items() if isinstance(found, dict) else enumerate(found)
        for key, value in pairs:
            charge(frame, cost)
            frame[first] = key
            frame[second] = value
            yield key

    return run


def _single(slot: int, ranged: Run, cost: int) -> Turns:
    def run(frame: Frame) -> Iterable[Any]:
        for item in _iterable(ranged(frame)):
            charge(frame, cost)
            frame[slot] = item
            yield item

    return run


def _iterable(value: Any) -> Any:
    if isinstance(value, list | dict):
        return value
    raise EvaluationError(f"got '{kind_of(value)}', expected iterable type")


def _quantified(decisive: bool) -> Callable[[Loop, Turns, list[Code], int], Run]:
    def make(tree: Loop, turns: Turns, parts: list[Code], keep: int) -> Run:
        part = parts[0].run

        def run(frame: Frame) -> bool:
            fault: EvaluationError | None = None
            for _ in turns(frame):
                try:
                    found: bool = part(frame)
                    if found is decisive:
                        return found
                except CostExceeded:
                    raise
                except EvaluationError as error:
                    fault = fault or error
            if fault is not None:
                raise fault
            return not decisive

        return run

    return make


def _exists_one(tree: Loop, turns: Turns, parts: list[Code], keep: int) -> Run:
    part = parts[0].run

    def run(frame: Frame) -> bool:
        count = 0
        for _ in turns(frame):
            frame[0] += 1
            if part(frame):
                frame[0] += keep
                count += 1
        return count == 1

    return run


def _filtered(tree: Loop, turns: Turns, parts: list[Code], keep: int) -> Run:
    part = parts[0].run

    def run(frame: Frame) -> list[Any]:
        result = []
        for item in turns(frame):
            if part(frame):
                frame[0] += keep
                result.append(item)
            else:
                frame[0] += 1
        return result

    return run


def _mapped(tree: Loop, turns: Turns, parts: list[Code], keep: int) -> Run:
    if len(parts) == 1:
        only = parts[0].run

        def run(frame: Frame) -> list[Any]:
            result = []
            for _ in turns(frame):
                frame[0] += keep
                result.append(only(frame))
            return result

        return run
    test, part = parts[0].run, parts[1].run
    kept = keep + parts[1].cost

    def filtered(frame: Frame) -> list[Any]:
        result = []
        for _ in turns(frame):
            if test(frame):
                charge(frame, kept)
                result.append(part(frame))
            else:
                frame[0] += 1
        return result

    return filtered


def _map_made(tree: Loop, turns: Turns, parts: list[Code], keep: int) -> Run:
    test = parts[0].run if len(parts) == 2 else None
    part = parts[-1].run
    kept = keep + (parts[1].cost if test is not None else 0)
    entries = tree.macro == "transformMapEntry"

    def run(frame: Frame) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key in turns(frame):
            if test is not None and not test(frame):
                frame[0] += 1
                continue
            charge(frame, kept)
            value = part(frame)
            if entries:
                _insert(result, value)
            else:
                result[key] = value
        return result

    return run


def _insert(result: dict[Any, Any], entry: Any) -> None:
    if not isinstance(entry, dict):
        raise EvaluationError("no such overload")
    for key, value in entry.items():
        if key in result:
            raise EvaluationError(f"insert failed: key {key} already exists")
        result[key] = value


_MAKERS: Final[dict[str, Callable[[Loop, Turns, list[Code], int], Run]]] = {
    "all": _quantified(False), "exists": _quantified(True), "exists_one": _exists_one,
    "filter": _filtered, "map": _mapped, "transformList": _mapped,
    "transformMap": _map_made, "transformMapEntry": _map_made,
}  # fmt: skip


def bind(tree: Bind, build: Build) -> Code:
    """`cel.bind`, `optMap` and `optFlatMap`."""
    value, body, slot = build(tree.value), build(tree.body), tree.slot
    if tree.macro == "bind":
        return Code(_bound(slot, value.run, body.run), value.cost + body.cost)
    return _optional_map(tree, value, body)


def _bound(slot: int, given: Run, inner: Run) -> Run:
    def run(frame: Frame) -> Any:
        frame[slot] = given(frame)
        return inner(frame)

    return run


def _optional_map(tree: Bind, value: Code, body: Code) -> Code:
    given, inner, slot = value.run, body.run, tree.slot
    wrap, cost = tree.macro == "optMap", body.cost + 2

    def run(frame: Frame) -> Any:
        found = given(frame)
        if not isinstance(found, Optional):
            raise EvaluationError("no such overload")
        if found is NONE:
            return NONE
        frame[0] += cost
        frame[slot] = found.value
        result = inner(frame)
        return Optional(result) if wrap else result

    return Code(run, value.cost + 1)
