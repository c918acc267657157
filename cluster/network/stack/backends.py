"""The back ends by name: which routes lead to the pods of other nodes.

`vxlan` is flannel's: a route, a neighbour and an FDB entry a node. `routed` is Calico's without
encapsulation: the next hop is the node itself, on the wire that all nodes share. `mesh` (`mesh/`)
makes its routes of what nodes tell each other.
"""

from collections.abc import Iterator
from typing import Final

from cluster.network.stack.peers import Peer, Peers
from cluster.network.stack.router import TUNNEL, WIRE, Route
from cluster.network.wire import vxlan
from cluster.network.wire.addresses import Prefix

VXLAN: Final = "vxlan"
ROUTED: Final = "routed"
MESH: Final = "mesh"
NAMES: Final = (VXLAN, ROUTED, MESH)


def mtu(name: str, underlay: int) -> int:
    """What a back end leaves to pods of the underlay's MTU."""
    return underlay if name == ROUTED else underlay - vxlan.OVERHEAD


def routes(name: str, peers: Peers) -> Iterator[Route]:
    """The routes to all nodes and, but for those of `mesh`, to their pods."""
    for peer in peers.by_name.values():
        yield Route(Prefix(peer.public, 32), WIRE, peer=peer)
        if name == ROUTED:
            yield Route(peer.network, WIRE, gateway=peer.public, peer=peer)
        elif name == VXLAN:
            yield through(peer, peer)


def through(peer: Peer, next_hop: Peer) -> Route:
    """The route to a node's pods by the VTEP of a node, mostly its own."""
    return Route(peer.network, TUNNEL, gateway=next_hop.gateway, peer=next_hop, onlink=True)
