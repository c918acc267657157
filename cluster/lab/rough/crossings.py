"""The moments at which something goes from a part to another: what kills are timed by."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Roughness:
    """How rough the world is: shares of requests, answers and watch batches that are lost, and the
    most seconds that a crossing, a late watch batch or a commit takes.
    """

    lost_requests: float = 0.004
    lost_answers: float = 0.006
    broken_watches: float = 0.01
    expired_watches: float = 0.005
    late_batches: float = 0.05
    lateness: float = 0.8
    commit_seconds: float = 0.003


CALM = Roughness(0, 0, 0, 0, 0)
"""Nothing is lost, late or broken; things still take their time."""


class Crossings:
    """Counts what goes in and out of each part. `arm` sets off a kill at one of the next."""

    def __init__(self) -> None:
        self._armed: dict[str, _Fuse] = {}
        self.total = 0

    def arm(self, part: str, count: int, turns: int, act: Callable[[], None]) -> None:
        """Call `act` at the `count`th crossing from now on, or `turns` turns of the loop later."""
        self._armed[part] = _Fuse(count, turns, act)

    def disarm(self, part: str) -> bool:
        """Take back what has not been set off; whether there was something."""
        return self._armed.pop(part, None) is not None

    def crossed(self, part: str) -> None:
        """Something goes in or out of `part` at this moment."""
        self.total += 1
        fuse = self._armed.get(part)
        if fuse is None:
            return
        fuse.count -= 1
        if fuse.count <= 0:
            del self._armed[part]
            fuse.burn()


class _Fuse:
    __slots__ = ("_act", "_turns", "count")

    def __init__(self, count: int, turns: int, act: Callable[[], None]) -> None:
        self.count = count
        self._turns = turns
        self._act = act

    def burn(self) -> None:
        """One turn nearer; at the end, act: with no turns left, at once."""
        if self._turns <= 0:
            self._act()
            return
        self._turns -= 1
        asyncio.get_running_loop().call_soon(self.burn)


@dataclass
class World:
    """What the rough parts of a lab share: how rough (for now), by which draws, counted by whom."""

    roughness: Roughness
    random: Random
    crossings: Crossings

    def happens(self, share: float) -> bool:
        """Draw whether something of that share happens now."""
        return self.random.random() < share
