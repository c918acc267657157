"""Whether an applied configuration fits its type. Words: typed/validate.go."""

from collections.abc import Iterator
from typing import Any, Final

from cluster.api.managedfields import elements, types, walking

_LIMIT: Final = 100  # complaints that are told
_GO: Final = {bool: "bool", int: "int64", float: "float64", str: "string"}


def complaints(kind: types.Type, value: Any) -> list[str]:
    """What is wrong with a configuration: `.spec.foo: field not declared in schema`."""
    if _fits(kind, value):
        return []
    found: list[str] = []
    for text in _check(kind, value, ""):
        found.append(text)
        if len(found) == _LIMIT:
            break
    return found


def joined(found: list[str]) -> str:
    """Complaints as one message."""
    if len(found) == 1:
        return found[0]
    return "\n".join(["errors:", *(f"  {text}" for text in sorted(found))])


def _fits(kind: types.Type, value: Any) -> bool:
    """Whether all is well, without words: it nearly always is."""
    if kind.shape == "scalar":
        return type(value) in _ACCEPTED[kind.scalar]
    if value is None or kind.shape == "deduced":
        return True
    if kind.shape == "list":
        return type(value) is list and _fits_list(kind, value)
    if type(value) is not dict:
        return False
    fields = kind.fields
    for name, item in value.items():
        field = fields.get(name)
        inner = field.type if field is not None else kind.element
        if inner is None:
            return False
        if inner.shape == "scalar":
            if type(item) not in _ACCEPTED[inner.scalar]:
                return False
        elif not _fits(inner, item):
            return False
    return True


def _fits_list(kind: types.Type, value: list[Any]) -> bool:
    element = kind.element or types.DEDUCED
    if not kind.atomic:
        try:
            texts = set(map(walking.keyed(kind).element, value))
        except walking.Unkeyed:
            return False
        if len(texts) < len(value):
            return False
    return all(_fits(element, item) for item in value)


_NONE: Final = type(None)
_ACCEPTED: Final[dict[str, tuple[type, ...]]] = {
    "numeric": (int, float, _NONE),
    "string": (str, _NONE),
    "boolean": (bool, _NONE),
    "untyped": (str, int, float, bool, _NONE),
}


def _check(kind: types.Type, value: Any, path: str) -> Iterator[str]:
    if value is None or kind.shape == "deduced":
        return
    if kind.shape == "scalar":
        why = _scalar(kind.scalar, value)
        if why:
            yield _at(path, why)
    elif kind.shape == "list":
        if isinstance(value, list):
            yield from _list(kind, value, path)
        else:
            yield _at(path, f"expected list, got {_shown(value)}")
    elif isinstance(value, dict):
        yield from _map(kind, value, path)
    else:
        yield _at(path, f"expected map, got {_shown(value)}")


def _map(kind: types.Type, value: dict[str, Any], path: str) -> Iterator[str]:
    for name, item in value.items():
        field = kind.fields.get(name)
        inner = field.type if field is not None else kind.element
        if inner is None:
            yield _at(f"{path}.{name}", "field not declared in schema")
        elif item is not None:
            yield from _check(inner, item, f"{path}.{name}")


def _list(kind: types.Type, value: list[Any], path: str) -> Iterator[str]:
    element = kind.element or types.DEDUCED
    if kind.atomic:
        for index, item in enumerate(value):
            yield from _check(element, item, f"{path}[{index}]")
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        try:
            text = walking.element_of(kind, item)
        except walking.Unkeyed as error:
            yield _at(path, f"element {index}: {error}")
            continue
        if text in seen:
            yield _at(path, f"duplicate entries for key {elements.shown(text)}")
        seen.add(text)
        yield from _check(element, item, f"{path}{elements.shown(text)}")


def _scalar(name: str, value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name == "numeric":
        return "" if number else f"expected numeric (int or float), got {_go_type(value)}"
    if name == "string":
        return "" if isinstance(value, str) else f"expected string, got &{_shown(value)}"
    if name == "boolean":
        return "" if isinstance(value, bool) else f"expected boolean, got &{_shown(value)}"
    return "" if number or isinstance(value, str | bool) else (
        f"expected any scalar, got &{_shown(value)}"
    )  # fmt: skip


def _go_type(value: Any) -> str:
    if isinstance(value, dict):
        return "map[string]interface {}"
    return "[]interface {}" if isinstance(value, list) else _GO.get(type(value), "nil")


def _shown(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{{{text[:200]}}}"


def _at(path: str, why: str) -> str:
    return f"{path}: {why}" if path else why
