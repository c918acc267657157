"""How long a stream lasts, and how many there are: until the client goes, or nothing happens."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from cluster.api import errors

IDLE_SECONDS: Final = 4 * 3600.0
"""streaming-connection-idle-timeout of the kubelet."""
MAX_STREAMS: Final = 1000

Follow = Callable[[object, Callable[[], None]], Callable[[], None]]


class Sessions:
    """Counts the streams that are open; `follow` tells of lost connections (see RestServer)."""

    def __init__(
        self, follow: Follow, *, limit: int = MAX_STREAMS, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._follow = follow
        self._limit = limit
        self._idle_seconds = idle_seconds
        self.open = 0

    @asynccontextmanager
    async def session(self, connection: object) -> AsyncIterator[Callable[[], None]]:
        """A stream of `connection`; gives what to call at each sign of life.

        ConnectionError inside where the client is lost or nothing happens for too long;
        errors.TooManyRequests where there are too many.
        """
        if self.open >= self._limit:
            why = "too many streams are open, please try again later"
            raise errors.TooManyRequests(why, retry_after=1)
        self.open += 1
        try:
            async with _Life(self._idle_seconds) as life:
                forget = self._follow(connection, life.end)
                try:
                    yield life.touch
                finally:
                    forget()
        finally:
            self.open -= 1


class _Life:
    """A block that ends with ConnectionResetError on `end`, or after too long without `touch`."""

    def __init__(self, idle_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle_seconds = idle_seconds
        self._touched = self._loop.time()
        self._scope = asyncio.timeout(None)
        self._timer = self._loop.call_later(idle_seconds, self._look)
        self._over = False

    def touch(self) -> None:
        """Something happens."""
        self._touched = self._loop.time()

    def end(self) -> None:
        """End the block."""
        if not self._over and not self._scope.expired():
            self._scope.reschedule(self._loop.time())

    def _look(self) -> None:
        left = self._touched + self._idle_seconds - self._loop.time()
        if left <= 0:
            self.end()
        else:
            self._timer = self._loop.call_later(left, self._look)

    async def __aenter__(self) -> "_Life":
        await self._scope.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._over = True
        self._timer.cancel()
        try:
            await self._scope.__aexit__(*exc)  # type: ignore[arg-type]
        except TimeoutError:
            raise ConnectionResetError("the client is gone, or said nothing for too long") from None
