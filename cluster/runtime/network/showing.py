"""What programs of a node and of its pods are shown of interfaces, routes and neighbours. Pure."""

from cluster.network.stack.datapath import Datapath
from cluster.network.stack.endhost.neighbours import REACHABLE_SECONDS
from cluster.network.stack.host import Host
from cluster.network.stack.router import BRIDGE, LOOPBACK, TUNNEL, WIRE
from cluster.network.wire import addresses, mac
from cluster.runtime import podlinks
from cluster.runtime.vos.sockets import Link, Neighbour, Route


def links(core: Datapath) -> list[Link]:
    """The interfaces of a node."""
    shown = [podlinks.LOOPBACK]
    lengths = {WIRE: 16, TUNNEL: 32, BRIDGE: core.settings.network.length}
    for name, length in lengths.items():
        device = core.devices[name]
        own = f"{addresses.text(device.address)}/{length}"
        shown.append(Link(len(shown) + 1, name, mac.text(device.mac), device.mtu, (own,)))
    return shown


def routes(core: Datapath) -> list[Route]:
    """The routing table of a node."""
    return [
        Route(
            str(one.prefix), one.device, addresses.text(one.gateway) if one.gateway else "",
            onlink=one.onlink,
        )
        for one in core.routes()
        if one.device != LOOPBACK
    ]  # fmt: skip


def neighbours(core: Datapath, now: float) -> list[Neighbour]:
    """The neighbours of a node, on cni0."""
    return [
        Neighbour(
            addresses.text(one.address), BRIDGE, mac.text(one.mac) if one.mac else "", one.state
        )
        for one in core.neighbours(now)
    ]


def pods_neighbours(host: Host, now: float) -> list[Neighbour]:
    """The neighbours of a pod whose stack this is."""
    return [
        Neighbour(
            addresses.text(address), "eth0", mac.text(found) if found else "",
            _state(found, now - confirmed),
        )
        for address, found, confirmed in host.neighbours.rows()
    ]  # fmt: skip


def _state(found: bytes, age: float) -> str:
    if not found:
        return "INCOMPLETE"
    return "REACHABLE" if age <= REACHABLE_SECONDS else "STALE"
