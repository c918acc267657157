"""Workers that take keys from a queue and bring the world in line, one key at a time."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from cluster.aio import tasks
from cluster.api import errors
from cluster.client import cause, figures, workqueue

Reconcile = Callable[[str], Awaitable[None]]


class NotYet(Exception):
    """Nothing failed, but what the key waits for is not there, and no event will tell when it is.

    A reconciliation that raises it is tried again, later each time, and nobody is warned.
    """


_QUIET = (NotYet, errors.Conflict, errors.NotFound)
"""Of the last two, somebody else was faster: a newer event is on its way. Trying again is all there
is to do."""


class Reconciler:
    """Runs `workers` workers over a queue until it is shut down, or `run` is cancelled.

    A key whose reconciliation raises is logged and tried again, later each time; the worker lives
    on. Everything that a reconciliation writes carries the cause that came with its key.
    """

    def __init__(
        self, name: str, queue: workqueue.WorkQueue, reconcile: Reconcile, *, workers: int = 1
    ) -> None:
        if workers < 1:
            raise ValueError(f"{name} needs at least one worker, not {workers}")
        self._name = name
        self._queue = queue
        self._reconcile = reconcile
        self._workers = workers
        self._log = structlog.get_logger().bind(controller=name)
        self._figures = figures.current.get()
        if self._figures is not None:
            self._figures.follow("workqueue_depth", lambda: len(queue), name)
            self._figures.follow("workqueue_adds_total", lambda: queue.added, name)
            self._figures.follow("workqueue_retries_total", lambda: queue.retried, name)

    async def run(self) -> None:
        """Work until the queue is shut down and empty."""
        async with tasks.Group(self._name) as group:
            for number in range(self._workers):
                group.spawn(self._work(), f"worker-{number}")

    async def _work(self) -> None:
        while True:
            try:
                key, revision = await self._queue.get()
            except workqueue.ShutDown:
                return
            loop = asyncio.get_running_loop()
            began = loop.time()
            try:
                await self._one(key, revision)
            finally:
                self._queue.done(key)
                if self._figures is not None:
                    took = loop.time() - began
                    self._figures.observe("workqueue_work_duration_seconds", took, self._name)

    async def _one(self, key: str, revision: int) -> None:
        try:
            with cause.because(revision):
                await self._reconcile(key)
        except _QUIET as failure:
            self._log.debug("reconciliation retried", key=key, error=str(failure))
        except errors.StatusError as failure:
            self._log.warning(
                "reconciliation failed", key=key, reason=failure.reason, error=str(failure)
            )
        except Exception:  # noqa: BLE001  (logged with its traceback; the key is tried again)
            self._log.exception("reconciliation failed", key=key)
        else:
            self._queue.forget(key)
            return
        self._queue.add_rate_limited(key, revision)
