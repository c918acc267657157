"""An applied configuration laid over a live object, and fields taken out of one.

Sources: typed/merge.go and typed/remove.go. Nothing that comes in is changed; results share parts.
"""

from typing import Any, Final

from cluster.api.managedfields import elements, types, walking
from cluster.api.managedfields.elements import SELF
from cluster.api.managedfields.fieldsets import Set

_MISSING: Final = object()


def merged(kind: types.Type, live: Any, config: Any) -> Any:
    """`live` with everything that `config` says; live items that it does not name stay.

    walking.Unkeyed where the items of a list cannot be told apart.
    """
    if live is config:
        return live
    if kind.shape == "deduced":
        if isinstance(live, dict) and isinstance(config, dict):
            return _merged_map(types.FREE, live, config)
        return config
    if kind.shape == "scalar" or kind.atomic:
        return config
    if kind.shape == "list":
        if isinstance(live, list) and isinstance(config, list):
            return _merged_list(kind, live, config) if live or config else config
    elif isinstance(live, dict) and isinstance(config, dict):
        return _merged_map(kind, live, config)
    return live if config is None and live else config


def _merged_map(kind: types.Type, live: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    result = dict(live)
    for name, value in config.items():
        before = live.get(name, _MISSING)
        if before is _MISSING:
            result[name] = value
        elif before != value:
            field = kind.fields.get(name)
            inner = field.type if field is not None else kind.element or types.DEDUCED
            result[name] = merged(inner, before, value)
    return result


def _merged_list(kind: types.Type, live: list[Any], config: list[Any]) -> list[Any]:
    """The items of both: the configuration's in its order, the others where they stood.

    An item of `live` alone comes before the configuration's items that follow it there. Live items
    with the same keys stay as they are, unless the configuration names them: then they become one.
    """
    element = kind.element or types.DEDUCED
    text_of = walking.keyed(kind).element
    theirs = [text_of(item) for item in config]
    ours = [text_of(item) for item in live]
    wanted = dict(zip(theirs, config, strict=True))
    present: dict[str, Any] = {}
    for text, item in zip(ours, live, strict=True):
        present[text] = _MISSING if text in present else item
    order = _Order([text for text in theirs if text in present])
    result: list[Any] = []
    done: set[str] = set()

    def take(text: str) -> None:
        before = present.get(text, _MISSING)
        value = wanted[text]
        result.append(value if before is _MISSING else merged(element, before, value))
        done.add(text)
        order.taken(text)

    left, right = 0, 0
    while left < len(ours) or right < len(theirs):
        if left < len(ours) and right < len(theirs):
            text = ours[left]
            if text == theirs[right]:
                take(text)
                left, right = left + 1, right + 1
                continue
            if text in wanted and order.waits(text):
                left += 1
                continue
        if left < len(ours):
            if ours[left] not in wanted:
                result.append(live[left])
                left += 1
                continue
            if ours[left] in done:
                left += 1
        if right < len(theirs):
            take(theirs[right])
            right += 1
    return result


class _Order:
    """The items that both lists have, in the order of the configuration."""

    def __init__(self, shared: list[str]) -> None:
        self._shared = shared
        self._next = 0

    def waits(self, text: str) -> bool:
        """Whether another shared item has to come before this one."""
        return self._next < len(self._shared) and self._shared[self._next] != text

    def taken(self, text: str) -> None:
        """An item has come."""
        if self._next < len(self._shared) and self._shared[self._next] == text:
            self._next += 1


GONE: Final = object()
"""What is left of a value of which everything was taken out."""


def removed(kind: types.Type, value: Any, taken: Set) -> Any:
    """`value` without the fields of `taken`; GONE where nothing is left of it."""
    if not taken or not value:
        return value
    if kind.shape == "deduced":
        return _removed_map(types.FREE, value, taken) if isinstance(value, dict) else value
    if kind.shape == "scalar" or kind.atomic:
        return value
    if kind.shape == "list" and isinstance(value, list):
        return _removed_list(kind, value, taken)
    return _removed_map(kind, value, taken) if isinstance(value, dict) else value


def _removed_map(kind: types.Type, value: dict[str, Any], taken: Set) -> Any:
    result = {}
    for name, item in value.items():
        below = taken.get(elements.field(name))
        if below is not None:
            if not below or SELF in below:
                continue
            field = kind.fields.get(name)
            inner = field.type if field is not None else kind.element or types.DEDUCED
            left = removed(inner, item, below)
            if left is not GONE:
                result[name] = left
        else:
            result[name] = item
    return result or GONE


def _removed_list(kind: types.Type, value: list[Any], taken: Set) -> Any:
    element, text_of = kind.element or types.DEDUCED, walking.keyed(kind).element
    result = []
    for item in value:
        below = taken.get(text_of(item))
        if below is not None:
            if not below or SELF in below:
                continue
            left = removed(element, item, below)
            if left is not GONE:
                result.append(left)
        else:
            result.append(item)
    return result or GONE
