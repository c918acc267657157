"""Subscribers of a store: history first, then each settled batch, to all, in subscription order."""

from collections.abc import Callable, Sequence

from cluster.storage.interface import Event, Sink


class Sinks:
    """The sinks that hear of events. A sink that raises is a fault of the program: the write that
    it heard of fails with its error.
    """

    def __init__(self) -> None:
        self._sinks: dict[int, Sink] = {}
        self._next = 0

    def add(self, history: Sequence[Event], sink: Sink) -> Callable[[], None]:
        """Give `sink` the history at once and every later batch; the call that ends it."""
        if history:
            sink(history)
        self._next += 1
        number = self._next
        self._sinks[number] = sink
        return lambda: self._sinks.pop(number, None) and None

    def publish(self, events: Sequence[Event]) -> None:
        """Hand a batch to every sink."""
        if not events:
            return
        for sink in list(self._sinks.values()):
            sink(events)
