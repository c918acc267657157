"""What was found out about JSON values, to be known again by their text.

Pods come from templates: thousands have one spec. To encode a value and look its text up costs a
tenth of what walking it costs; and text, unlike the value, cannot change under what is remembered.
"""

from typing import Any, Final, Generic, TypeVar

import msgspec

T = TypeVar("T")

_ENTRIES: Final = 512
_LONGEST: Final = 8192
_encode = msgspec.json.Encoder().encode


class Recall(Generic[T]):
    """Findings by text: `entries` of them at most, of texts of at most `longest` bytes.

    The oldest goes first. `text` gives the key of a value; None where it is not remembered, because
    it is too long or cannot be written as JSON.
    """

    __slots__ = ("_entries", "_found", "_longest", "get")

    def __init__(self, entries: int = _ENTRIES, longest: int = _LONGEST) -> None:
        self._entries = entries
        self._longest = longest
        self._found: dict[bytes, T] = {}
        self.get = self._found.get

    def text(self, value: Any) -> bytes | None:
        """The key of `value`."""
        try:
            text = _encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError):
            return None
        return text if len(text) <= self._longest else None

    def keep(self, text: bytes | None, found: T) -> None:
        """Remember what was found out about the value of this text."""
        if text is None:
            return
        if len(self._found) >= self._entries:
            del self._found[next(iter(self._found))]
        self._found[text] = found
