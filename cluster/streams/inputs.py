"""The requests of a stream to a kubelet: a bounded queue that is an async iterator."""

import asyncio
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_AHEAD: Final = 8
PIECE: Final = 1 << 15
"""Bytes of a client that one message takes on, at most."""


class Inputs(Generic[T]):
    """What is `put` comes out in order, after `first`; `put` waits while the kubelet is slow."""

    def __init__(self, first: T) -> None:
        self._queue: asyncio.Queue[T | None] = asyncio.Queue(_AHEAD)
        self._queue.put_nowait(first)
        self._ended = False

    async def put(self, item: T) -> None:
        """Add one."""
        if not self._ended:
            await self._queue.put(item)

    async def end(self) -> None:
        """Say that no more comes."""
        if not self._ended:
            self._ended = True
            await self._queue.put(None)

    def __aiter__(self) -> "Inputs[T]":
        return self

    async def __anext__(self) -> T:
        item = await self._queue.get()
        if item is None:
            self._ended = True
            self._queue.put_nowait(None)  # whoever asks again hears the same
            raise StopAsyncIteration
        return item
