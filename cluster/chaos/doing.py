"""Carries acts out on a world. What has begun goes on though nobody waits for it any more, as it
would at the other end of a connection: who undoes it lets it come to its end first.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from cluster.aio import tasks
from cluster.chaos import acts, loading
from cluster.chaos.acts import Act
from cluster.chaos.world import Unable, World

END_WITHIN: Final = 60.0
"""So long what has begun may take: no call of a world has a later deadline."""


class Doer:
    """Does to a world what acts say; `opened` gives the group that has its tasks."""

    def __init__(self, world: World, opened: Callable[[], tasks.Group]) -> None:
        self._world = world
        self._opened = opened
        self._under_way: dict[asyncio.Task[Unable | None], Act] = {}
        self._loads: dict[str, asyncio.Task[None]] = {}

    async def do(self, act: Act) -> None:
        """Carry an act out. Unable; cancelled, it goes on all the same."""
        if act.op == acts.LOAD:
            self._press(act)
            return
        task = self._opened().spawn(self._attempt(act), f"{act}")
        self._under_way[task] = act
        task.add_done_callback(self._under_way.pop)
        failure = await asyncio.shield(task)
        if failure is not None:
            raise failure

    async def come_to_rest(self) -> list[Act]:
        """Wait for the end of what has begun; what had to be given up."""
        begun = dict(self._under_way)
        try:
            async with asyncio.timeout(END_WITHIN):
                await asyncio.gather(*begun, return_exceptions=True)
        except TimeoutError:
            return [act for task, act in begun.items() if task.cancelled()]
        return []

    async def _attempt(self, act: Act) -> Unable | None:
        """What is refused is a result: it does not end the group."""
        try:
            await self._world.do(act)
        except Unable as error:
            return error
        return None

    def _press(self, act: Act) -> None:
        """Begin with a load, or end it."""
        if act.load is not None:
            pressing = loading.press(self._world.client, act.load)
            self._loads[act.id] = self._opened().spawn(pressing, "load")
        elif act.id in self._loads:
            self._loads.pop(act.id).cancel()
