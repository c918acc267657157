"""Checking custom objects against their schema, with the words of kube-apiserver.

A schema is compiled into closures, one a node. Each takes a value, the value that it replaces
(MISSING where none can be named), the path, and what was found so far. A node whose value has not
changed says nothing: that is ratcheting (KEP-4008), and an update cannot fail for what was there.
Sources: k8s.io/kube-openapi pkg/validation/validate, apiextensions-apiserver
pkg/apiserver/validation.
"""

from collections.abc import Callable
from typing import Any, Final

from cluster.api import causes, regexes, walker
from cluster.api.crd import formats
from cluster.api.crd.found import MISSING, NO_PATH, Found, Path, go_number, same
from cluster.api.crd.structure import Schema

Check = Callable[[Any, Any, Path, Found], None]

_TYPE_INVALID: Final = "FieldValueTypeInvalid"
_INVALID: Final = "FieldValueInvalid"
_FEW: Final = 16
"""Required names that are looked for without being counted as work."""
_INTEGERS: Final = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_PLAIN: Final = {"string": str, "boolean": bool}


def compiled(schema: Schema) -> Check:
    """The check of a whole custom object."""
    return _node(schema)


def _node(node: Schema) -> Check:
    """The check of one node: type first, then what goes by the kind of value."""
    types = ("integer", "string") if node.int_or_string else (node.type,) if node.type else ()
    nullable = node.nullable or not types
    by_kind: dict[type, list[Check]] = {
        str: _of_string(node), dict: _of_object(node), list: _of_list(node),
    }  # fmt: skip
    numbers = _of_number(node)
    always = [*_of_enum(node), *_branches(node)]
    enum = _of_enum(node)
    accepts = _accepted(types)
    shown_types = ",".join(types)

    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        if old is not MISSING and same(old, value):
            return
        if value is None:
            if not nullable:
                _wrong_type(path, shown_types, "null", found)
            for one in enum:
                one(value, old, path, found)
            return
        kind = type(value)
        if accepts is not None and not accepts(value):
            _wrong_type(path, shown_types, _type_of(value), found)
        for one in numbers if kind is int or kind is float else by_kind.get(kind, ()):
            one(value, old, path, found)
        for one in always:
            one(value, old, path, found)

    return check


def _later(node: Schema) -> Check:
    """The check of a property, made when a value is first there: of large schemas few are."""
    made: list[Check] = []

    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        if not made:
            made.append(_node(node))
        made[0](value, old, path, found)

    return check


def _accepted(types: tuple[str, ...]) -> Callable[[Any], bool] | None:
    if not types:
        return None
    exact = {"string": (str,), "boolean": (bool,), "object": (dict,), "array": (list,)}
    kinds = tuple(kind for name in types for kind in exact.get(name, ()))
    integer, number = "integer" in types, "number" in types

    def accepts(value: Any) -> bool:
        kind = type(value)
        if kind in kinds:
            return True
        if kind is int:
            return number or (integer and -(2**63) <= value < 2**63)
        return kind is float and (number or (integer and value.is_integer()))

    return accepts


def _type_of(value: Any) -> str:
    if type(value) is int:
        return "integer" if -(2**63) <= value < 2**63 else "number"
    name = walker.json_type(value)
    return "boolean" if name == "bool" else name


def _wrong_type(path: Path, wanted: str, value: str, found: Found) -> None:
    shown = causes.quoted(value)
    message = f"{walker.shown(path)} in body must be of type {wanted}: {shown}"
    found.add(_TYPE_INVALID, path, f"Invalid value: {shown}: {message}")


def _says(found: Found, path: Path, value: Any, rule: str) -> None:
    message = f"Invalid value: {causes.shown(value)}: {walker.shown(path)} in body {rule}"
    found.add(_INVALID, path, message)


# Strings


def _of_string(node: Schema) -> list[Check]:
    checks: list[Check] = []
    if node.min_length is not None or node.max_length is not None:
        checks.append(_length(node.min_length, node.max_length))
    if node.pattern:
        checks.append(_pattern(node.pattern))
    matches = formats.check(node.format) if node.format else None
    if matches is not None:
        checks.append(_format(node.format, matches))
    return checks


def _length(low: int | None, high: int | None) -> Check:
    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        size = len(value)
        if high is not None and size > high:
            found.put(causes.too_long(walker.shown(path), high))
        if low is not None and size < low:
            _says(found, path, value, f"should be at least {low} chars long")

    return check


