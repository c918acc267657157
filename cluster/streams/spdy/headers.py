"""Header blocks: names and values, in one zlib stream a direction, as long as the connection.

Section 2.6.10. A value with zero bytes in it stands for several values of one name.
"""

import zlib
from collections.abc import Iterable
from typing import Final

from cluster.streams.spdy.dictionary import DICTIONARY
from cluster.streams.spdy.faults import Malformed

MAX_HEADERS: Final = 1 << 16
"""Bytes of one block, inflated."""
_MAX_PAIRS: Final = 256

Headers = tuple[tuple[str, str], ...]


class Compressor:
    """Writes header blocks, in the order in which they are sent."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(zdict=DICTIONARY)

    def block(self, headers: Iterable[tuple[str, str]]) -> bytes:
        """The compressed block of some headers; names are put in lower case."""
        plain = _plain(headers)
        return self._zlib.compress(plain) + self._zlib.flush(zlib.Z_SYNC_FLUSH)


class Decompressor:
    """Reads header blocks, each of them, in the order in which they come."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zdict=DICTIONARY)

    def headers(self, block: bytes) -> Headers:
        """The names and values of a compressed block. Malformed: nothing after it is readable."""
        try:
            plain = self._zlib.decompress(block, MAX_HEADERS)
        except zlib.error as error:
            raise Malformed(f"a header block cannot be inflated: {error}") from None
        if self._zlib.unconsumed_tail or self._zlib.eof:
            raise Malformed("a header block is too large, or ends its stream")
        return tuple(_pairs(plain))


def _plain(headers: Iterable[tuple[str, str]]) -> bytes:
    joined: dict[str, str] = {}
    for given, value in headers:
        name = given.lower()
        joined[name] = f"{joined[name]}\0{value}" if name in joined else value
    parts = [len(joined).to_bytes(4, "big")]
    for name, value in joined.items():
        for text in (name, value):
            raw = text.encode("latin-1", "replace")
            parts += (len(raw).to_bytes(4, "big"), raw)
    return b"".join(parts)


def _pairs(plain: bytes) -> list[tuple[str, str]]:
    count, at = _number(plain, 0)
    if count > _MAX_PAIRS:
        raise Malformed(f"a header block of {count} headers")
    found = []
    for _ in range(count):
        name, at = _text(plain, at)
        value, at = _text(plain, at)
        if not name:
            raise Malformed("a header without a name")
        found += [(name.lower(), one) for one in value.split("\0")]
    if at != len(plain):
        raise Malformed("a header block longer than it says")
    return found


def _number(plain: bytes, at: int) -> tuple[int, int]:
    if at + 4 > len(plain):
        raise Malformed("a header block that is cut off")
    return int.from_bytes(plain[at : at + 4], "big"), at + 4


def _text(plain: bytes, at: int) -> tuple[str, int]:
    size, at = _number(plain, at)
    if at + size > len(plain):
        raise Malformed("a header block that is cut off")
    return plain[at : at + size].decode("latin-1"), at + size
