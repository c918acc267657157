"""Hollow nodes: hundreds or thousands of kubelets in one process, each with a simulated runtime.

They share one informer of pods, one writer of statuses, one keeper of nodes and leases. What they
call a runtime comes from outside: a kubelet knows none.
"""

import asyncio
import dataclasses
import ipaddress
import random as randoms
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cluster.aio import clock as clocks
from cluster.client.client import Client
from cluster.kubelet.config import Config
from cluster.kubelet.crew import Crew
from cluster.kubelet.cri import Cri
from cluster.kubelet.serving.service import KubeletService

if TYPE_CHECKING:
    from cluster.kubelet.serving.server import Serving

CriFactory = Callable[[Config], Cri]


def configs(
    template: Config,
    count: int,
    *,
    prefix: str = "hollow",
    first: int = 0,
    zones: Sequence[str] = (),
) -> list[Config]:
    """`count` configurations like `template`, named `prefix-0` and so on.

    `zones` are dealt out in turn. Addresses count on from the template's (or 10.128.0.1), so that
    each node has one of its own. ValueError where the addresses run out.
    """
    base = ipaddress.ip_address(template.addresses[0] if template.addresses else "10.128.0.1")
    made = []
    for number in range(first, first + count):
        zone = zones[number % len(zones)] if zones else template.zone
        made.append(
            dataclasses.replace(
                template,
                node_name=f"{prefix}-{number}",
                node_ip=str(base + number),
                zone=zone,
                normal_events=False,
            )
        )
    return made


class HollowNodes:
    """The kubelets of many hollow nodes. `cri_factory` makes each node's runtime.

    Events of type Normal are not written for hollow nodes: they would be most of the load.
    """

    def __init__(
        self,
        configs: Sequence[Config],
        *,
        client: Client,
        cri_factory: CriFactory,
        clock: clocks.Clock,
        random: randoms.Random,
        serving: "Serving | None" = None,
    ) -> None:
        if not configs:
            raise ValueError("there are no hollow nodes to run")
        self._crew = Crew(
            {config.node_name: (config, cri_factory(config)) for config in configs},
            client=client,
            clock=clock,
            random=random,
            host=f"{configs[0].node_name}+{len(configs) - 1}",
            pod_fields="spec.nodeName!=",
            serving=serving,
        )

    @property
    def service(self) -> KubeletService:
        """What the API server asks of it: logs, exec and so on."""
        return self._crew.service

    @property
    def ready(self) -> asyncio.Event:
        """Set when all nodes are registered and their pods are known."""
        return self._crew.ready

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._crew.run()
