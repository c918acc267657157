"""How new the watch cache is, on a store that other API servers write to, too.

What this server knows may lag behind what another has acknowledged already. Before it answers a
read that says nothing of a revision, plans a write or refuses somebody, it asks the store for its
newest revision and waits until the cache is there; so does kube-apiserver
(ConsistentListFromCache).
On a store of its own the cache is never behind, and nothing is asked.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from cluster.api import errors
from cluster.apiserver.watchcache.cache import WatchCache
from cluster.storage import interface as storage

SECONDS = 3.0
"""How long the cache may take to catch up; as kube-apiserver's watch cache."""
_ANSWER_SECONDS = 10.0

T = TypeVar("T")


class Freshness:
    """Waits for the cache. `shared` is false where that is never needed: ask it first."""

    def __init__(self, store: storage.Storage, cache: WatchCache) -> None:
        self.shared = store.shared
        self._store = store
        self._cache = cache
        self._turn = asyncio.Lock()
        self._begun = 0
        self._done = 0
        self._newest = 0

    async def fresh(self) -> None:
        """Return when the cache has everything that was acknowledged before the call.

        errors.ServiceUnavailable where the store does not answer, errors.Timeout where the cache
        does not hear of it in time.
        """
        if not self.shared:
            return
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                newest = await self._ask()
        except storage.Unavailable as error:
            raise unavailable(error) from None
        except TimeoutError:
            raise errors.ServiceUnavailable("the store is not available: no answer") from None
        if not await self._cache.reached(newest, SECONDS):
            raise behind(newest, self._cache.revision)

    async def sought(self, find: Callable[[], T], *refusals: type[errors.StatusError]) -> T:
        """What `find` gives. Where it refuses, another server may have made, changed or allowed
        meanwhile what is asked for: it is tried once more when the cache knows of that.
        """
        try:
            return find()
        except refusals:
            if not self.shared:
                raise
        await self.fresh()
        return find()

    async def _ask(self) -> int:
        """The newest revision, by one question for all who wait for one that begins from now on."""
        wanted = self._begun + 1
        async with self._turn:
            if self._done < wanted:
                self._begun += 1
                number = self._begun
                self._newest = await self._store.newest()
                self._done = number
            return self._newest


def unavailable(error: storage.Unavailable | errors.StatusError) -> errors.ServiceUnavailable:
    """What clients are told where the store does not take what they ask for."""
    if isinstance(error, errors.ServiceUnavailable):
        return error
    told = error.told if isinstance(error, storage.Unavailable) else error.message
    return errors.ServiceUnavailable(f"the store is not available: {told}")


def behind(wanted: int, current: int) -> errors.Timeout:
    """What kube-apiserver says where its watch cache is not as new as is asked for."""
    return errors.Timeout(
        f"Too large resource version: {wanted}, current: {current}",
        details={
            "causes": [
                {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            ]
        },
        retry_after=1,
    )
