"""Walks values along their types and tells their fields: all of them, the changed, the claimed.

One walker a type is made when it is first needed. `whole` is what a value has that was not there
before: everything, the containers themselves too. `diff` is what differs between two values.
`claims` is what an applied configuration takes: leaves, items and entries, but no struct by itself.
Sources: typed/compare.go and typed/tofieldset.go of structured-merge-diff.

This runs with every write. A map of which the same keys were seen before costs one look-up for all
of its leaves; what is equal on both sides is skipped.
"""

from collections.abc import Iterable
from typing import Any, Final, Protocol

from cluster.api.managedfields import elements, types
from cluster.api.managedfields.elements import SELF
from cluster.api.managedfields.fieldsets import MEMBER, Set, ordered, ordered_fields

Changes = tuple[Set | None, Set | None]
"""What came or changed, and what went; None: nothing."""

_REMEMBERED: Final = 512  # key tuples of one map, and keys of one list: both come from users,
_LONGEST: Final = 2048  # so that there is a bound on their letters, too
_CHANGED: Final[Changes] = (MEMBER, None)
_MISSING: Final = object()


class Unkeyed(ValueError):
    """An item that its list cannot tell apart from others."""


class Walker(Protocol):
    """The walker of one type."""

    def whole(self, value: Any) -> Set:
        """All fields of a value, itself among them."""

    def diff(self, old: Any, new: Any) -> Changes:
        """What differs between two values that are not equal."""

    def claims(self, value: Any) -> Set | None:
        """What an applied value takes; None: nothing."""


class _Leaf:
    """A value that has no parts: a scalar, or something atomic."""

    def whole(self, value: Any) -> Set:
        return MEMBER

    def diff(self, old: Any, new: Any) -> Changes:
        return _CHANGED

    def claims(self, value: Any) -> Set | None:
        return MEMBER


_LEAF: Final = _Leaf()

# The element, the walker (None: a leaf), what a missing value counts as, whether it is declared.
_Rule = tuple[str, Walker | None, Any, bool]


class MapWalker:
    """A struct or a map. `hidden` are properties that nobody owns."""

    def __init__(self, type: types.Type, hidden: Iterable[str] = ()) -> None:
        self._type = type
        self._rules: dict[str, _Rule | None] = dict.fromkeys(hidden)
        self._plans: dict[tuple[str, ...], tuple[Set, tuple[tuple[str, str, Walker], ...]]] = {}

    def replace(self, name: str, walker: Walker) -> None:
        """Have another walker for a declared property."""
        rule = self._rule(name)
        assert rule is not None
        self._rules[name] = (rule[0], walker, *rule[2:])

    def whole(self, value: Any) -> Set:
        """All fields of a value, itself among them."""
        if not value or type(value) is not dict:
            return MEMBER
        keys = tuple(value)
        plan = self._plans.get(keys)
        if plan is None:
            plan = self._plan(keys)
        template, nested = plan
        if not nested:
            return template
        result = template.copy()
        for element, key, walker in nested:
            result[element] = walker.whole(value[key])
        return result

    def diff(self, old: Any, new: Any) -> Changes:
        """What differs between two values."""
        if type(old) is not dict or type(new) is not dict or not (old or new):
            return _other(self, old, new)
        touched: Set = {}
        removed: Set = {}
        for key, value in new.items():
            before = old.get(key, _MISSING)
            if before is value or before == value:
                continue
            rule = self._rule(key)
            if rule is not None:
                _compare(rule, before, value, touched, removed)
        if len(new) < len(old) or not old.keys() <= new.keys():
            for key, before in old.items():
                if key not in new and (rule := self._rule(key)) is not None:
                    _compare(rule, before, _MISSING, touched, removed)
        return (ordered_fields(touched) or None, ordered_fields(removed) or None)

    def claims(self, value: Any) -> Set | None:
        """What an applied value takes; None: nothing."""
        if not value or type(value) is not dict:
            return MEMBER
        result: Set = {}
        for key, item in value.items():
            rule = self._rule(key)
            if rule is None:
                continue
            below = MEMBER if rule[1] is None else rule[1].claims(item)
            if not rule[3]:
                below = _itself(below)
            if below is not None:
                result[rule[0]] = below
        return ordered_fields(result) or None

    def _rule(self, key: str) -> _Rule | None:
        try:
            return self._rules[key]
        except KeyError:
            pass
        field = self._type.fields.get(key)
        if field is None:
            kind = self._type.element or types.DEDUCED
            return (elements.field(key), walker(kind), _MISSING, False)
        inner = walker(field.type)
        counts = _MISSING
        if field.present and inner is not None:
            counts = [] if field.type.shape == "list" else {}
        rule = (elements.field(key), inner, counts, True)
        self._rules[key] = rule
        return rule

    def _plan(self, keys: tuple[str, ...]) -> tuple[Set, tuple[tuple[str, str, Walker], ...]]:
        template: Set = {}
        nested: list[tuple[str, str, Walker]] = []
        for key in keys:
            rule = self._rule(key)
            if rule is None:
                continue
            template[rule[0]] = MEMBER
            if rule[1] is not None:
                nested.append((rule[0], key, rule[1]))
        template = {SELF: MEMBER, **ordered_fields(template)} if template else MEMBER
        plan = (template, tuple(nested))
        if sum(map(len, keys)) <= _LONGEST:
            if len(self._plans) >= _REMEMBERED:
                self._plans.clear()
            self._plans[keys] = plan
        return plan


