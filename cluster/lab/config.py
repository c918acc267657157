"""What a lab is built from."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cluster.apiserver import addons
from cluster.controllers.config import Config as ControllerConfig
from cluster.controllers.config import node_monitor_grace_period
from cluster.kubelet.config import Config as KubeletConfig
from cluster.lab.rough.crossings import Roughness
from cluster.scheduler.config import Config as SchedulerConfig

EPOCH = 1_767_225_600.0
"""The wall time at which a lab begins: 2026-01-01T00:00:00Z."""

_FIRST_ADDRESS = ipaddress.ip_address("172.18.0.2")


@dataclass(frozen=True)
class Config:
    """Settings of a lab. ValueError, with a sentence, for what cannot be.

    `nodes` are their kubelets' settings. `kubernetes_version` is the version emulated, "" for the
    newest; what it changes by default (the node monitor grace period) follows it.
    """

    seed: int | str = 0
    nodes: tuple[KubeletConfig, ...] = ()
    kubernetes_version: str = ""
    epoch: float = EPOCH
    controllers: ControllerConfig = field(default_factory=ControllerConfig)
    scheduler: SchedulerConfig = field(default_factory=SchedulerConfig)
    latency: tuple[float, float] = (0.0002, 0.002)
    """The shortest and the longest time, in seconds, that a call to the API server takes. Each call
    draws its own from the seed: another seed is another order of events."""
    compaction_seconds: float = 300.0
    network_backend: str = "vxlan"
    """How pods of different nodes reach each other (kube-proxy's --network-backend); "": they do
    not."""
    addons: tuple[str, ...] = ()
    """What else the cluster has: `dns`, `ingress` (apiserver.addons)."""
    rough: Roughness | None = None
    """How rough the way between the parts is; None: calls take their time, and nothing is lost."""

    def __post_init__(self) -> None:
        addons.checked(self.addons)
        names = [node.node_name for node in self.nodes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two nodes are named {name}")
        if not 0 <= self.latency[0] <= self.latency[1]:
            raise ValueError(f"latency is {self.latency}: the shortest and the longest, in seconds")


def build(
    seed: int | str,
    nodes: int | Sequence[KubeletConfig],
    kubernetes_version: str,
    controller_settings: ControllerConfig | None,
    scheduler_settings: SchedulerConfig | None,
    *,
    addons: Sequence[str] = (),
    network_backend: str = "vxlan",
    rough: Roughness | None = None,
) -> Config:
    """A Config from what the lab's callers give: a number of like nodes will do."""
    if isinstance(nodes, int):
        nodes = [KubeletConfig(f"node-{number}") for number in range(1, nodes + 1)]
    placed = [
        node if node.node_ip else replace(node, node_ip=str(_FIRST_ADDRESS + number))
        for number, node in enumerate(nodes)
    ]
    if kubernetes_version:
        placed = [replace(node, kubernetes_version=kubernetes_version) for node in placed]
    if controller_settings is None:
        controller_settings = ControllerConfig()
        if kubernetes_version:
            grace = node_monitor_grace_period(kubernetes_version)
            controller_settings = replace(controller_settings, node_monitor_grace_period=grace)
    return Config(
        seed=seed,
        nodes=tuple(placed),
        kubernetes_version=kubernetes_version,
        controllers=controller_settings,
        scheduler=scheduler_settings or SchedulerConfig(kubernetes_version=kubernetes_version),
        addons=tuple(addons),
        network_backend=network_backend,
        rough=rough,
    )