def _pattern(pattern: str) -> Check:
    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        if not regexes.found(pattern, value):
            _says(found, path, value, f"should match '{pattern}'")

    return check


def _format(name: str, matches: formats.Check) -> Check:
    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        if not matches(value):
            _wrong_type(path, name, value, found)

    return check


# Numbers


def _of_number(node: Schema) -> list[Check]:
    checks: list[Check] = []
    if node.multiple_of is not None:
        checks.append(_multiple_of(node.multiple_of))
    if node.maximum is not None:
        checks.append(_bound(node.maximum, node.exclusive_maximum, above=True))
    if node.minimum is not None:
        checks.append(_bound(node.minimum, node.exclusive_minimum, above=False))
    if node.format in _INTEGERS and node.type == "integer":
        checks.append(_range(node.format))
    return checks


def _multiple_of(factor: float) -> Check:
    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        if factor <= 0:
            why = f"factor MultipleOf declared for {walker.shown(path)} must be positive: "
            found.add(_INVALID, path, f"Invalid value: {causes.shown(value)}: {why}{factor}")
        elif value % factor if type(value) is type(factor) is int else _uneven(value, factor):
            _says(found, path, value, f"should be a multiple of {go_number(factor)}")

    return check


def _uneven(value: float, factor: float) -> bool:
    try:
        return not (value / factor).is_integer()
    except OverflowError:
        return True


def _bound(limit: float, exclusive: bool, *, above: bool) -> Check:
    than = "less than" if above else "greater than"
    rule = f"should be {than}" if exclusive else f"should be {than} or equal to"
    whole = int(limit) if float(limit).is_integer() else limit

    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        beyond = value > limit if above else value < limit
        if beyond or (exclusive and value == limit):
            shown = go_number(whole if type(value) is int else float(limit))
            _says(found, path, value, f"{rule} {shown}")

    return check


def _range(name: str) -> Check:
    low, high = _INTEGERS[name]

    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        if not low <= value <= high:
            where = walker.shown(path)
            why = f"Checked value must be of type integer with format {name} in {where}"
            _nameless(found, why)

    return check


# Enumerations


def _of_enum(node: Schema) -> list[Check]:
    if node.enum is None:
        return []
    texts = frozenset(item for item in node.enum if isinstance(item, str))
    others = [item for item in node.enum if not isinstance(item, str)]
    told = [item if isinstance(item, str) else causes.shown(item) for item in node.enum]

    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        text = type(value) is str
        known = value in texts if text else any(same(item, value) for item in others)
        if not known:
            found.put(causes.not_supported(walker.shown(path), value, told))

    return [check]


# Objects


def _of_object(node: Schema) -> list[Check]:
    checks: list[Check] = []
    if node.min_properties is not None or node.max_properties is not None:
        checks.append(_count_properties(node.min_properties, node.max_properties))
    if node.properties or node.additional is not None or node.required:
        checks.append(_properties(node))
    return checks


def _count_properties(low: int | None, high: int | None) -> Check:
    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        size = len(value)
        if low is not None and size < low:
            _says(found, path, size, f"should have at least {low} properties")
        elif high is not None and size > high:
            found.put(causes.too_many(walker.shown(path), size, high))

    return check


