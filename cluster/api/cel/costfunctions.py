"""What calls may cost, and how large their results may be, from the sizes of what they take."""

from collections.abc import Callable
from typing import Final

from cluster.api.cel.ast import Call
from cluster.api.cel.authorization import CHECK_COST
from cluster.api.cel.ranges import FREE, ONE, UNBOUNDED, UNKNOWN, Range, fixed

Found = tuple[Range, Range | None]
"""A cost, and the size of the result where it is known."""

_LISTS: Final = frozenset(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"))
_KEPT: Final = frozenset(("lowerAscii", "upperAscii", "substring", "trim"))
_READ: Final = frozenset((
    "url", "isURL", "cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver",
    "ip", "timestamp", "duration",
))  # fmt: skip
_COMPARED: Final = frozenset(("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"))
_ADDRESS: Final = Range(4, 16)


def call_cost(tree: Call, sizes: list[Range], element: Range) -> Found:
    """The cost of a call without that of its operands. `element` is of the first one's."""
    function = tree.function
    kind = tree.operands()[0].type.kind if sizes else ""
    if function in _LISTS and tree.target is not None:
        return _over_list(tree, kind, sizes[0], element), None
    if function in _COMPARED:
        return _compared(function, kind, sizes), None
    if function in _KEPT:
        return sizes[0].part(10), sizes[0]
    if function in _READ and kind in ("string", "dyn"):
        return (ONE if function in ("timestamp", "duration") else sizes[0].part(10)), None
    maker = _MAKERS.get(function)
    return (ONE, None) if maker is None else maker(kind, sizes, element)


def _over_list(tree: Call, kind: str, size: Range, element: Range) -> Range:
    if kind != "list":
        return size.part(10)
    inner = tree.operands()[0].type.params[0].kind
    each = ONE.plus(element.part(10)) if inner in ("string", "bytes") else ONE
    return size.times(each)


def _compared(function: str, kind: str, sizes: list[Range]) -> Range:
    if function not in ("_==_", "_!=_") and kind not in ("string", "bytes", "dyn"):
        return ONE
    most = min(sizes[0].most, sizes[1].most)
    return Range(1 if most > 0 else 0, most).part(10)


def _replaced(kind: str, sizes: list[Range], element: Range) -> Found:
    text, old, new = sizes[0], sizes[1], sizes[2]
    if old.least == 0:
        most = text.most + (text.most + 1) * new.most
    elif new.most <= old.least:
        most = text.most
    else:
        most = -(-text.most // old.least) * new.most
    if old.most == 0:
        least = text.least + (text.least + 1) * new.least
    elif old.most <= new.least:
        least = text.least
    else:
        least = -(-text.least // old.most) * new.least
    return text.part(10, 2), Range(min(least, UNBOUNDED), min(most, UNBOUNDED))


def _joined(kind: str, sizes: list[Range], element: Range) -> Found:
    size = sizes[0].times(element)
    if len(sizes) > 1:
        between = Range(max(0, sizes[0].least - 1), max(0, sizes[0].most - 1))
        size = size.plus(sizes[1].times(between))
    return size.part(10), size


def _pattern(kind: str, sizes: list[Range], element: Range) -> Found:
    cost = sizes[0].plus(ONE).part(10).times(sizes[1].part(4))
    return cost, Range(0, sizes[0].most)


def _added(kind: str, sizes: list[Range], element: Range) -> Found:
    if kind == "list":
        return ONE, sizes[0].plus(sizes[1])
    if kind in ("string", "bytes", "dyn"):
        size = sizes[0].plus(sizes[1])
        return size.part(10), size
    return ONE, None


def _product_of_sets(times: int) -> Callable[[str, list[Range], Range], Found]:
    return lambda kind, sizes, element: (sizes[0].times(sizes[1]).times(fixed(times)), None)


def _contained(kind: str, sizes: list[Range], element: Range) -> Found:
    return sizes[0].part(10).times(sizes[1].part(10)), None


def _within(kind: str, sizes: list[Range], element: Range) -> Found:
    return sizes[1].plus(FREE), None


def _formatted(kind: str, sizes: list[Range], element: Range) -> Found:
    return sizes[0].part(10), UNKNOWN


def _contains_address(kind: str, sizes: list[Range], element: Range) -> Found:
    return _ADDRESS.plus(_ADDRESS).part(10).plus(sizes[1].part(10)), None


_MAKERS: Final[dict[str, Callable[[str, list[Range], Range], Found]]] = {
    "check": lambda kind, sizes, element: (fixed(CHECK_COST), None),
    "replace": _replaced,
    "split": lambda kind, sizes, element: (sizes[0].part(10, 2), Range(0, sizes[0].most)),
    "join": _joined,
    "find": _pattern,
    "findAll": _pattern,
    "matches": _pattern,
    "contains": _contained,
    "startsWith": lambda kind, sizes, element: (sizes[1].part(10), None),
    "endsWith": lambda kind, sizes, element: (sizes[1].part(10), None),
    "@in": _within,
    "_+_": _added,
    "ip.isCanonical": lambda kind, sizes, element: (sizes[0].part(10, 2), None),
    "containsIP": _contains_address,
    "containsCIDR": _contains_address,
    "format": _formatted,
    "bytes": lambda kind, sizes, element: (
        sizes[0].part(10), Range(sizes[0].least, min(UNBOUNDED, sizes[0].most * 4)),
    ),
    "strings.quote": lambda kind, sizes, element: (
        sizes[0].part(10), Range(sizes[0].least + 2, min(UNBOUNDED, sizes[0].most * 2 + 2)),
    ),
    "sets.contains": _product_of_sets(1),
    "sets.intersects": _product_of_sets(1),
    "sets.equivalent": _product_of_sets(2),
    "validate": lambda kind, sizes, element: (sizes[1].part(10).times(fixed(15)), None),
}  # fmt: skip
