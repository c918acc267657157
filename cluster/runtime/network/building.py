"""Puts the cores of a node's network together, from what its agent and its machine say."""

import random as randoms
from collections.abc import Callable

from cluster.network.stack import backends
from cluster.network.stack.datapath import Datapath
from cluster.network.stack.nat import hooks
from cluster.network.stack.settings import Settings
from cluster.network.underlay import Address, Underlay
from cluster.network.wire import addresses
from cluster.network.wire.addresses import Prefix
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
    nat = translation(settings, core, own, random)
    made = Node(spaces.bridge, spaces.of_node(), datapath, nat, random)
    made.reserved = reserved(settings)
    return made


def reserved(settings: pb.OverlaySettings) -> tuple[Prefix, ...]:
    """The ranges of the cluster's pods, and of its services as far as they are of IPv4."""
    services = (one for one in settings.service_networks if ":" not in one)
    pods = settings.cluster_network or settings.network
    return tuple(addresses.prefix(one) for one in (pods, *services))


def translation(
    settings: pb.OverlaySettings, core: Settings, own: tuple[int, ...], random: randoms.Random
) -> hooks.Nat:
    """The address translation of a node that has the addresses `own`."""
    pods, *services = reserved(settings)
    return hooks.Nat(
        hooks.Settings(
            cluster_network=pods,
            network=core.network,
            local=own,
            node_port_addresses=(core.address,),
            service_networks=tuple(services),
        ),
        random,
    )


async def opened(
    node: Node,
    settings: pb.OverlaySettings,
    config: Config,
    underlay: Underlay | None,
    wrapped: Callable[[Underlay], Underlay] = lambda underlay: underlay,
) -> pb.Vtep:
    """Open a node's ways; how others reach it. It is closed where that fails. OSError.

    To other nodes they are by `underlay`, and then out of it all is sealed; None: by the machine's
    UDP, and then there is a way to the machine and what is beyond it, too.
    """
    host = config.underlay_address or settings.address
    try:
        if underlay is None:
            # Imported here: a lab has no sockets.
            from cluster.network.io.udp import UdpUnderlay

            underlay = UdpUnderlay()
            node.open_outside(
                addresses.parse(config.host_gateway) if config.host_gateway else 0, host
            )
        else:
            node.seal()
        vxlan, cable = Address(host, config.vxlan_port), Address(host, config.cable_port)
        return await node.open(wrapped(underlay), vxlan, cable)
    except BaseException:
        node.close()
        raise
