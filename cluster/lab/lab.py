"""The lab: runs a scenario against a whole cluster on virtual time, and checks it."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from cluster.aio import clock, tasks, virtual
from cluster.controllers import config as controllers
from cluster.kubelet import config as kubelet
from cluster.lab import config, invariants
from cluster.lab.eventlog import EventLog
from cluster.lab.rough.crossings import Roughness
from cluster.lab.world import Cluster
from cluster.scheduler import config as scheduler

T = TypeVar("T")

_REST_SECONDS = 300.0
_COLLECT_EVERY = 4 * 3600.0
"""What cannot be freed without the collector is little (a megabyte an hour in a busy lab), and it
looks at all that lives to find it."""
_COLLECT_ALL = 6
"""Of so many collections one looks at everything, not at what is new alone: one a day."""


class Lab:
    """A cluster in a box: `Lab(seed=1, nodes=3).run(scenario)`.

    `nodes` is a number of like nodes (`node-1`…), or their kubelets' settings. `log` holds the
    event log of the last run. `network_backend` is how pods of different nodes reach each other:
    vxlan, routed, mesh, or "" for not at all. `addons` are `dns`, `ingress`: none, unless they are
    asked for. In a `rough` lab things get lost on the way, and parts can be killed at any moment.
    """

    def __init__(
        self,
        *,
        seed: int | str = 0,
        nodes: int | Sequence[kubelet.Config] = 3,
        kubernetes_version: str = "",
        controllers: controllers.Config | None = None,
        scheduler: scheduler.Config | None = None,
        addons: Sequence[str] = (),
        network_backend: str = "vxlan",
        rough: Roughness | None = None,
    ) -> None:
        self._config = config.build(
            seed, nodes, kubernetes_version, controllers, scheduler, addons=addons,
            network_backend=network_backend, rough=rough,
        )  # fmt: skip
        self.log: EventLog | None = None
        self.seconds = 0.0
        """Virtual seconds that the last run took."""

    def run(self, scenario: Callable[[Cluster], Awaitable[T]]) -> T:
        """Boot the cluster, run `scenario`, check the invariants, and stop it all.

        The nodes are Ready when the scenario begins. Raises what the scenario or a component
        raises, and invariants.Broken.
        """
        with _collected_on_time():
            return virtual.run(self._main(scenario))

    async def _main(self, scenario: Callable[[Cluster], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        wall = clock.LoopClock(loop, self._config.epoch)
        self.log = EventLog(wall)
        collecting = _Collecting(loop)
        cluster = Cluster(self._config, self.log, wall)
        try:
            async with tasks.Group("lab") as group:
                try:
                    await cluster.boot(group)
                    result = await scenario(cluster)
                    await cluster.come_to_rest(_REST_SECONDS)
                finally:
                    await cluster.shut_down()
        finally:
            collecting.stop()
            self.seconds = loop.time()
        _nobody_left(loop)
        return result


def _nobody_left(loop: asyncio.AbstractEventLoop) -> None:
    """invariants.Broken, where a task outlives the cluster that it belonged to."""
    mine = asyncio.current_task()
    if isinstance(loop, virtual.VirtualLoop):
        left = [task.get_name() for task in loop.living() if task is not mine]
        if left:
            raise invariants.Broken(f"tasks were left behind: {', '.join(left)}")


class _Collecting:
    """Collects garbage at times that virtual time sets, so that finalizers run at the same points
    in every run; the collector's own choice depends on what else the interpreter has done.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._count = 0
        self._timer = loop.call_later(_COLLECT_EVERY, self._collect)

    def stop(self) -> None:
        """Collect no more."""
        self._timer.cancel()

    def _collect(self) -> None:
        self._count += 1
        gc.collect(1 if self._count % _COLLECT_ALL else 2)
        self._timer = self._loop.call_later(_COLLECT_EVERY, self._collect)


@contextmanager
def _collected_on_time() -> Iterator[None]:
    """Leave the collecting to `_Collecting`, and what is there already out of it."""
    if not gc.isenabled():
        yield
        return
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
