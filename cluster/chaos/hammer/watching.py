"""A client that watches the registers through everything, and remembers all that it is told."""

import asyncio
import contextlib
from random import Random

from cluster.aio import backoff
from cluster.api import errors, objects
from cluster.chaos.checking.history import Seen
from cluster.chaos.checking.watches import Kind, Told, Watch
from cluster.chaos.hammer import registers
from cluster.client.client import Client, Event


class Watcher:
    """Lists and watches, resumes where it was, and lists again after a 410; until cancelled.

    `watch` holds what it was told. `caught_up(revision)` says whether it has come so far.
    """

    def __init__(self, client: Client, name: str, namespace: str, generator: Random) -> None:
        self._client = client
        self._namespace = namespace
        self._backoff = backoff.Backoff(generator, initial=0.1, maximum=2.0)
        self.watch = Watch(name, registers.prefix(namespace))
        self.revision = 0

    def caught_up(self, revision: int) -> bool:
        """Whether everything up to `revision` has been told."""
        return self.revision >= revision

    async def run(self) -> None:
        """Watch until cancelled."""
        listed = False
        while True:
            try:
                if not listed:
                    await self._list()
                    listed = True
                else:
                    self._tell(Told(Kind.RESUMED, self.revision))
                await self._follow()
                await self._backoff.wait()
            except errors.Expired:
                self._tell(Told(Kind.EXPIRED, 0))
                listed = False
                await self._backoff.wait()
            except (errors.StatusError, TimeoutError):
                await self._backoff.wait()

    async def _list(self) -> None:
        async with asyncio.timeout(10):
            listing = await self._client.list(registers.RESOURCE, self._namespace)
        members = {
            self._key(each): Seen(value, registers.revision_of(each))
            for each in listing.items
            if (value := registers.value_of(each)) is not None
        }
        self._tell(Told(Kind.LISTED, listing.revision, members=members))

    async def _follow(self) -> None:
        stream = self._client.watch(registers.RESOURCE, self._namespace, revision=self.revision)
        async with contextlib.aclosing(stream):
            async for batch in stream:
                self._backoff.reset()
                for event in batch:
                    self._take(event)

    def _take(self, event: Event) -> None:
        value = registers.value_of(event.object)
        if value is None:  # a bookmark, or somebody else's ConfigMap
            self._tell(Told(Kind.BOOKMARK, event.revision))
        else:
            self._tell(Told(Kind(event.type), event.revision, self._key(event.object), value))

    def _tell(self, told: Told) -> None:
        self.watch.told.append(told)
        self.revision = max(self.revision, told.revision)

    def _key(self, obj: objects.Object) -> str:
        return self.watch.prefix + objects.name(obj)
