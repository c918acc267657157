"""What is to be sent, and kept until the peer has it: in the pieces in which it was given.

One buffer of all would be copied whenever its front goes and its end grows. Short pieces are put
together, so that there are never many.
"""

from collections import deque
from typing import Final

_SHORT: Final = 16 << 10
"""Pieces shorter than this join the one before them, unless that is long."""
_LONG: Final = 64 << 10


class Kept:
    """A queue of bytes, any of which can be looked at. Places are counted from its front."""

    __slots__ = ("_gone", "_pieces", "size")

    def __init__(self) -> None:
        self._pieces: deque[bytes | bytearray] = deque()
        self._gone = 0
        """Bytes of the first piece that are not part of it any more."""
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def put(self, data: bytes | memoryview) -> None:
        """Add data at the end; bytes are not copied if they are many."""
        pieces = self._pieces
        size = len(data)
        self.size += size
        if pieces and size < _SHORT and len(pieces[-1]) < _LONG:
            last = pieces[-1]
            if isinstance(last, bytes):
                if len(last) >= _SHORT:
                    pieces.append(bytearray(data))
                    return
                last = pieces[-1] = bytearray(last)
            last += data
        else:
            pieces.append(data if isinstance(data, bytes) else bytes(data))

    def part(self, start: int, end: int) -> bytes:
        """The bytes between two places."""
        if not start and not self._gone and end == self.size and len(self._pieces) == 1:
            return bytes(self._pieces[0])
        start += self._gone
        end += self._gone
        found: list[memoryview] = []
        for piece in self._pieces:
            size = len(piece)
            if start < size:
                if end <= size and not found:
                    return bytes(piece[start:end])
                found.append(memoryview(piece)[start:end])
            if end <= size:
                break
            start = max(start - size, 0)
            end -= size
        return b"".join(found)

    def drop(self, count: int) -> None:
        """The first `count` bytes are needed no more; there are so many."""
        pieces = self._pieces
        if count == self.size:
            pieces.clear()
            self.size = self._gone = 0
            return
        self.size -= count
        gone = self._gone + count
        while pieces and gone >= len(pieces[0]):
            gone -= len(pieces.popleft())
        self._gone = gone

    def clear(self) -> None:
        """Forget all."""
        self._pieces.clear()
        self._gone = self.size = 0
