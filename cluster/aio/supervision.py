"""Tasks that are started again when they crash, so that the fault of one is not everybody's end.

For work that looks after something and reads anew, at its start, what there is to do. What others
cannot do without belongs into a `tasks.Group` by itself, whose end is then everybody's.
"""

import asyncio
import random as randomness
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from cluster.aio import backoff, tasks

RESTART_INITIAL, RESTART_MAXIMUM = 1.0, 60.0
"""Seconds before what crashed is started again; each is stretched by up to as much again."""
STEADY = 120.0
"""Seconds of running after which earlier crashes are forgotten."""

Run = Callable[[], Awaitable[None]]


async def keep(run: Run, *, random: randomness.Random, log: Any) -> NoReturn:
    """Await `run()` again whenever it ends, later each time, until cancelled.

    `log` is a structlog logger that knows what runs; it is told of each end, with the traceback.
    """
    loop = asyncio.get_running_loop()
    pause = backoff.Backoff(random, initial=RESTART_INITIAL, maximum=RESTART_MAXIMUM)
    while True:
        started = loop.time()
        failure = await _end(run)
        if loop.time() - started > STEADY:
            pause.reset()
        seconds = pause.next()
        what = "crashed" if failure is not None else "ended by itself"
        log.error(f"{what}; it is started again", seconds=round(seconds, 3), exc_info=failure)
        await asyncio.sleep(seconds)


async def _end(run: Run) -> BaseException | None:
    """What `run` ended with. A cancellation that nobody asked this task for is a fault of it."""
    try:
        await run()
    except asyncio.CancelledError as failure:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return failure
    except Exception as failure:  # noqa: BLE001  (`keep` logs it, and starts `run` again)
        return failure
    return None


class Supervisor:
    """Keeps tasks of `group`, each by itself. `log` is bound to the name of the task."""

    def __init__(self, group: tasks.Group, *, random: randomness.Random, log: Any) -> None:
        self._group = group
        self._random = random
        self._log = log

    def spawn(self, run: Run, name: str) -> asyncio.Task[NoReturn]:
        """Keep `run()` going as a child of the group. RuntimeError after the group closed."""
        log = self._log.bind(task=name)
        return self._group.spawn(keep(run, random=self._random, log=log), name)
