"""Kills parts of a rough lab at random moments, and starts them again."""

import asyncio
from random import Random
from typing import Final

from cluster.lab.world import Cluster

_WEIGHTS: Final = {
    "apiserver": 6, "controller-manager": 4, "scheduler": 3, "kubelet": 2, "runtime": 1,
    "kube-proxy": 1,
}  # fmt: skip
_DOWN: Final = (0.0, 0.02, 0.2, 0.2, 1.0, 1.0, 4.0)
"""Seconds until a killed part is started again, one of them by chance; and rarely `_LONG`."""
_LONG: Final = 60.0
_LONG_SHARE: Final = 0.02
_IMPATIENT: Final = 1.5
"""Seconds after which a kill does not wait for a crossing any longer."""


class Killer:
    """Kills one part after another. Several may work side by side: they leave each other's alone
    (`busy`).
    """

    def __init__(self, cluster: Cluster, random: Random, busy: dict[str, None]) -> None:
        self._cluster = cluster
        self._random = random
        self._busy = busy
        self.kills: list[str] = []

    async def run(self, count: int) -> None:
        """Kill so many, and see to it that all are started again."""
        for _ in range(count):
            await asyncio.sleep(self._random.uniform(0, 1.0))
            free = [name for name in self._cluster.part_names if name not in self._busy]
            weights = [_WEIGHTS[name.partition("/")[0]] for name in free]
            (name,) = self._random.choices(free, weights)
            self._busy[name] = None
            await self._kill(name)
            del self._busy[name]

    async def _kill(self, name: str) -> None:
        part, struck = self._cluster.part(name), asyncio.Event()

        def strike() -> None:
            self._cluster.kill(name)
            struck.set()

        crossings = self._cluster.rough.world.crossings
        count = int(2 ** self._random.uniform(0, 6.5))
        crossings.arm(name, count, self._random.choice((0, 0, 1, 2, 5)), strike)
        try:
            async with asyncio.timeout(_IMPATIENT):
                await struck.wait()
        except TimeoutError:
            if crossings.disarm(name):
                strike()
            await struck.wait()
        self.kills.append(name)
        await part.ended()
        long = self._random.random() < _LONG_SHARE
        await asyncio.sleep(_LONG if long else self._random.choice(_DOWN))
        await self._cluster.start(name, wait=False)
