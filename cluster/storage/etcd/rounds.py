"""One question at a time, whose answer goes to all who asked before it was put."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from cluster.aio import tasks

T = TypeVar("T")


class Rounds(Generic[T]):
    """`ask` is called for those who wait; who comes meanwhile waits for the next call of it."""

    def __init__(self, ask: Callable[[], Awaitable[T]], background: tasks.Background) -> None:
        self._ask = ask
        self._background = background
        self._waiting: asyncio.Future[T] | None = None
        self._busy = False

    async def answer(self) -> T:
        """What `ask` says, being called after this was. It raises what `ask` raises."""
        waiting = self._waiting
        if waiting is None:
            waiting = self._waiting = asyncio.get_running_loop().create_future()
            waiting.add_done_callback(_seen)
            if not self._busy:
                self._begin()
        return await asyncio.shield(waiting)

    def _begin(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._busy = True
            self._background.spawn(self._round(waiting), "round")

    async def _round(self, waiting: "asyncio.Future[T]") -> None:
        try:
            waiting.set_result(await self._ask())
        except asyncio.CancelledError:
            waiting.cancel()
            raise
        except Exception as error:  # noqa: BLE001  (it goes to those who asked)
            waiting.set_exception(error)
        finally:
            self._busy = False
            self._begin()


def _seen(future: "asyncio.Future[T]") -> None:
    """Those who asked may have left: their answer is nobody's fault then."""
    if not future.cancelled():
        future.exception()
