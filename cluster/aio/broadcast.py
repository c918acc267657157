"""A bounded broadcast: one sender, many readers, and no reader can hold up the sender.

Each reader has a buffer of its own. One whose buffer is full falls out: it gets what it holds, then
`Lagged`, and has to catch up by other means, as a watch that lists again does.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Lagged(Exception):
    """The reader was too slow: items were lost."""


class Closed(Exception):
    """The sender has closed, and everything that it sent was read."""


class Reader(Generic[T]):
    """One reader's end. Close it when done."""

    def __init__(self, owner: "Broadcast[T]", limit: int) -> None:
        self._owner = owner
        self._limit = limit
        self._items: deque[T] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._end: Exception | None = None

    async def receive(self) -> list[T]:
        """Everything that waits, at least one item. Lagged, Closed. One caller at a time."""
        while not self._items:
            if self._end is not None:
                raise self._end
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        items = list(self._items)
        self._items.clear()
        return items

    async def __aiter__(self) -> AsyncIterator[T]:
        """Each item, until the sender closes. Lagged."""
        while True:
            try:
                items = await self.receive()
            except Closed:
                return
            for item in items:
                yield item

    def close(self) -> None:
        """Leave the broadcast."""
        self._owner._leave(self)  # noqa: SLF001  (the two are one mechanism)
        self._finish(Closed())

    def _offer(self, item: T) -> bool:
        if len(self._items) >= self._limit:
            self._finish(Lagged(f"more than {self._limit} items were waiting to be read"))
            return False
        self._items.append(item)
        self._wake()
        return True

    def _finish(self, end: Exception) -> None:
        self._end = self._end or end
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Broadcast(Generic[T]):
    """The sender's end. `limit` bounds each reader's buffer, in items. ValueError below 1."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"a broadcast needs room for at least one item, not {limit}")
        self._limit = limit
        self._readers: dict[Reader[T], None] = {}
        self._closed = False

    def subscribe(self) -> Reader[T]:
        """A reader of everything that is sent from now on."""
        reader = Reader(self, self._limit)
        if self._closed:
            reader.close()
        else:
            self._readers[reader] = None
        return reader

    def send(self, item: T) -> None:
        """Give `item` to every reader. Never waits."""
        slow = [reader for reader in self._readers if not reader._offer(item)]  # noqa: SLF001
        for reader in slow:
            del self._readers[reader]

    def close(self) -> None:
        """Send no more: readers read what they hold, and end."""
        self._closed = True
        for reader in list(self._readers):
            reader.close()

    def __len__(self) -> int:
        return len(self._readers)

    def _leave(self, reader: Reader[T]) -> None:
        self._readers.pop(reader, None)
