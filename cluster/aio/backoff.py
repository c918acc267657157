"""Exponential backoff with jitter, drawn from an injected generator."""

import asyncio
import random


class Backoff:
    """Delays that grow by `factor` from `initial` to `maximum` seconds.

    Each delay is stretched by a random share of up to `jitter` (1.0: up to twice as long), so that
    those who failed together do not come back together. ValueError for bounds out of order.
    """

    def __init__(
        self,
        generator: random.Random,
        *,
        initial: float,
        maximum: float,
        factor: float = 2.0,
        jitter: float = 1.0,
    ) -> None:
        if not 0 < initial <= maximum or factor < 1 or jitter < 0:
            raise ValueError(
                "a backoff needs 0 < initial <= maximum, a factor of at least 1 and no negative "
                f"jitter; got {initial=} {maximum=} {factor=} {jitter=}"
            )
        self._random = generator
        self._initial = initial
        self._maximum = maximum
        self._factor = factor
        self._jitter = jitter
        self._next = initial

    def next(self) -> float:
        """The next delay, in seconds."""
        delay = self._next
        self._next = min(delay * self._factor, self._maximum)
        return delay * (1 + self._jitter * self._random.random())

    def reset(self) -> None:
        """Start again from the initial delay: what failed has succeeded."""
        self._next = self._initial

    async def wait(self) -> None:
        """Sleep for the next delay."""
        await asyncio.sleep(self.next())
