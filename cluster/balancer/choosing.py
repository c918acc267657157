"""Which server gets the next connection: the one that is ready and has the fewest. Pure."""

from collections.abc import Collection
from enum import Enum


class Health(Enum):
    """What is known of a server. A new one gets nothing before it has said that it is ready.

    `DRAINING`: it answers, and says that it is not ready: what it has it keeps. `LOST`: it does not
    answer, and what it has is cut, so that clients go elsewhere.
    """

    UNKNOWN = "unknown"
    READY = "ready"
    DRAINING = "not ready"
    LOST = "lost"


class Pool:
    """The servers by number, how they are, and how many connections each has."""

    def __init__(self, count: int) -> None:
        self._health = [Health.UNKNOWN] * count
        self._open = [0] * count
        self._turn = 0

    def health(self, number: int) -> Health:
        """How a server is."""
        return self._health[number]

    def connections(self, number: int) -> int:
        """How many connections a server has."""
        return self._open[number]

    @property
    def total(self) -> int:
        """How many connections there are."""
        return sum(self._open)

    def found(self, number: int, health: Health) -> bool:
        """A server is so; whether that is new."""
        new = self._health[number] is not health
        self._health[number] = health
        return new

    def choose(self, tried: Collection[int] = ()) -> int | None:
        """A ready server that was not tried yet; None where there is none. Those that have equally
        few connections take turns.
        """
        count = len(self._health)
        ready = [
            number
            for step in range(count)
            if (number := (self._turn + step) % count) not in tried
            and self._health[number] is Health.READY
        ]
        if not ready:
            return None
        chosen = min(ready, key=self._open.__getitem__)
        self._turn = (chosen + 1) % count
        return chosen

    def opened(self, number: int) -> None:
        """A server has a connection more."""
        self._open[number] += 1

    def closed(self, number: int) -> None:
        """One of them has ended."""
        self._open[number] -= 1
