"""Runs the work on pods: one at a time for each, a bounded number begun in a turn of the loop.

A key that is woken while its work runs is worked on again afterwards. Work that waits (for a
container to end) costs a task while it waits; a pod at rest costs nothing.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from cluster.aio import tasks
from cluster.client import delayqueue, ratelimit

_BEGUN_PER_TURN: Final = 64


class Workers:
    """`work(key)` for every key that is woken. Bounded by the number of keys there are.

    Work that raises is logged and done again after a delay that grows.
    """

    def __init__(
        self, group: tasks.Group, work: Callable[[str], Coroutine[Any, Any, None]]
    ) -> None:
        self._group = group
        self._work = work
        self._ready: dict[str, None] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: dict[str, None] = {}
        self._delayed = delayqueue.DelayQueue(lambda key, _cause: self.wake(key))
        self._limiter = ratelimit.ItemExponentialLimiter(None)
        self._scheduled = False
        self._closed = False
        self._log = structlog.get_logger().bind(component="kubelet")

    def wake(self, key: str) -> None:
        """Have `key` worked on soon."""
        if self._closed:
            return
        if key in self._running:
            self._again[key] = None
        elif key not in self._ready:
            self._ready[key] = None
            self._schedule()

    def wake_after(self, key: str, seconds: float) -> None:
        """Have it worked on once `seconds` have passed; of several times, the earliest counts."""
        self._delayed.add(key, max(seconds, 0.0), 0)

    def forget(self, key: str) -> None:
        """Let it not be worked on later: what it stood for is gone. What runs goes on."""
        self._delayed.forget(key)
        self._limiter.forget(key)

    def interrupt(self, key: str) -> None:
        """Stop the work on `key` where it waits, and begin it anew."""
        running = self._running.get(key)
        self.wake(key)
        if running is not None:
            running.cancel()

    def close(self) -> None:
        """Begin nothing more. What runs belongs to the group."""
        self._closed = True
        self._ready.clear()
        self._delayed.clear()

    def busy(self, key: str) -> bool:
        """Whether its work runs or is about to."""
        return key in self._running or key in self._ready

    @property
    def idle(self) -> bool:
        """Whether nothing runs or is about to; what is delayed does not count."""
        return not self._running and not self._ready

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._scheduled = False
        for key in list(self._ready)[:_BEGUN_PER_TURN]:
            del self._ready[key]
            task = self._group.spawn(self._carry(key), "pod")
            self._running[key] = task
            task.add_done_callback(functools.partial(self._done, key))
        if self._ready:
            self._schedule()

    async def _carry(self, key: str) -> None:
        try:
            await self._work(key)
        except Exception:  # noqa: BLE001  (it is logged, and the work done again)
            delay = self._limiter.when(key)
            self._log.exception("work on a pod failed", pod=key, retry_seconds=delay)
            self.wake_after(key, delay)
        else:
            self._limiter.forget(key)

    def _done(self, key: str, _task: asyncio.Task[None]) -> None:
        self._running.pop(key, None)
        if key in self._again:
            del self._again[key]
            self.wake(key)
