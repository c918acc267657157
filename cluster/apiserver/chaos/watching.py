"""Watches that suffer: cut off after a while, their events late. Read as any other."""

import asyncio
from typing import Self

from cluster.apiserver.views import ConvertedWatch
from cluster.apiserver.watchcache.events import Batch
from cluster.apiserver.watchcache.watch import Watch


class SufferingWatch:
    """A watch that ends after `seconds` (0: not by itself), and whose events are `delay` late."""

    def __init__(self, watch: Watch | ConvertedWatch, seconds: float, delay: float) -> None:
        self._watch = watch
        self._delay = delay
        self._timer: asyncio.TimerHandle | None = None
        if seconds:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._watch.close)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch:
        batch = await anext(self._watch)
        if self._delay:
            await asyncio.sleep(self._delay)
        return batch

    def remind(self, revision: int) -> None:
        """See `Watch.remind`."""
        self._watch.remind(revision)

    def close(self) -> None:
        """See `Watch.close`."""
        if self._timer is not None:
            self._timer.cancel()
        self._watch.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()


AnyWatch = Watch | ConvertedWatch | SufferingWatch
"""What a face shows to who watches."""
