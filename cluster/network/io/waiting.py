"""Those who wait for something to change."""

import asyncio


class Waiters:
    """Futures of those who wait; all are woken at once, in order, and look for themselves."""

    __slots__ = ("_first", "_loop", "_others")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._first: asyncio.Future[None] | None = None
        """Mostly there is no other."""
        self._others: list[asyncio.Future[None]] = []

    def wait(self) -> "asyncio.Future[None]":
        """Until the next `wake`: to be awaited, by the caller alone."""
        future: asyncio.Future[None] = self._loop.create_future()
        if self._first is None:
            self._first = future
        else:  # among them may be some whose callers wait no more
            self._others = [one for one in self._others if not one.done()]
            self._others.append(future)
        return future

    def wake(self) -> None:
        """Something has changed."""
        first = self._first
        if first is None:
            return
        self._first = None
        if not first.done():
            first.set_result(None)
        if self._others:
            others, self._others = self._others, []
            for future in others:
                if not future.done():
                    future.set_result(None)
