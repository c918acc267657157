"""The custom objects of a definition that is going."""

import asyncio

from cluster.api import errors
from cluster.apiserver import bootstrap, codec
from cluster.apiserver.registry import Registry
from cluster.apiserver.watchcache import events
from cluster.apiserver.watchcache.events import Event

WAIT = 60.0
"""Seconds to wait for objects that have finalizers of their own, as kube-apiserver does."""


class Instances:
    """Deletes custom objects, and waits until they are gone."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._gone: dict[str, asyncio.Event] = {}

    async def delete_all(self, resource: str) -> None:
        """Delete every object of a resource. errors.StatusError where some stay for too long."""
        cache = self._registry.cache.of(resource)
        prefix = codec.prefix(resource)
        if not cache.count(prefix):
            return
        gone = self._follow(resource)
        await self._registry.delete_collection(resource, "", bootstrap.USER)
        try:
            async with asyncio.timeout(WAIT):
                while cache.count(prefix):
                    gone.clear()
                    await gone.wait()
        except TimeoutError:
            left = cache.count(prefix)
            why = f"could not confirm zero CustomResources remaining: {left} left"
            raise errors.Timeout(why) from None

    def _follow(self, resource: str) -> asyncio.Event:
        """Set whenever an object of the resource goes."""
        found = self._gone.get(resource)
        if found is None:
            found = self._gone[resource] = asyncio.Event()
            gone = found

            def heard(event: Event) -> None:
                if event.type == events.DELETED:
                    gone.set()

            self._registry.cache.of(resource).observe(heard)
        return found
