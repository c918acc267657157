"""The pod network of a process of hollow nodes: its flags, and what is built of them."""

import random as randoms
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import structlog

from cluster.cli import flags, process
from cluster.cli.flags import NUMBER, TEXT

if TYPE_CHECKING:
    from cluster.client.client import Client
    from cluster.runtime.podbridge import Bridge

F = TypeVar("F", bound=Callable[..., Any])

_NAMES: Final = (
    "overlay_address", "underlay_address", "vxlan_port", "cable_port", "network_backend",
    "cluster_cidr", "service_cluster_ip_range", "host_gateway",
)  # fmt: skip


def options(function: F) -> F:
    """The flags."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


_OPTIONS: Final = (
    flags.option(
        "overlay-address",
        "Address by which other nodes know all hollow ones here; without it they have no pod "
        "network.",
        TEXT,
        default="",
    ),
    flags.option("underlay-address", "Where its datagrams are received, if not there.", default=""),
    flags.option("vxlan-port", "UDP port of VXLAN there; 0: a free one.", NUMBER, default=4789),
    flags.option("cable-port", "UDP port of the wire there; 0: a free one.", NUMBER, default=4790),
    flags.option(
        "network-backend",
        "How packets go between hollow nodes and others; of a mesh they are no part.",
        click.Choice(("vxlan", "routed", "mesh")),
        default="vxlan",
    ),
    flags.option("cluster-cidr", "Addresses of all pods, for the pod network.", default=""),
    flags.option("service-cluster-ip-range", "Addresses of Services, for it.", default=""),
    flags.option("host-gateway", "Address at which pods reach 127.0.0.1 here.", default=""),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the flags say."""

    overlay_address: str
    underlay_address: str
    vxlan_port: int
    cable_port: int
    network_backend: str
    cluster_cidr: str
    service_cluster_ip_range: str
    host_gateway: str


def from_flags(values: dict[str, Any]) -> Settings | None:
    """Take the flags out of `values`; None where there is to be no pod network. UsageError."""
    given = Settings(**{name: values.pop(name) for name in _NAMES})
    if not given.overlay_address:
        return None
    if given.network_backend == "mesh":
        structlog.get_logger().info("hollow nodes are no part of a mesh: no pod network")
        return None
    if not given.cluster_cidr:
        raise click.UsageError("--overlay-address needs --cluster-cidr.")
    return given


class Network:
    """The data plane that hollow nodes share, and who programs it."""

    def __init__(
        self, settings: Settings, nodes: tuple[str, ...], client: "Client", seams: process.Seams
    ) -> None:
        from cluster.proxy.component import Proxy
        from cluster.proxy.config import Config as ProxyConfig
        from cluster.runtime.config import Config
        from cluster.runtime.dataplane import DataPlane
        from cluster.runtime.network.fleet import Fleet
        from cluster.runtime.overlay import Overlay

        name = f"{nodes[0]}+{len(nodes) - 1}"
        generator = randoms.Random(seams.random.getrandbits(64))  # noqa: S311
        machine = Config(
            node_name=name, node_ip=settings.overlay_address,
            underlay_address=settings.underlay_address, vxlan_port=settings.vxlan_port,
            cable_port=settings.cable_port, host_gateway=settings.host_gateway,
        )  # fmt: skip
        dataplane = DataPlane(generator)
        self._fleet = Fleet(machine, dataplane, generator)
        self.proxy = Proxy(
            ProxyConfig(
                node_name=name, nodes=nodes, address=settings.overlay_address,
                network_backend=settings.network_backend, cluster_cidr=settings.cluster_cidr,
                service_cidr=settings.service_cluster_ip_range,
            ),
            client=client, dataplane=dataplane, clock=seams.clock, random=generator,
            overlay=Overlay(generator, self._fleet),
        )  # fmt: skip

    def add(self, bridge: "Bridge") -> None:
        """Take in the pods of a node."""
        self._fleet.add(bridge)
