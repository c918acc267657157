"""Sets of fields, as FieldsV1 documents: nested dicts keyed by path elements.

An element with an empty dict is a member. One with a dict of others is the way to those, and a
member besides where it holds `.`. Dicts are kept in the order of their elements, and are shared
and never changed: every operation gives a new one, or one of its operands. An empty set is {}.
Operations: fieldpath/set.go.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from cluster.api.managedfields import elements
from cluster.api.managedfields.elements import SELF, Malformed

Set = dict[str, Any]

MEMBER: Final[Set] = {}
"""What a member without members below it is."""
NOTHING: Final[Set] = {}

_DEPTH: Final = 200


def decoded(document: Any, depth: int = 0) -> Set:
    """The set of a FieldsV1 document that a client sent, put in order. Malformed."""
    if not isinstance(document, dict):
        raise Malformed("a set of fields is not an object")
    if depth > _DEPTH:
        raise Malformed("a set of fields is too deep")
    found: Set = {}
    for text, below in document.items():
        element = elements.canonical(text)
        if element is None:
            continue
        inner = decoded(below, depth + 1)
        if element == SELF and (inner or not depth):
            raise Malformed("a set of fields has something below itself")
        found[element] = inner if element not in found else _joined(found[element], inner)
    if len(found) == 1 and SELF in found:
        return MEMBER
    return ordered(found)


def ordered(found: Set) -> Set:
    """`found` with its own elements in order; those below are not looked at."""
    if len(found) < 2:
        return found
    texts = list(found)
    right = elements.in_order(texts)
    return found if right == texts else {element: found[element] for element in right}


def ordered_fields(found: Set) -> Set:
    """`found` in order, where all elements are fields: their texts sort as they do."""
    if len(found) < 2:
        return found
    texts = list(found)
    right = sorted(texts)
    return found if right == texts else {element: found[element] for element in right}


def of_paths(paths: Iterable[tuple[str, ...]]) -> Set:
    """The set of these paths, each a tuple of elements."""
    found: Set = {}
    for path in paths:
        single: Set = MEMBER
        for element in reversed(path):
            single = {element: single}
        found = union(found, single)
    return found


def paths(found: Set) -> Iterator[tuple[str, ...]]:
    """The members, in order."""
    for element, below in found.items():
        if element == SELF:
            continue
        if not below or SELF in below:
            yield (element,)
        for rest in paths(below):
            yield (element, *rest)


def shown(path: Iterable[str]) -> str:
    """A path as people read it: `.spec.containers[name="web"].image`."""
    return "".join(map(elements.shown, path))


def has(found: Set, path: Iterable[str]) -> bool:
    """Whether a path is a member."""
    at: Any = found
    for element in path:
        at = at.get(element)
        if at is None:
            return False
    return not at or SELF in at


def union(one: Set, other: Set) -> Set:
    """Members of either."""
    if not one or one is other:
        return other
    return _joined(one, other) if other else one


def _joined(one: Set, other: Set) -> Set:
    """Both of an element; neither stands for no member."""
    if one is other:
        return one
    if not one:
        if not other:
            return one
        return other if SELF in other else {SELF: MEMBER, **other}
    if not other:
        return one if SELF in one else {SELF: MEMBER, **one}
    result: Set | None = None
    for element, below in other.items():
        present = one.get(element)
        if present is below:
            continue
        both = below if present is None else _joined(present, below)
        if both is not present:
            if result is None:
                result = one.copy()
            result[element] = both
    if result is None:
        return one
    return ordered(result) if len(result) != len(one) else result


def difference(one: Set, other: Set) -> Set:
    """Members of `one` that are none of `other`; what stands below such a member stays."""
    result: Set | None = None
    for element, taken in other.items():
        below = one.get(element)
        if below is None or element == SELF:
            continue
        left = _less(below, taken)
        if left is below:
            continue
        if result is None:
            result = one.copy()
        if left is None:
            del result[element]
        else:
            result[element] = left
    return one if result is None else result


def _less(one: Set, other: Set) -> Set | None:
    """What is left of an element; None: nothing."""
    if not other or SELF in other:  # the member goes
        if not one:
            return None
        if SELF in one:
            one = {element: below for element, below in one.items() if element != SELF}
    elif not one:
        return one
    return _left(difference(one, other))


def _left(found: Set) -> Set | None:
    """The set of an element; None: it is not a member, nor is anything below it."""
    if len(found) == 1 and SELF in found:
        return MEMBER
    return found or None


def without(one: Set, other: Set) -> Set:
    """Members of `one` that are neither members of `other` nor stand below one."""
    result: Set | None = None
    for element, taken in other.items():
        below = one.get(element)
        if below is None or element == SELF:
            continue
        left: Set | None = None
        if taken and SELF not in taken:
            left = without(below, taken) if below else below
            if left is below:
                continue
            left = _left(left)
        if result is None:
            result = one.copy()
        if left is None:
            del result[element]
        else:
            result[element] = left
    return one if result is None else result


def intersection(one: Set, other: Set) -> Set:
    """Members of both."""
    if one is other or not one or not other:
        return one if one is other else NOTHING
    if len(one) > len(other):
        one, other = other, one
    result: Set = {}
    for element, below in one.items():
        beside = other.get(element)
        if beside is not None:
            common = _common(below, beside)
            if common is not None:
                result[element] = common
    return result


def _common(one: Set, other: Set) -> Set | None:
    if one and other:
        return _left(intersection(one, other))
    alone = one if one else other
    return MEMBER if not alone or SELF in alone else None


def child(found: Mapping[str, Any], element: str) -> tuple[bool, Set]:
    """Whether an element is a member, and the set below it."""
    below = found.get(element)
    if below is None:
        return False, NOTHING
    if not below:
        return True, NOTHING
    return SELF in below, below
