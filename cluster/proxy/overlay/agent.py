"""The agent of a node (or of several that share a data plane): brings the back end up, programs it,
and writes of it into its Nodes.
"""

import asyncio
import random as randoms
from collections.abc import Iterator
from typing import Any, Final

import structlog

from cluster.aio import backoff, clock, rpc, tasks
from cluster.api import errors, timestamps
from cluster.api.operations import STRATEGIC_PATCH
from cluster.client.client import Client
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.proxy.config import Config
from cluster.proxy.overlay import nodes
from cluster.proxy.overlay.following import Following
from cluster.proxy.overlay.plane import Plane
from cluster.proxy.overlay.programmer import Programmer
from cluster.proxy.overlay.tables import Tables

_FIRST_RETRY: Final = 0.1
_REST: Final = 3.0
"""How much longer it waits for more to change than it took to program."""
_LONGEST: Final = 1.0
_TOLD_TOGETHER: Final = 200
"""Nodes that are written in one go."""


class Agent:
    """Serves its nodes. `ready` is set once it programmed the node, or found that it has no part
    in an overlay.
    """

    def __init__(
        self,
        config: Config,
        *,
        client: Client,
        plane: Plane,
        clock: clock.Clock,
        random: randoms.Random,
    ) -> None:
        self._config = config
        self._client = client
        self._clock = clock
        self._backend = nodes.BACKENDS[config.network_backend]
        self._changed = asyncio.Event()
        self._told = asyncio.Event()
        self._tables = Tables(config.nodes or (config.node_name,), self._backend)
        self._following = Following(self._tables, client, random, self._changed.set)
        self._programmer = Programmer(config, plane, random, self._changed.set)
        self._retries = [
            backoff.Backoff(random, initial=_FIRST_RETRY, maximum=config.longest_retry)
            for _ in range(2)
        ]
        self._log = structlog.get_logger().bind(component="kube-proxy", node=config.node_name)
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled; returns where the machine takes part in no overlay."""
        async with tasks.Group("overlay-agent") as group:
            group.spawn(self._following.run(), "following")
            group.spawn(self._programmer.watch(), "watch")
            group.spawn(self._telling(), "telling")
            try:
                await self._programming()
            except rpc.Failure as failure:
                self._log.info("the node has no overlay", why=str(failure))
            group.cancel()
        self.ready.set()

    async def _programming(self) -> None:
        """Program what changes. rpc.Failure UNIMPLEMENTED, where there is nobody who could."""
        retry, loop = self._retries[0], asyncio.get_running_loop()
        while True:
            await self._changed.wait()
            self._changed.clear()
            settings = self._settings()
            if settings is None or not self._following.settled:
                continue
            began = loop.time()
            try:
                await self._programmer.program(settings, self._tables)
            except (rpc.Failure, TimeoutError) as failure:
                if isinstance(failure, rpc.Failure) and failure.code == "UNIMPLEMENTED":
                    raise
                self._log.warning("overlay not programmed", error=str(failure))
                self._changed.set()
                await retry.wait()
                continue
            retry.reset()
            self._told.set()
            self.ready.set()
            # Thousands of nodes that register one after another must not keep the node busy.
            took = min(loop.time() - began, _LONGEST)
            await asyncio.sleep(max(self._config.min_sync_period, took * _REST))

    def _settings(self) -> pb.OverlaySettings | None:
        """None until the Node has an address and a range for pods."""
        config = self._config
        address, network = config.address, config.cluster_cidr
        if not config.nodes:
            own = self._tables.own.get(config.node_name)
            if own is None or not own.address or not own.network:
                return None
            address, network = own.address, own.network
        return pb.OverlaySettings(
            backend=self._backend,
            network=network,
            cluster_network=config.cluster_cidr,
            address=address,
            vni=nodes.VNI,
            mtu=config.network_mtu,
            node=config.node_name,
            service_networks=[config.service_cidr] if config.service_cidr else (),
        )

    async def _telling(self) -> None:
        """Have the Nodes say how they are reached, whenever they do not."""
        retry = self._retries[1]
        while True:
            await self._told.wait()
            self._told.clear()
            vtep, settings = self._programmer.vtep, self._settings()
            if vtep is None or settings is None:
                continue
            patches = list(self._patches(settings, vtep))
            if not patches:
                retry.reset()
                continue
            for start in range(0, len(patches), _TOLD_TOGETHER):
                # The client sends together what is asked for together.
                together = patches[start : start + _TOLD_TOGETHER]
                await asyncio.gather(*(self._tell(name, patch) for name, patch in together))
            # The watch shows what was written, and then this is asked again.
            await retry.wait()

    def _patches(
        self, settings: pb.OverlaySettings, vtep: pb.Vtep
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """What some Nodes do not say yet, as patches."""
        now = timestamps.encode(self._clock.now())
        wanted = nodes.annotations(settings, vtep)
        for name, own in self._tables.own.items():
            patch = nodes.patch(own, wanted, self._backend, now)
            if patch is not None:
                yield name, patch

    async def _tell(self, name: str, patch: dict[str, Any]) -> None:
        try:
            await self._client.patch(
                "nodes", name, patch, subresource="status", patch_type=STRATEGIC_PATCH
            )
        except errors.StatusError as error:
            self._log.warning("Node not told of its overlay", node=name, error=str(error))
            self._told.set()
