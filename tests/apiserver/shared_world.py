"""Several API servers' registries on one store, each hearing of it late, on virtual time."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import registry_world as rw

from cluster.aio import clock
from cluster.api import resources
from cluster.apiserver.extensions.controller import Extensions
from cluster.apiserver.registry import Registry
from cluster.storage import interface as storage
from cluster.storage.memory import MemoryStorage


class Shared:
    """The store behind them: what etcd is to several servers."""

    def __init__(self) -> None:
        self.store = MemoryStorage()
        self.asked = 0


class View:
    """A `Storage`: one server's connection to a shared store.

    Answers take `delay()` seconds each way, events as long to arrive, in order. `hold` keeps
    events back until `flow`; `stuck` keeps writes from reaching the store.
    """

    shared = True

    def __init__(self, behind: Shared, delay: Callable[[], float]) -> None:
        self._behind = behind
        self._delay = delay
        self._heard = behind.store.revision
        self._queue: list[tuple[float, Sequence[storage.Event]]] = []
        self._held = False
        self._sinks: list[storage.Sink] = []
        self._free = asyncio.Event()
        self._free.set()

    async def open(self) -> None:
        self._end = self._behind.store.subscribe(self._behind.store.revision, self._arrive)

    async def close(self) -> None:
        self._end()

    @property
    def revision(self) -> int:
        return self._heard

    async def newest(self) -> int:
        self._behind.asked += 1
        await asyncio.sleep(self._delay())
        found = self._behind.store.revision
        await asyncio.sleep(self._delay())
        return found

    async def write(self, changes):
        await asyncio.sleep(self._delay())
        await self._free.wait()
        made = await self._behind.store.write(changes)
        await asyncio.sleep(self._delay())
        return made

    async def get(self, key: str, revision: int = 0):
        await asyncio.sleep(self._delay())
        return await self._behind.store.get(key, revision)

    async def range(self, prefix: str, **options):
        await asyncio.sleep(self._delay())
        return await self._behind.store.range(prefix, **options)

    def subscribe(self, after: int, sink: storage.Sink) -> Callable[[], None]:
        # What lies between is on its way to everybody already.
        found = self._behind.store._core.history(after)
        known = [event for event in found if event.revision <= self._heard]
        if known:
            sink(known)
        self._sinks.append(sink)
        return lambda: self._sinks.remove(sink)

    async def check(self) -> None:
        pass

    async def compact(self, revision: int) -> None:
        await self._behind.store.compact(revision)

    def hold(self) -> None:
        """Hear of nothing from now on."""
        self._held = True

    def flow(self) -> None:
        """Hear of everything."""
        self._held = False
        self._deliver()

    def stick(self) -> None:
        """Let no write through, as if this server were stopped in the middle of one."""
        self._free.clear()

    def unstick(self) -> None:
        self._free.set()

    def _arrive(self, events: Sequence[storage.Event]) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._delay()
        if self._queue:
            due = max(due, self._queue[-1][0])
        self._queue.append((due, list(events)))
        loop.call_at(due, self._deliver)

    def _deliver(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._queue and not self._held and self._queue[0][0] <= now:
            _, events = self._queue.pop(0)
            self._heard = events[-1].revision
            for sink in list(self._sinks):
                sink(events)


class Servers:
    """The servers of a shared world: `servers[0].create(…)`; `views` are their connections."""

    def __init__(self, behind: Shared) -> None:
        self.behind = behind
        self.views: list[View] = []
        self.worlds: list[rw.World] = []

    def __getitem__(self, index: int) -> rw.World:
        return self.worlds[index]


@asynccontextmanager
async def servers(count: int = 2, seed: int = 1, delay: float = 0.005, **options):
    """Open registries on one store; all start at once."""
    behind = Shared()
    found = Servers(behind)
    async with AsyncExitStack() as stack:
        group = await stack.enter_async_context(rw.tasks.Group("servers"))
        registries = []
        for index in range(count):
            draws = random.Random(f"{seed}/{index}")
            view = View(behind, lambda draws=draws: draws.uniform(0, 2 * delay))
            await view.open()
            stack.push_async_callback(view.close)
            registry = Registry(
                resources.built_in(),
                view,
                clock=clock.LoopClock(asyncio.get_running_loop(), rw.EPOCH),
                random=random.Random(f"{seed}/registry/{index}"),
                **{name: make() for name, make in options.items()},
            )
            registries.append(registry)
            found.views.append(view)
            found.worlds.append(rw.World(registry, behind.store, group))
        async with rw.tasks.Group("starting") as starting:
            for registry in registries:
                starting.spawn(registry.open(), "open")
        for index, registry in enumerate(registries):
            stack.push_async_callback(registry.close)
            extensions = Extensions(registry, random.Random(f"{seed}/crd/{index}"))
            extensions.open()
            group.spawn(extensions.run(), "extensions")
        try:
            yield found
        finally:
            group.cancel()
