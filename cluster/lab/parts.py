"""The parts of the lab's cluster: each a component that can be stopped and started by its name."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from cluster.aio import tasks


class Component(Protocol):
    """What every component is (docs/design.md)."""

    @property
    def ready(self) -> asyncio.Event:
        """Set while it serves."""
        ...

    async def run(self) -> None:
        """Serve until cancelled."""
        ...


Serve = Callable[["Part"], Awaitable[None]]


class Part:
    """A component's place. `serve` builds the component, sets `component` and runs it."""

    def __init__(self, name: str, serve: Serve) -> None:
        self.name = name
        self.component: Any = None
        self._serve = serve
        self._task: asyncio.Task[None] | None = None
        self._built = asyncio.Event()
        self._ended = asyncio.Event()
        self._cuts: list[Callable[[], None]] = []

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._task is not None and not self._task.done()

    def start(self, group: tasks.Group) -> None:
        """Start it. RuntimeError where it runs already."""
        if self.running:
            raise RuntimeError(f"{self.name} is running already")
        self._built.clear()
        self._ended.clear()
        self._cuts.clear()
        self._task = group.spawn(self._run(), self.name)
        self._task.add_done_callback(self._end)

    async def ready(self) -> None:
        """Wait until it is ready. The caller sets the deadline."""
        await self._built.wait()
        if self.component is not None:
            await self.component.ready.wait()

    async def stop(self) -> None:
        """Cancel it and wait for its end. RuntimeError where it does not run."""
        if self._task is None or self._task.done():
            raise RuntimeError(f"{self.name} is not running")
        self._task.cancel()
        await self._ended.wait()

    def kill(self) -> None:
        """End it as `kill -9` does: it is cut off from all others first, and tidies up for nobody.
        See `ended`. RuntimeError where it does not run.
        """
        if self._task is None or self._task.done():
            raise RuntimeError(f"{self.name} is not running")
        for cut in self._cuts:
            cut()
        self._task.cancel()

    async def ended(self) -> None:
        """Wait until nothing of it is left."""
        await self._ended.wait()

    def severed_by(self, cut: Callable[[], None]) -> None:
        """`serve` tells what cuts this life of it off."""
        self._cuts.append(cut)

    def built(self, component: Component) -> None:
        """`serve` tells that the component is there."""
        self.component = component
        self._built.set()

    async def _run(self) -> None:
        await self._serve(self)
        raise RuntimeError(f"{self.name} ended by itself")

    def _end(self, _task: asyncio.Task[None]) -> None:
        self.component = None
        self._ended.set()