def _compare(rule: _Rule, before: Any, after: Any, touched: Set, removed: Set) -> None:
    """Note what differs in one property; _MISSING: it is not there."""
    element, inner, counts, _ = rule
    if before is _MISSING:
        before = counts
    elif after is _MISSING:
        after = counts
    if before is _MISSING:
        touched[element] = MEMBER if inner is None else inner.whole(after)
    elif after is _MISSING:
        removed[element] = MEMBER if inner is None else inner.whole(before)
    elif inner is None:
        touched[element] = MEMBER
    elif before != after:
        came, went = inner.diff(before, after)
        if came is not None:
            touched[element] = came
        if went is not None:
            removed[element] = went


def _other(walker: Walker, old: Any, new: Any) -> Changes:
    """A value in the place of one of another JSON type, or nothing in the place of nothing.

    null counts as an empty map or list beside one that is not empty.
    """
    if not old and new and old is None:
        return walker.diff(type(new)(), new)
    if not new and old and new is None:
        return walker.diff(old, type(old)())
    went = {key: below for key, below in walker.whole(old).items() if key != SELF}
    return (walker.whole(new), went or None)


def _itself(below: Set | None) -> Set:
    """The set of an element that is a member besides."""
    if below is None or not below:
        return MEMBER
    return below if SELF in below else {SELF: MEMBER, **below}


class ListWalker:
    """A list of items told apart by their keys, or a set of values."""

    def __init__(self, type: types.Type) -> None:
        self._type = type
        self._element = type.element or types.DEDUCED
        self._inner: Walker | None = None
        self._only = type.keys[0][0] if len(type.keys) == 1 else ""
        self._names: dict[Any, str] = {}

    def whole(self, value: Any) -> Set:
        """All fields of a value, itself among them."""
        if not value or type(value) is not list:
            return MEMBER
        return {SELF: MEMBER, **self._items(value, self._walker().whole)}

    def claims(self, value: Any) -> Set | None:
        """What an applied value takes; None: nothing."""
        if value is None:
            return MEMBER
        if type(value) is not list:
            return MEMBER
        inner = self._walker()
        return self._items(value, lambda item: _itself(inner.claims(item))) or None

    def diff(self, old: Any, new: Any) -> Changes:
        """What differs between two values."""
        if type(old) is not list or type(new) is not list:
            return _other(self, old, new)
        inner = self._walker()
        texts = list(map(self.element, new))
        if texts == list(map(self.element, old)) and len(set(texts)) == len(texts):
            return _pairwise(inner, texts, old, new)
        before, after = self._indexed(old), self._indexed(new)
        touched: Set = {}
        removed: Set = {}
        for element, values in after.items():
            earlier = before.get(element)
            if earlier is None:
                touched[element] = inner.whole(values[0]) if len(values) == 1 else MEMBER
            elif earlier != values:
                if len(earlier) > 1 or len(values) > 1:  # one of several alike: which is not known
                    touched[element] = MEMBER
                    continue
                came, went = inner.diff(earlier[0], values[0])
                if came is not None:
                    touched[element] = came
                if went is not None:
                    removed[element] = went
        for element, values in before.items():
            if element not in after:
                removed[element] = inner.whole(values[0]) if len(values) == 1 else MEMBER
        return (ordered(touched) or None, ordered(removed) or None)

    def _items(self, value: list[Any], fields: Any) -> Set:
        if len(value) == 1:
            return {self.element(value[0]): fields(value[0])}
        result: Set = {}
        for item in value:
            element = self.element(item)
            result[element] = MEMBER if element in result else fields(item)
        return ordered(result)

    def _indexed(self, value: list[Any]) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for item in value:
            found.setdefault(self.element(item), []).append(item)
        return found

    def _walker(self) -> Walker:
        if self._inner is None:
            self._inner = walker(self._element) or _LEAF
        return self._inner

    def element(self, item: Any) -> str:
        """The path element of an item. Unkeyed."""
        if type(item) is not dict:
            return element_of(self._type, item)
        name: Any
        if self._only:
            name = item.get(self._only)
            if type(name) is not str:  # 1 and True would be one key of a dict
                return element_of(self._type, item)
        else:
            name = tuple([item.get(key, default) for key, default in self._type.keys])
            for value in name:
                if type(value) is not str and type(value) is not int:
                    return element_of(self._type, item)
        known = self._names.get(name)
        if known is None:
            known = element_of(self._type, item)
            if len(known) <= _LONGEST:
                if len(self._names) >= _REMEMBERED:
                    self._names.clear()
                self._names[name] = known
        return known


