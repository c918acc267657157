"""Churns and looks, side by side: the shell around `record`."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from cluster.aio import tasks
from soaking.record import SAMPLE_SECONDS, Record
from soaking.sampling import Sample

_TOLD_SECONDS = 60.0
_PEAKS = (0.3, 0.5, 0.7)
"""When pods pile up, as shares of the warm-up."""


class Load(Protocol):
    """What lets pods come and go: `churn.Churn`."""

    @property
    def alive(self) -> int:
        """How many pods there are."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """What has happened."""
        ...

    async def run(self, seconds: float, peaks: Sequence[float]) -> None:
        """Churn so long."""
        ...


class Eyes(Protocol):
    """What looks at processes: `sampling.Sampler`."""

    def ask(self) -> None:
        """Have them tell what only they know."""
        ...

    def take(self, at: float) -> dict[str, Sample]:
        """A sample of each that is there."""
        ...


async def soak(
    load: Load, eyes: Eyes, record: Record, seconds: float, tell: Callable[[Record], None]
) -> None:
    """Let pods come and go so long, and enter what is seen meanwhile; `tell` hears of it at times.

    A failure of either side ends both, and is raised.
    """
    async with tasks.Group("soak") as group:
        looking = group.spawn(_look(load, eyes, record, tell), "look")
        await load.run(seconds, [record.warm_up * share for share in _PEAKS])
        looking.cancel()


async def _look(load: Load, eyes: Eyes, record: Record, tell: Callable[[Record], None]) -> None:
    loop = asyncio.get_running_loop()
    begin, told = loop.time(), 0.0
    while True:
        eyes.ask()
        await asyncio.sleep(SAMPLE_SECONDS)
        at = loop.time() - begin
        record.look(at, load.alive, load.counts, eyes.take(at))
        if at - told >= _TOLD_SECONDS:
            told = at
            tell(record)
