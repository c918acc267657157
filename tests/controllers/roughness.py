"""A rough way to the API, and a manager that dies: what every controller must live through.

`RoughTransport` brings watch events late, each watch by itself (so that resources are seen out of
order), breaks watches so that everything is listed again, and loses requests and answers of writes.
`Mortal` runs a controller manager, which can be killed at any moment and is started anew.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from cluster.aio import tasks
from cluster.api import errors
from cluster.client import client
from cluster.client.transport import Outcome, Raw, RawEvent, RawPage, Transport
from cluster.controllers import component

LATE = 1.5
"""Seconds that a batch of events may take."""
RELIST, LOST_REQUEST, LOST_ANSWER = 0.01, 0.02, 0.02
"""Shares of watch batches and of writes."""
LIVES = (0.2, 8.0)
"""Seconds between a manager's birth and its death, at least and at most (the default)."""


class RoughTransport:
    """A `client.transport.Transport` through which everything may be late, doubled or lost."""

    def __init__(self, inner: Transport, generator: random.Random) -> None:
        self._inner = inner
        self._random = generator
        self.smooth = False

    async def get(self, resource: str, namespace: str, name: str) -> Raw:
        return await self._inner.get(resource, namespace, name)

    async def list(self, resource: str, namespace: str, **options: Any) -> RawPage:
        return await self._inner.list(resource, namespace, **options)

    async def read(self, path: str) -> bytes:
        return await self._inner.read(path)

    async def watch(
        self, resource: str, namespace: str, **options: Any
    ) -> AsyncIterator[Sequence[RawEvent]]:
        async for batch in self._inner.watch(resource, namespace, **options):
            if not self.smooth:
                await asyncio.sleep(self._random.uniform(0, LATE))
                if self._random.random() < RELIST:
                    raise errors.Expired("too old resource version: the test said so")
            yield batch

    async def write(self, batch: Sequence[Any]) -> Sequence[Outcome]:
        if not self.smooth and self._random.random() < LOST_REQUEST:
            raise errors.ServiceUnavailable("the request was lost")
        outcomes = await self._inner.write(batch)
        if not self.smooth and self._random.random() < LOST_ANSWER:
            raise errors.ServiceUnavailable("the answer was lost")
        return outcomes


class Mortal:
    """A controller manager and its client, one life after another.

    `born()` gives each life its client and manager; `client` and `manager` are the present ones.
    """

    def __init__(
        self, born: Callable[[], tuple[client.Client, component.ControllerManager]]
    ) -> None:
        self._born = born
        self._life: tasks.Group | None = None
        self._dead = asyncio.Event()
        self.deaths = 0
        self.client, self.manager = born()

    async def run(self) -> None:
        """Live until cancelled; begin anew after each death."""
        while True:
            self._dead.clear()
            self._life = life = tasks.Group("manager's life")
            async with self.client, life:
                life.spawn(self.manager.run(), "manager")
                life.spawn(self._wait_for_death(life), "death")
            self.deaths += 1
            self.client, self.manager = self._born()

    async def _wait_for_death(self, life: tasks.Group) -> None:
        await self._dead.wait()
        life.cancel()

    async def crash(self) -> None:
        """End the present life between two steps of whatever it does, and wait for the next."""
        before = self.deaths
        self._dead.set()
        while self.deaths == before:
            await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await self.manager.ready.wait()

    async def torment(self, generator: random.Random, lives: tuple[float, float]) -> None:
        """Crash at random moments, until cancelled. `lives`: see LIVES."""
        while True:
            await asyncio.sleep(generator.uniform(*lives))
            self._dead.set()
