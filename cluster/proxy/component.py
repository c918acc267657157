"""kube-proxy: informers feed the table, changes that come together are programmed together. Beside
it runs the agent of the pod network (`overlay`), where the node has one.
"""

import asyncio
import contextlib
import random as randomness
from typing import Final

import structlog

from cluster.aio import clock, tasks
from cluster.api import objects
from cluster.client import figures, informer
from cluster.client.client import Client
from cluster.proxy import entries
from cluster.proxy import figures as names
from cluster.proxy.config import Config
from cluster.proxy.dataplane import DataPlane
from cluster.proxy.overlay.agent import Agent
from cluster.proxy.overlay.plane import Plane
from cluster.proxy.programmer import Programmer
from cluster.proxy.table import Keeper

_OVERLAY_SECONDS: Final = 3.0
"""How long it is waited for the overlay before the proxy says that it is ready."""
_ZONE: Final = "topology.kubernetes.io/zone"
_LABELS = f"!{entries.HEADLESS},!{entries.OTHER_PROXY}"


class Proxy:
    """Programs the data plane of one node, and with `overlay` its part in the pod network.

    `ready` is set once the node has its first tables.
    """

    def __init__(
        self,
        config: Config,
        *,
        client: Client,
        dataplane: DataPlane,
        clock: clock.Clock,
        random: randomness.Random,
        overlay: Plane | None = None,
    ) -> None:
        self._config = config
        self._client = client
        self._clock = clock
        self._random = random
        self._figures = figures.current.get()
        self._keeper = Keeper(config.node_name, config.nodes)
        self._changed = asyncio.Event()
        self._programmer = Programmer(config, dataplane, random, self._changed)
        self._agent: Agent | None = None
        if overlay is not None:
            self._agent = Agent(config, client=client, plane=overlay, clock=clock, random=random)
        self._informers: informer.Informers | None = None
        self._knows_zone = False
        self._log = structlog.get_logger().bind(component="kube-proxy", node=config.node_name)
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled."""
        informers = self._informers = informer.Informers(self._client, self._random)
        informers.get("services", labels=_LABELS).on_change(self._on_service)
        slices = informers.get("endpointslices.discovery.k8s.io", labels=_LABELS)
        slices.on_change(self._on_slice)
        try:
            async with tasks.Group("kube-proxy") as group:
                if self._agent is not None:
                    group.spawn(self._agent.run(), "overlay")
                informers.start(group)
                await informers.synced()
                group.spawn(self._programmer.watch(), "watch")
                await self._sync()
        finally:
            self.ready.clear()

    async def _sync(self) -> None:
        """Program, then wait for the next change, and for those that come with it."""
        while True:
            self._changed.clear()
            delta = self._keeper.take()
            began = asyncio.get_running_loop().time()
            await self._programmer.program(self._keeper.table, delta)
            if self._figures is not None:
                took = asyncio.get_running_loop().time() - began
                self._figures.observe(names.SYNC, took)
                self._figures.set(names.LAST, self._clock.now())
            if not self.ready.is_set():
                await self._overlay_ready()
                self.ready.set()
                self._log.info("serving", entries=len(self._keeper.table))
            await self._changed.wait()
            await asyncio.sleep(self._config.min_sync_period)

    async def _overlay_ready(self) -> None:
        """Wait for the overlay, but not for a Node that nobody has registered."""
        if self._agent is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_OVERLAY_SECONDS):
                    await self._agent.ready.wait()

    def _on_service(self, change: informer.Change) -> None:
        if change.new is None:
            self._keeper.remove_service(change.key)
        elif change.old is None or _differs(change.old, change.new):
            self._keeper.set_service(change.new)
        self._count(names.SERVICES)
        self._wake()

    def _on_slice(self, change: informer.Change) -> None:
        self._count(names.ENDPOINTS)
        if change.new is None:
            self._keeper.remove_slice(change.key)
        else:
            self._keeper.set_slice(change.new)
        if self._keeper.needs_zone and not self._knows_zone:
            self._follow_node()
        self._wake()

    def _follow_node(self) -> None:
        """Learn of the own node's zone, from the first hint on that speaks of zones."""
        if self._informers is not None:
            self._knows_zone = True
            name = f"metadata.name={self._config.node_name}"
            self._informers.get("nodes", fields=name).on_change(self._on_node)

    def _on_node(self, change: informer.Change) -> None:
        labels = {} if change.new is None else objects.labels(change.new)
        self._keeper.set_zone(labels.get(_ZONE, ""))
        self._wake()

    def _count(self, name: str) -> None:
        if self._figures is not None:
            self._figures.count(name)

    def _wake(self) -> None:
        if self._keeper.changed:
            self._changed.set()


def _differs(old: objects.Object, new: objects.Object) -> bool:
    """Whether more than metadata changed."""
    return objects.spec(old) != objects.spec(new) or objects.status(old) != objects.status(new)
