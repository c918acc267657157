"""The work queue of a controller, with the promises of client-go's (util/workqueue/doc.go).

- Fair: keys come out in the order in which they were added.
- Stingy: a key is in the queue once, however often it is added before it is worked on.
- One worker a key: a key that is being worked on is not given out; where it is added meanwhile, it
  comes back once the worker is done.
- Each key carries its cause: the newest revision that added it.

It holds keys, each once, so it is bounded by the number of objects there are.
"""

import asyncio
import random
from collections import deque

from cluster.client import delayqueue, ratelimit


class ShutDown(Exception):
    """The queue was shut down and is empty: the worker may go."""


class WorkQueue:
    """A queue of object keys. `generator` adds jitter to the delays of failing keys."""

    def __init__(
        self,
        generator: random.Random | None = None,
        *,
        limiter: ratelimit.ItemExponentialLimiter | None = None,
    ) -> None:
        self._limiter = limiter or ratelimit.ItemExponentialLimiter(generator)
        self._delayed = delayqueue.DelayQueue(self.add)
        self._order: deque[str] = deque()
        self._dirty: dict[str, int] = {}
        self._processing: dict[str, None] = {}
        self._getters: deque[asyncio.Future[None]] = deque()
        self._shut_down = False
        self.added = 0
        """How many keys were queued so far."""
        self.retried = 0
        """How often a key was to be tried again after a failure."""

    def add(self, key: str, cause: int = 0) -> None:
        """Have `key` worked on because of revision `cause`."""
        if self._shut_down:
            return
        known = self._dirty.get(key)
        if known is not None:
            self._dirty[key] = max(known, cause)
            return
        self._dirty[key] = cause
        self.added += 1
        if key not in self._processing:
            self._order.append(key)
            self._wake()

    def add_after(self, key: str, seconds: float, cause: int = 0) -> None:
        """Add `key` once `seconds` have passed; of several, the earliest counts."""
        if self._shut_down:
            return
        if seconds <= 0:
            self.add(key, cause)
        else:
            self._delayed.add(key, seconds, cause)

    def add_rate_limited(self, key: str, cause: int = 0) -> None:
        """Add `key` after the delay that its failures so far have earned it."""
        self.retried += 1
        self.add_after(key, self._limiter.when(key), cause)

    def forget(self, key: str) -> None:
        """Clear the failures of `key`: it succeeded."""
        self._limiter.forget(key)

    def failures(self, key: str) -> int:
        """How often `key` was added rate-limited since it was last forgotten."""
        return self._limiter.failures(key)

    async def get(self) -> tuple[str, int]:
        """The next key and its cause. Call `done(key)` after the work. ShutDown.

        It waits as long as there is no work: a worker is stopped by cancelling it.
        """
        while not self._order:
            if self._shut_down:
                raise ShutDown
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                if getter.done() and not getter.cancelled():
                    self._wake()  # it was woken for a key that another must take now
                raise
        key = self._order.popleft()
        self._processing[key] = None
        return key, self._dirty.pop(key)

    def done(self, key: str) -> None:
        """The work on `key` has ended; where it was added meanwhile, it is queued again."""
        self._processing.pop(key, None)
        if key in self._dirty:
            self._order.append(key)
            self._wake()

    def shut_down(self) -> None:
        """Take no more keys and drop the delayed; workers get what is queued, then ShutDown."""
        self._shut_down = True
        self._delayed.clear()
        while self._getters:
            self._wake()

    @property
    def busy(self) -> bool:
        """Whether a key is queued or being worked on (delayed ones do not count)."""
        return bool(self._order or self._processing)

    def __len__(self) -> int:
        return len(self._order)

    def _wake(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return