def _pairwise(inner: Walker, texts: list[str], old: list[Any], new: list[Any]) -> Changes:
    """What differs between the same items in the same order."""
    touched: Set = {}
    removed: Set = {}
    for text, before, after in zip(texts, old, new, strict=True):
        if before == after:
            continue
        came, went = inner.diff(before, after)
        if came is not None:
            touched[text] = came
        if went is not None:
            removed[text] = went
    return (ordered(touched) or None, ordered(removed) or None)


def element_of(kind: types.Type, item: Any) -> str:
    """The path element of an item of a list that is not atomic. Unkeyed.

    Words: listItemToPathElement in typed/helpers.go.
    """
    if not kind.keys:
        if isinstance(item, dict):
            raise Unkeyed("associative list without keys has an element that's a map type")
        if isinstance(item, list):
            raise Unkeyed("not supported: associative list with lists")
        if item is None:
            raise Unkeyed("associative list without keys has an element that's an explicit null")
        return elements.of_value(item)
    if item is None:
        raise Unkeyed("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise Unkeyed("associative list with keys may not have non-map elements")
    pairs = []
    for name, default in kind.keys:
        value = item.get(name, default)
        if value is not None or name in item:
            pairs.append((name, value))
    if not pairs:
        names = " ".join(f'"{name}"' for name, _ in kind.keys)
        raise Unkeyed(
            f"associative list with keys has an element that omits all key fields [{names}] "
            "(and doesn't have default values for any key fields)"
        )
    return elements.of_keys(pairs)


class _DeducedWalker:
    """A value that says itself what it is: a map, or a leaf."""

    def __init__(self) -> None:
        self._map: MapWalker | None = None

    def whole(self, value: Any) -> Set:
        return self._free().whole(value) if type(value) is dict else MEMBER

    def claims(self, value: Any) -> Set | None:
        return self._free().claims(value) if type(value) is dict else MEMBER

    def diff(self, old: Any, new: Any) -> Changes:
        if type(old) is dict and type(new) is dict:
            return self._free().diff(old, new)
        went: Set = {}
        if type(old) is dict:
            went = {key: below for key, below in self.whole(old).items() if key != SELF}
        return (self.whole(new), went or None)

    def _free(self) -> MapWalker:
        if self._map is None:
            self._map = MapWalker(types.FREE)
        return self._map


def keyed(kind: types.Type) -> ListWalker:
    """The walker of a list that is not atomic."""
    if kind.walker is None:
        kind.walker = ListWalker(kind)
    found: ListWalker = kind.walker
    return found


_DEDUCED: Final = _DeducedWalker()


def walker(kind: types.Type) -> Walker | None:
    """The walker of a type, None for a leaf."""
    if kind.shape == "deduced":
        return _DEDUCED
    if kind.shape == "scalar" or kind.atomic:
        return None
    if kind.walker is None:
        kind.walker = keyed(kind) if kind.shape == "list" else MapWalker(kind)
    found: Walker = kind.walker
    return found
