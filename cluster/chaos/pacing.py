"""Doing something at a rate: each in time, whatever became of those before."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from cluster.aio import tasks


async def steadily(
    act: Callable[[], Coroutine[Any, Any, None]], rate: float, most: int, name: str
) -> None:
    """Begin `act` so many times a second, until cancelled. While `most` are under way none is
    begun; what was missed in more than a second is not made up for.
    """
    loop = asyncio.get_running_loop()
    async with tasks.Group(name) as group:
        due = loop.time()
        while True:
            if len(group) < most:
                group.spawn(act(), "one")
            due = max(due + 1 / rate, loop.time() - 1.0)
            await asyncio.sleep(max(due - loop.time(), 0.0))
