"""Lets go of old history: what was current one interval ago stays readable, what was not goes.

History is memory, so a busy interval is cut short: no more than so many revisions are kept.
"""

import asyncio
from collections.abc import Sequence

import structlog

from cluster.storage import interface as storage

MOST = 32_768
"""Revisions of history at most; about 100 MB of pods."""


class Compaction:
    """Compacts `store` every `seconds` to the revision of one interval before, as kube-apiserver
    does (and as there only one of several servers does it in each interval), and to half of `most`
    as soon as more revisions than `most` are held.
    """

    def __init__(self, store: storage.Storage, seconds: float, most: int = MOST) -> None:
        self._store = store
        self._seconds = seconds
        self._most = most
        self._done = 0
        self._full = asyncio.Event()
        self._log = structlog.get_logger().bind(component="apiserver")

    async def run(self) -> None:
        """Compact until cancelled."""
        unsubscribe = self._store.subscribe(self._store.revision, self._follow)
        try:
            await self._run()
        finally:
            unsubscribe()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        before, due = self._store.revision, loop.time() + self._seconds
        while True:
            try:
                async with asyncio.timeout_at(due):
                    await self._full.wait()
            except TimeoutError:
                now = self._store.revision
                if await self._compact(before):
                    before = now
                due += self._seconds
            else:
                await self._compact(self._store.revision - self._most // 2)
                self._full.clear()

    async def _compact(self, revision: int) -> bool:
        if revision <= self._done:
            return True
        try:
            if await self._store.turn(revision):
                await self._store.compact(revision)
        except (storage.Unavailable, storage.Compacted) as error:
            self._log.warning("compaction failed; it will be tried again", error=str(error))
            return False
        self._done = revision
        return True

    def _follow(self, events: Sequence[storage.Event]) -> None:
        if events[-1].revision - self._done > self._most:
            self._full.set()
