"""Which server gets the next connection: the one that is ready and has the fewest; where none is,
one that lives at least. Pure.
"""

from collections.abc import Collection
from enum import Enum
from typing import Final

_OK: Final = 200


class Health(Enum):
    """What is known of a server. A new one gets nothing before it has said that it is ready.

    `DRAINING`: it lives, and is not ready: what it has it keeps, and it gets more only where none
    is ready. `LOST`: it does not answer, and what it has is cut, so that clients go elsewhere.
    """

    UNKNOWN = "unknown"
    READY = "ready"
    DRAINING = "not ready"
    LOST = "lost"


def judge(ready: int | None, lives: int | None) -> Health:
    """How a server is that was asked whether it is ready and whether it lives: the status of each
    answer, None where none came. A server that waits for its store leaves the first question
    open, which is nothing that clients would gain from going elsewhere by; whatever the answer to
    the second is, somebody gave it.
    """
    if ready == _OK:
        return Health.READY
    return Health.LOST if ready is lives is None else Health.DRAINING


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
        """A server that was not tried yet: a ready one, else one that lives; None where there is
        none. Those that have equally few connections take turns.
        """
        found = self._untried(Health.READY, tried) or self._untried(Health.DRAINING, tried)
        if not found:
            return None
        chosen = min(found, key=self._open.__getitem__)
        self._turn = (chosen + 1) % len(self._health)
        return chosen

    def _untried(self, health: Health, tried: Collection[int]) -> list[int]:
        count = len(self._health)
        return [
            number
            for step in range(count)
            if (number := (self._turn + step) % count) not in tried
            and self._health[number] is health
        ]

    def opened(self, number: int) -> None:
        """A server has a connection more."""
        self._open[number] += 1

    def closed(self, number: int) -> None:
        """One of them has ended."""
        self._open[number] -= 1
