"""Columns of the node table that hold one label or one set of taints as small numbers."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]

ABSENT: Final = 0
_SPARE_VALUES: Final = 64


class LabelColumn:
    """The values of one label key by row, interned: 0 where the node does not have the label."""

    def __init__(self, key: str, labels: Iterable[Mapping[str, str] | None], capacity: int) -> None:
        self.key = key
        self.codes: NDArray[np.int32] = np.zeros(capacity, np.int32)
        self._code_of: dict[str, int] = {}
        self._texts: list[str] = [""]
        for row, found in enumerate(labels):
            self.set(row, found)

    def set(self, row: int, labels: Mapping[str, str] | None) -> None:
        """Take the label of a node's labels into its row."""
        text = (labels or {}).get(self.key)
        self.codes[row] = ABSENT if text is None else self._intern(text)

    def code(self, text: str) -> int:
        """The number of a value; -1 for one that no node has."""
        return self._code_of.get(text, -1)

    def text(self, code: int) -> str:
        """The value of a number."""
        return self._texts[code]

    def grow(self, capacity: int) -> None:
        """Make room for `capacity` rows."""
        self.codes = grown(self.codes, capacity)

    @property
    def size(self) -> int:
        """How many codes there are, that of absence among them."""
        return len(self._texts)

    @property
    def wasteful(self) -> bool:
        """Whether most of its values are of nodes that are gone: build it anew."""
        return len(self._texts) > 2 * len(self.codes) + _SPARE_VALUES

    def _intern(self, text: str) -> int:
        code = self._code_of.get(text)
        if code is None:
            code = self._code_of[text] = len(self._texts)
            self._texts.append(text)
        return code


class TaintColumn:
    """The taints of each row, each distinct list of taints once. Number 0 is "no taints"."""

    def __init__(self, capacity: int) -> None:
        self.codes: Ints = np.zeros(capacity, np.int64)
        self._lists: dict[int, tuple[Taint, ...]] = {0: ()}
        self._code_of: dict[tuple[Taint, ...], int] = {(): 0}
        self._users: dict[int, int] = {0: 1}
        self._next = 1

    def set(self, row: int, taints: tuple["Taint", ...]) -> None:
        """Put a node's taints in its row."""
        code = self._code_of.get(taints)
        if code is None:
            code, self._next = self._next, self._next + 1
            self._code_of[taints], self._lists[code], self._users[code] = code, taints, 0
        self._users[code] += 1
        before = int(self.codes[row])
        self.codes[row] = code
        if before:
            self._leave(before)

    def taints(self, code: int) -> tuple["Taint", ...]:
        """The taints of a number."""
        return self._lists[code]

    def grow(self, capacity: int) -> None:
        """Make room for `capacity` rows."""
        self.codes = grown(self.codes, capacity)

    def _leave(self, code: int) -> None:
        self._users[code] -= 1
        if not self._users[code]:
            del self._users[code], self._code_of[self._lists.pop(code)]


Taint = tuple[str, str, str]
"""Key, value, effect."""


def taints_of(node: Mapping[str, Any]) -> tuple[Taint, ...]:
    """A node's taints, in their order."""
    found = (node.get("spec") or {}).get("taints") or ()
    return tuple(
        (taint.get("key") or "", taint.get("value") or "", taint.get("effect") or "")
        for taint in found
    )


def grown(column: NDArray[Any], capacity: int) -> NDArray[Any]:
    """The column with `capacity` places along its last axis, zeros in the new ones."""
    larger = np.zeros((*column.shape[:-1], capacity), column.dtype)
    larger[..., : column.shape[-1]] = column
    return larger
