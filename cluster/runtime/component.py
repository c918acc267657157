"""The runtime of a node: its CRI and its data plane, served over gRPC where an address is set."""

import asyncio
import random as randoms
from typing import TYPE_CHECKING

from cluster.aio import clock as clocks
from cluster.network.underlay import Underlay
from cluster.runtime.config import Config
from cluster.runtime.dataplane import DataPlane
from cluster.runtime.figuresport import FiguresPort
from cluster.runtime.healthports import HealthPorts
from cluster.runtime.netops import NetOps
from cluster.runtime.network.plant import Plant
from cluster.runtime.nodedisk import MemoryDisk
from cluster.runtime.overlay import Overlay
from cluster.runtime.registryimages import Registries
from cluster.runtime.service import CriService

if TYPE_CHECKING:
    from cluster.aio import grpcserver


class Runtime:
    """One node's runtime. `cri` and `dataplane` can be called in the same process at any time.

    `run` serves them on `config.listen`; without an address it only keeps the machine alive. When
    it ends, the machine is gone: what ran in it has ended.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: clocks.Clock,
        random: randoms.Random,
        tls: "grpcserver.ServerTls | None" = None,
        disk: MemoryDisk | None = None,
        registries: Registries | None = None,
        underlay: Underlay | None = None,
    ) -> None:
        self._config = config
        self._tls = tls
        self.cri = CriService(config, clock=clock, random=random, disk=disk, registries=registries)
        self.dataplane = DataPlane(random)
        self.cri.spaces.answer_by(HealthPorts(self.dataplane).answers)
        self.plant: Plant | None = None
        """The node's network, where it has an address in one."""
        if config.node_ip:
            self.plant = Plant(config, self.cri.spaces, self.dataplane, random, underlay)
            self.cri.spaces.answer_by(FiguresPort(self.plant, config.metrics_port).answers)
        self.overlay = Overlay(random, self.plant)
        self.netops = NetOps(self.plant, clock)
        self.ready = asyncio.Event()
        self.port = 0
        """The port that is served, where `listen` names a host."""

    async def run(self) -> None:
        """Serve until cancelled. aio.grpcserver.AddressInUse, config.Unusable."""
        try:
            await self.cri.recover()
            if self._config.listen:
                await self._serve()
            else:
                self.ready.set()
                await asyncio.get_running_loop().create_future()
        finally:
            if self.cri.stream_server is not None:
                await self.cri.stream_server.close()
            if self.plant is not None:
                self.plant.down()
            self.cri.close()
            self.dataplane.close()
            self.overlay.close()

    async def _serve(self) -> None:
        # Imported here: a hollow node serves nothing, and gRPC is slow to import.
        from cluster.aio import grpcserver
        from cluster.runtime import (
            dataplane_servicer,
            netops_servicer,
            overlay_servicer,
            servicer,
            streaming_servicer,
        )

        self.cri.serves_streams = True
        server = grpcserver.GrpcServer(tls=self._tls, grace=0.2)
        server.add(servicer.RUNTIME, servicer.add_runtime, self.cri)
        server.add(servicer.IMAGE, servicer.add_image, self.cri)
        server.add(streaming_servicer.SERVICE_NAME, streaming_servicer.add_to, self.cri)
        server.add(overlay_servicer.SERVICE_NAME, overlay_servicer.add_to, self.overlay)
        server.add(netops_servicer.SERVICE_NAME, netops_servicer.add_to, self.netops)
        server.add(
            dataplane_servicer.SERVICE_NAME,
            lambda plane, target: dataplane_servicer.add_to(target, plane),
            self.dataplane,
        )
        self.port = server.listen(self._config.listen)
        async with server:
            await server.set_serving(True)
            self.ready.set()
            await asyncio.get_running_loop().create_future()
