"""When connections are forgotten: by whole seconds, so that a timer wakes for many at once.

A packet only notes when it was seen; whether that was late enough is looked at when the time that
was known before is over.
"""

import heapq
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.network.stack.nat.conntrack import Connection


class Expiry:
    """Which connection is looked at when. Times are seconds of the caller's clock."""

    def __init__(self) -> None:
        self._slots: dict[int, dict[Connection, None]] = {}
        self._times: list[int] = []

    def put(self, connection: "Connection", at: float) -> None:
        """Look at it at `at`, rounded up to a second, and not at the time that was set before."""
        slot = math.ceil(at)
        if connection.slot == slot:
            return
        self.remove(connection)
        waiting = self._slots.get(slot)
        if waiting is None:
            waiting = self._slots[slot] = {}
            heapq.heappush(self._times, slot)
        waiting[connection] = None
        connection.slot = slot

    def remove(self, connection: "Connection") -> None:
        """Look at it no more."""
        waiting = self._slots.get(connection.slot)
        if waiting is not None:
            waiting.pop(connection, None)
        connection.slot = -1

    @property
    def deadline(self) -> float | None:
        """When there may be something to `take`."""
        while self._times and not self._slots[self._times[0]]:
            del self._slots[heapq.heappop(self._times)]
        return float(self._times[0]) if self._times else None

    def take(self, now: float) -> "Iterator[Connection]":
        """Those whose time has come. They are out when they come out."""
        while self._times and self._times[0] <= now:
            for connection in self._slots.pop(heapq.heappop(self._times)):
                connection.slot = -1
                yield connection
