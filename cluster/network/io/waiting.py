"""Those who wait for something to change."""

import asyncio


class Waiters:
    """Futures of those who wait; all are woken at once, in order, and look for themselves."""

    __slots__ = ("_futures", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._futures: list[asyncio.Future[None]] = []

    def wait(self) -> "asyncio.Future[None]":
        """Until the next `wake`: to be awaited, by the caller alone."""
        future: asyncio.Future[None] = self._loop.create_future()
        if self._futures:  # among them may be some whose callers wait no more
            self._futures = [one for one in self._futures if not one.done()]
        self._futures.append(future)
        return future

    def wake(self) -> None:
        """Something has changed."""
        if self._futures:
            futures, self._futures = self._futures, []
            for future in futures:
                if not future.done():
                    future.set_result(None)