def _properties(node: Schema) -> Check:
    known = {name: (_plain(inner), _later(inner)) for name, inner in node.properties.items()}
    rest = _node(node.element) if node.element is not None else None
    rest_plain = _plain(node.element) if node.element is not None else None
    closed = node.additional is False
    required = node.required
    costly = len(required) > _FEW

    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        before = old if type(old) is dict else {}
        for key, item in value.items():
            rule = known.get(key)
            if rule is not None:
                if type(item) is not rule[0]:
                    rule[1](item, before.get(key, MISSING), (path, key), found)
            elif rest is not None:
                if type(item) is not rest_plain:
                    rest(item, before.get(key, MISSING), (path, key), found)
            elif closed:
                where = walker.shown((path, key))
                why = f"Invalid value: {causes.shown(key)}: {where} in body is a forbidden property"
                found.add(_INVALID, path, why)
        if costly:
            found.spend(len(required) // _FEW)
        for name in required:
            if name not in value:
                found.put(causes.required(walker.shown((path, name))))

    return check


def _plain(node: Schema) -> type | None:
    """The Python type whose every value is good, where a node asks for nothing but its type."""
    kind = _PLAIN.get(node.type)
    branches = node.any_of or node.one_of or node.all_of or node.negated is not None
    if kind is None or node.int_or_string or node.enum is not None or branches:
        return None
    return None if kind is str and _of_string(node) else kind


# Lists


def _of_list(node: Schema) -> list[Check]:
    checks: list[Check] = []
    if node.items is not None:
        checks.append(_items(node, node.items))
    if node.min_items is not None or node.max_items is not None:
        checks.append(_count_items(node.min_items, node.max_items))
    return checks


def _items(node: Schema, element: Schema) -> Check:
    inner, plain = _node(element), _plain(element)
    keys = node.list_map_keys if node.list_type == "map" else ()

    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        before = by_key(old, keys) if keys and type(old) is list else None
        for index, item in enumerate(value):
            if type(item) is plain:
                continue
            known = MISSING if before is None else before.get(map_key(item, keys), MISSING)
            inner(item, known, (path, index), found)

    return check


def map_key(item: Any, keys: tuple[str, ...]) -> Any:
    """What an element of a list of type map is known by; None for what is no object."""
    if type(item) is not dict:
        return None
    return tuple(causes.shown(item[key]) if key in item else "" for key in keys)


def by_key(items: list[Any], keys: tuple[str, ...]) -> dict[Any, Any]:
    """The elements of a list of type map by what they are known by, the first of each."""
    found: dict[Any, Any] = {}
    for item in items:
        found.setdefault(map_key(item, keys), item)
    found.pop(None, None)
    return found


def _count_items(low: int | None, high: int | None) -> Check:
    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        size = len(value)
        if low is not None and size < low:
            _says(found, path, size, f"should have at least {low} items")
        if high is not None and size > high:
            found.put(causes.too_many(walker.shown(path), size, high))

    return check


# allOf, anyOf, oneOf, not: never ratcheted inside, for what they say holds of the whole value


def _branches(node: Schema) -> list[Check]:
    checks: list[Check] = []
    if node.any_of:
        checks.append(_any_of([_node(branch) for branch in node.any_of]))
    if node.one_of:
        checks.append(_one_of([_node(branch) for branch in node.one_of]))
    if node.all_of:
        checks.append(_all_of([_node(branch) for branch in node.all_of]))
    if node.negated is not None:
        checks.append(_not(_node(node.negated)))
    return checks


def _tried(branch: Check, value: Any, path: Path, found: Found) -> Found:
    inner = found.branch()
    branch(value, MISSING, path, inner)
    found.steps = inner.steps
    return inner


def _any_of(branches: list[Check]) -> Check:
    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        best: Found | None = None
        for branch in branches:
            inner = _tried(branch, value, path, found)
            if not inner.causes:
                return
            if best is None or len(inner.causes) < len(best.causes):
                best = inner
        _nameless(found, f"{_named(path)} must validate at least one schema (anyOf)")
        _take(found, best)

    return check


def _one_of(branches: list[Check]) -> Check:
    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        best: Found | None = None
        valid = 0
        for branch in branches:
            inner = _tried(branch, value, path, found)
            if not inner.causes:
                valid += 1
            elif best is None or len(inner.causes) < len(best.causes):
                best = inner
        if valid == 1:
            return
        told = "Found none valid" if not valid else f"Found {valid} valid alternatives"
        _nameless(found, f"{_named(path)} must validate one and only one schema (oneOf). {told}")
        _take(found, None if valid else best)

    return check


def _all_of(branches: list[Check]) -> Check:
    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        valid = 0
        for branch in branches:
            inner = _tried(branch, value, path, found)
            valid += not inner.causes
            _take(found, inner)
        if valid != len(branches):
            none = "" if valid else ". None validated"
            _nameless(found, f"{_named(path)} must validate all the schemas (allOf){none}")

    return check


def _not(branch: Check) -> Check:
    def check(value: Any, old: Any, path: Path, found: Found) -> None:
        if not _tried(branch, value, path, found).causes:
            _nameless(found, f"{_named(path)} must not validate the schema (not)")

    return check


def _take(found: Found, inner: Found | None) -> None:
    for cause in inner.causes if inner is not None else ():
        found.put(cause)


def _named(path: Path) -> str:
    return causes.quoted(walker.shown(path))


def _nameless(found: Found, why: str) -> None:
    found.put(causes.invalid(NO_PATH, "", why))
