"""Puts the cores of a node's network together, from what its agent and its machine say."""

import random as randoms

from cluster.network.stack import backends
from cluster.network.stack.datapath import Datapath
from cluster.network.stack.nat import hooks
from cluster.network.stack.settings import Settings
from cluster.network.wire import addresses
from cluster.pb.cluster.v1 import overlay_pb2 as pb
from cluster.runtime.config import Config
from cluster.runtime.network.node import Node
from cluster.runtime.podspaces import Spaces

_BACKENDS = {pb.VXLAN: backends.VXLAN, pb.ROUTED: backends.ROUTED, pb.MESH: backends.MESH}


def build(
    settings: pb.OverlaySettings, config: Config, spaces: Spaces, random: randoms.Random
) -> Node:
    """A node's network, not open yet. ValueError with a sentence for what cannot be."""
    if settings.backend not in _BACKENDS:
        raise ValueError(f"there is no back end {settings.backend}")
    core = Settings(
        name=settings.node or config.node_name,
        network=addresses.prefix(settings.network),
        address=addresses.parse(settings.address),
        backend=_BACKENDS[settings.backend],
        vni=settings.vni or 1,
        mtu=settings.mtu,
        turbo=config.turbo,
    )
    datapath = Datapath(core, random)
    own = (core.address, core.gateway, core.network.network)
    spaces.set_node_addresses([addresses.text(one) for one in own])
    pods = addresses.prefix(settings.cluster_network or settings.network)
    services = tuple(addresses.prefix(one) for one in settings.service_networks if ":" not in one)
    nat = hooks.Nat(
        hooks.Settings(
            cluster_network=pods,
            network=core.network,
            local=own,
            node_port_addresses=(core.address,),
            service_networks=services,
        ),
        random,
    )
    made = Node(spaces.bridge, spaces.of_node(), datapath, nat, random)
    made.reserved = (pods, *services)
    return made


def open_outside(node: Node, config: Config, host: str) -> None:
    """Open the way between a node's overlay and its machine, whose address there is `host`."""
    gateway = addresses.parse(config.host_gateway) if config.host_gateway else 0
    node.open_outside(gateway, host)
