"""A heap whose items have keys, so that any item can be taken out."""

import heapq
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Heap(Generic[T]):
    """Items by key, the smallest rank first; equal ranks in the order in which they came.

    Taking out by key leaves a dead entry in the heap, which is thrown away when it comes up, or
    when dead entries outnumber the living.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[Any, int, str]] = []
        self._items: dict[str, tuple[int, T]] = {}
        self._counter = 0

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: str) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[T]:
        for _, item in self._items.values():
            yield item

    def push(self, key: str, rank: Any, item: T) -> None:
        """Put an item in, in place of one with the same key."""
        self._counter += 1
        self._items[key] = (self._counter, item)
        heapq.heappush(self._heap, (rank, self._counter, key))
        if len(self._heap) > 2 * len(self._items) + 16:
            self._heap = [entry for entry in self._heap if self._alive(entry)]
            heapq.heapify(self._heap)

    def get(self, key: str) -> T | None:
        """The item of a key."""
        found = self._items.get(key)
        return found[1] if found else None

    def remove(self, key: str) -> T | None:
        """Take the item of a key out."""
        found = self._items.pop(key, None)
        return found[1] if found else None

    def peek(self) -> tuple[Any, T] | None:
        """The first rank and item."""
        while self._heap:
            entry = self._heap[0]
            if self._alive(entry):
                return entry[0], self._items[entry[2]][1]
            heapq.heappop(self._heap)
        return None

    def pop(self) -> T | None:
        """Take the first item out."""
        first = self.peek()
        if first is None:
            return None
        _, _, key = heapq.heappop(self._heap)
        return self._items.pop(key)[1]

    def _alive(self, entry: tuple[Any, int, str]) -> bool:
        found = self._items.get(entry[2])
        return found is not None and found[0] == entry[1]
