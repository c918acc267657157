"""The agent of a node: brings its back end up, programs it, and writes of it into the own Node."""

import asyncio
import random as randoms
from typing import Final

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


class Agent:
    """Serves one node. `ready` is set once it programmed the node, or found that it has no part
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
        self._tables = Tables(config.node_name, self._backend)
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
        retry = self._retries[0]
        while True:
            await self._changed.wait()
            self._changed.clear()
            settings = self._settings()
            if settings is None or not self._following.settled:
                continue
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
            await asyncio.sleep(self._config.min_sync_period)

    def _settings(self) -> pb.OverlaySettings | None:
        """None until the Node has an address and a range for pods."""
        own = self._tables.own
        if own is None or not own.address or not own.network:
            return None
        return pb.OverlaySettings(
            backend=self._backend,
            network=own.network,
            cluster_network=self._config.cluster_cidr,
            address=own.address,
            vni=nodes.VNI,
            mtu=self._config.network_mtu,
            node=self._config.node_name,
            service_networks=[self._config.service_cidr] if self._config.service_cidr else (),
        )

    async def _telling(self) -> None:
        """Have the Node say how it is reached, whenever it does not."""
        retry = self._retries[1]
        while True:
            await self._told.wait()
            self._told.clear()
            own, vtep, settings = self._tables.own, self._programmer.vtep, self._settings()
            if own is None or vtep is None or settings is None:
                continue
            now = timestamps.encode(self._clock.now())
            wanted = nodes.annotations(settings, vtep)
            patch = nodes.patch(own, wanted, self._backend, now)
            if patch is None:
                retry.reset()
                continue
            try:
                await self._client.patch(
                    "nodes", self._config.node_name, patch, subresource="status",
                    patch_type=STRATEGIC_PATCH,
                )  # fmt: skip
            except errors.StatusError as error:
                self._log.warning("Node not told of its overlay", error=str(error))
                self._told.set()
            # The watch shows what was written, and then this is asked again.
            await retry.wait()
