"""An answer of a script's server, on its way to a client."""

import asyncio
import errno
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from cluster.runtime.emulated.web.messages import Headers, Response

_HELD: Final = 1 << 20
"""Bytes of an answer that wait for a slow client; a script that writes more is cut off."""


class Answer:
    """An answer that a script gives, piece by piece. `left` is called where the client leaves."""

    def __init__(self, left: Callable[[], None]) -> None:
        self._left = left
        self.head: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._ended = self._cut = False
        self._changed = asyncio.Event()

    def begin(self, status: int, reason: str, pairs: Sequence[tuple[str, str]]) -> None:
        """Its head is there."""
        headers = Headers((str(name), str(value)) for name, value in pairs)
        if "connection" not in headers:
            headers.add("Connection", "keep-alive")
            headers.add("Keep-Alive", "timeout=5")
        if not self.head.done():
            self.head.set_result(Response(status, headers, self._stream(), reason))

    def piece(self, data: bytes) -> None:
        """More of its body."""
        self._held += len(data)
        self._cut |= self._held > _HELD and len(self._pieces) > 0
        self._pieces.append(data)
        self._changed.set()

    def end(self) -> None:
        """No more is coming."""
        self._ended = True
        self._changed.set()

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._taken():
                yield piece
        except BaseException:
            self._left()
            raise

    async def _taken(self) -> AsyncIterator[bytes]:
        while True:
            while self._pieces:
                data = self._pieces.popleft()
                self._held -= len(data)
                yield data
            if self._cut:
                raise ConnectionResetError(errno.ECONNRESET, "the answer was not taken in time")
            if self._ended:
                return
            self._changed.clear()
            await self._changed.wait()
