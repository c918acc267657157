"""One value for equal JSON text, of which the objects of a cluster have much.

Ten thousand pods of a few templates differ in their names, addresses and ids. Decoded each for
itself a pod takes 15 kB, and most of its fields are those of others; with these shared, 3 kB. It
takes no longer, since what is known is not decoded again.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

_decode: Final = msgspec.json.Decoder().decode
_NEW: Final = object()


class Sharing:
    """Remembers the values of JSON texts, the last used ones: `size` bytes of text at least, twice
    that at most, and no text that takes a sixteenth of it. Nobody may change what it gives.
    """

    def __init__(self, size: int = 1 << 20) -> None:
        self._most = size
        self._longest = size // 16
        self._size = 0
        self._known: dict[bytes, Any] = {}
        self._older: dict[bytes, Any] = {}

    def value(self, raw: msgspec.Raw) -> Any:
        """The value of a text."""
        text = bytes(raw)
        found = self._known.get(text, _NEW)
        return self._learn(text) if found is _NEW else found

    def fill(self, fields: dict[str, Any], own: Mapping[str, Callable[[msgspec.Raw], Any]]) -> None:
        """Put the values of texts into their places; the fields `own` are no others', and have
        decoders of their own.
        """
        known = self._known.get
        for name, raw in fields.items():
            if name in own:
                fields[name] = own[name](raw)
                continue
            text = bytes(raw)
            found = known(text, _NEW)
            if found is _NEW:
                found = self._learn(text)
                known = self._known.get
            fields[name] = found

    def _learn(self, text: bytes) -> Any:
        """The value of a text that was not used of late."""
        found = self._older.get(text, _NEW)
        if found is _NEW:
            found = _decode(text)
        if len(text) <= self._longest:
            self._size += len(text)
            if self._size > self._most:
                self._older, self._known = self._known, {}
                self._size = len(text)
            self._known[text] = found
        return found
