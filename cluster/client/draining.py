"""Writes what gathers, a batch at a time, and leaves an API that is away some time to come back."""

import asyncio
from collections.abc import Awaitable, Callable, Sized
from typing import Final

from cluster.aio import backoff
from cluster.api import errors

AWAY: Final = (errors.ServiceUnavailable, errors.Timeout, errors.TooManyRequests)
"""Errors that say nothing about what was written: the same is to be written again, later."""


async def drain(
    waiting: Sized,
    wake: asyncio.Event,
    write: Callable[[], Awaitable[bool]],
    pause: backoff.Backoff,
) -> None:
    """Call `write` as long as something is `waiting`, until cancelled.

    Whoever adds to `waiting` sets `wake`, which is cleared when nothing waits. `write` takes a
    batch out, writes it and says whether the API was there; where it was not, `pause` is kept.
    """
    while True:
        await wake.wait()
        if await write():
            pause.reset()
        else:
            await pause.wait()
        if not waiting:
            wake.clear()
