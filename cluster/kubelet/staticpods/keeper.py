"""Follows the manifests of a node: tells its agent of static pods, keeps their mirrors.

Nothing of it exists where no manifests are configured. The kinds of trouble that a manifest makes
are logged, as in Kubernetes, once for each content; a source that cannot be read leaves the pods
that run as they are.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from cluster.aio import clock as clocks
from cluster.aio import tasks
from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.client.client import Client
from cluster.kubelet.agent import NodeAgent
from cluster.kubelet.staticpods import manifests, mirrors
from cluster.kubelet.staticpods.manifests import Place
from cluster.kubelet.staticpods.sources import Source, Stamp
from cluster.kubelet.workers import Workers

_RETRY: Final = 10.0
"""Seconds after which a mirror that the API did not take is tried again."""
_GLANCE: Final = 1.0
"""Seconds between looks at the names and times of a directory."""


class StaticPods:
    """The static pods of one node. `node` gives the Node as the API has it, None: not yet."""

    def __init__(
        self,
        agent: NodeAgent,
        sources: Sequence[Source],
        *,
        client: Client,
        clock: clocks.Clock,
        node: Callable[[], Object | None],
    ) -> None:
        self._agent = agent
        self._sources = list(sources)
        self._client = client
        self._clock = clock
        self._node = node
        self._known: dict[int, dict[str, Object]] = {}
        self._read: dict[Place, tuple[bytes, list[Object]]] = {}
        self._workers: Workers | None = None
        self._failing: set[int] = set()
        self._log = structlog.get_logger().bind(component="kubelet", node=agent.config.node_name)

    async def run(self) -> None:
        """Follow the sources until cancelled."""
        async with tasks.Group("static-pods") as group:
            self._workers = Workers(group, self._mirror)
            self._agent.static.on_change = self._workers.wake
            for name in list(self._agent.static):
                self._workers.wake(name)
            try:
                for number in range(len(self._sources)):
                    group.spawn(self._follow(number), f"manifests/{number}")
                await asyncio.get_running_loop().create_future()
            finally:
                self._workers.close()
                self._agent.static.on_change = _ignore

    async def load(self) -> None:
        """Read all sources once."""
        for number in range(len(self._sources)):
            await self._load(number)

    async def _follow(self, number: int) -> None:
        source = self._sources[number]
        loop = asyncio.get_running_loop()
        stamp, read_at = source.stamp(), loop.time()
        while True:
            await asyncio.sleep(min(_GLANCE, source.period))
            seen: Stamp = source.stamp()
            if seen != stamp or loop.time() - read_at >= source.period:
                stamp, read_at = seen, loop.time()
                await self._load(number)

    async def _load(self, number: int) -> None:
        try:
            found = await self._sources[number].read()
        except OSError as error:
            if number not in self._failing:
                self._failing.add(number)
                self._log.warning("unable to read manifests", error=str(error))
            return
        self._failing.discard(number)
        pods: dict[str, Object] = {}
        for place, data in found:
            for pod in self._pods_of(place, data):
                pods.setdefault(objects.uid(pod), pod)
        self._known[number] = pods
        here = {place for place, _ in found}
        taken = [
            place for place in self._read if place not in here and place.kind == manifests.FILE
        ]
        for place in taken:
            del self._read[place]
        self._agent.static.set([pod for each in self._known.values() for pod in each.values()])

    def _pods_of(self, place: Place, data: bytes) -> list[Object]:
        """The pods of a manifest; none, and a word in the log, where it is not understood."""
        known = self._read.get(place)
        if known is not None and known[0] == data:
            return known[1]
        config = self._agent.config
        try:
            pods = manifests.read(data, place, config.node_name, config.version, self._clock.now())
        except (ValueError, RecursionError) as error:
            pods = []
            self._log.error("could not process manifest", path=place.path, error=str(error))
        self._read[place] = (data, pods)
        return pods

    async def _mirror(self, name: str) -> None:
        """Bring the mirror of one name up to date; raises, to be tried again later."""
        static, mirror = self._agent.static.of(name)
        todo = mirrors.decide(static, mirror, self._node())
        if isinstance(todo, mirrors.Delete):
            try:
                await self._client.delete("pods", todo.name, todo.namespace, grace=0, uid=todo.uid)
            except (errors.NotFound, errors.Conflict):
                return
        elif isinstance(todo, mirrors.Create):
            await self._create(todo.pod, name)
        elif static is not None and mirror is None and self._workers is not None:
            self._workers.wake_after(name, _GLANCE)  # the Node is not registered yet

    async def _create(self, pod: Object, name: str) -> None:
        try:
            await self._client.create("pods", pod)
        except errors.AlreadyExists:
            return  # the informer will say what it is
        except errors.StatusError as error:
            self._log.error("failed creating a mirror pod", pod=name, error=str(error))
            if self._workers is not None:
                self._workers.wake_after(name, _RETRY)


def _ignore(_name: str) -> None:
    return
