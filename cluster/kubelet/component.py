"""The kubelet of one node."""

import asyncio
import random as randoms
from typing import TYPE_CHECKING

from cluster.aio import clock as clocks
from cluster.client.client import Client
from cluster.kubelet.config import Config
from cluster.kubelet.crew import Crew
from cluster.kubelet.cri import Cri
from cluster.kubelet.serving.service import KubeletService
from cluster.kubelet.volumes.disk import Disk

if TYPE_CHECKING:
    from cluster.kubelet.serving.server import Serving


class Kubelet:
    """Runs the pods of one node by its runtime `cri`.

    `cri` is a runtime's service object, or `grpc_cri.connect(channel)`. A kubelet that ends leaves
    its containers running; the next one finds them. `disk` is the node's, where it is neither the
    runtime's own in this process nor the real one.
    """

    def __init__(
        self,
        config: Config,
        *,
        client: Client,
        cri: Cri,
        clock: clocks.Clock,
        random: randoms.Random,
        serving: "Serving | None" = None,
        disk: Disk | None = None,
    ) -> None:
        name = config.node_name
        self._crew = Crew(
            {name: (config, cri)},
            client=client,
            clock=clock,
            random=random,
            host=name,
            pod_fields=f"spec.nodeName={name}",
            node_fields=f"metadata.name={name}",
            serving=serving,
            disk=disk,
        )

    @property
    def service(self) -> KubeletService:
        """What the API server asks of it: logs, exec and so on."""
        return self._crew.service

    @property
    def ready(self) -> asyncio.Event:
        """Set when the API server can reach it, and its pods are known and what of them runs."""
        return self._crew.ready

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._crew.run()
