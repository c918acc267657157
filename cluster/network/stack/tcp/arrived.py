"""What arrived in order and nobody has taken: kept as it came, for long segments are not copied.

Short ones are put together, so a peer who sends bytes one by one costs hardly more than them.
"""

from collections import deque
from typing import Final

_WHOLE: Final = 16 << 10
"""A piece so long is given out alone: to join it with others costs more than another call."""
_LONG: Final = 1024
"""A piece so long stands for itself."""


class Arrived:
    """A queue of bytes."""

    __slots__ = ("_pieces", "_taken", "size")

    def __init__(self) -> None:
        self._pieces: deque[bytes | bytearray] = deque()
        self._taken = 0
        """Bytes of the first piece that are gone."""
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def put(self, data: bytes | bytearray) -> None:
        """Take data, which is nobody else's to change."""
        pieces = self._pieces
        self.size += len(data)
        if pieces and len(data) < _LONG:
            last = pieces[-1]
            if len(last) < _LONG and (len(pieces) > 1 or not self._taken):
                if isinstance(last, bytes):
                    last = pieces[-1] = bytearray(last)
                last += data
                return
        pieces.append(data)

    def take(self, most: int) -> bytes:
        """At most `most` bytes (one at least), less where a long piece is had without a copy."""
        pieces = self._pieces
        if not pieces:
            return b""
        if self.size <= most and len(pieces) == 1 and not self._taken:
            self.size = 0
            return bytes(pieces.popleft())
        first = pieces[0]
        if not self._taken and len(first) <= most and (len(pieces) == 1 or len(first) >= _WHOLE):
            pieces.popleft()
            self.size -= len(first)
            return bytes(first)
        found: list[bytes] = []
        left = min(most, max(_WHOLE, len(first) - self._taken))
        while left and pieces:
            found.append(self._some(left))
            left -= len(found[-1])
        taken = b"".join(found)
        self.size -= len(taken)
        return taken

    def _some(self, most: int) -> bytes:
        """At most so many bytes of the first piece."""
        piece, start = self._pieces[0], self._taken
        end = start + most
        if end >= len(piece):
            self._pieces.popleft()
            self._taken = 0
        else:
            self._taken = end
        return bytes(memoryview(piece)[start:end])

    def clear(self) -> None:
        """Forget all."""
        self._pieces.clear()
        self._taken = self.size = 0
