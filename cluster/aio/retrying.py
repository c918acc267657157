"""Trying again, later each time, what could not be done for one of many things."""

import asyncio
import random as randomness
from collections.abc import Callable

from cluster.aio import backoff


class Retries:
    """Calls `again(key)` some time after `later(key)`: from `initial` to `maximum` seconds, twice
    as long after each failure in a row, until `forget(key)` tells of a success.
    """

    def __init__(
        self,
        again: Callable[[str], None],
        *,
        random: randomness.Random,
        initial: float,
        maximum: float,
    ) -> None:
        self._again = again
        self._random = random
        self._initial = initial
        self._maximum = maximum
        self._pauses: dict[str, backoff.Backoff] = {}

    def later(self, key: str) -> None:
        """Something failed for `key`."""
        pause = self._pauses.get(key)
        if pause is None:
            pause = self._pauses[key] = self.pause()
        asyncio.get_running_loop().call_later(pause.next(), self._again, key)

    def forget(self, key: str) -> None:
        """All is well with `key`, or it is gone."""
        self._pauses.pop(key, None)

    def pause(self) -> backoff.Backoff:
        """A backoff with the same bounds, for who waits by himself."""
        return backoff.Backoff(self._random, initial=self._initial, maximum=self._maximum)
