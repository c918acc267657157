"""The tables of a node's data plane as messages: routes, neighbours, MACs, connections."""

from collections.abc import Iterator

from cluster.network.stack.nat.conntrack import Connection, Way
from cluster.network.stack.nat.tcpstates import State
from cluster.network.stack.router import BRIDGE, LOOPBACK, TUNNEL
from cluster.network.wire import addresses, ipv4, mac
from cluster.pb.cluster.v1 import netops_pb2 as pb
from cluster.runtime.network.node import Node

_PROTOCOLS = {ipv4.TCP: "tcp", ipv4.UDP: "udp", ipv4.ICMP: "icmp", 132: "sctp"}


def routes(node: Node) -> Iterator[pb.NodeRoute]:
    """As `ip route`, the node's own addresses last."""
    local: list[pb.NodeRoute] = []
    for one in node.datapath.routes():
        row = pb.NodeRoute(
            destination=str(one.prefix) if one.prefix.length else "default",
            gateway=addresses.text(one.gateway) if one.gateway else "",
            device=one.device, onlink=one.onlink, local=one.device == LOOPBACK,
            node=one.peer.name if one.peer is not None else "",
        )  # fmt: skip
        if row.local:
            local.append(row)
        else:
            yield row
    yield from local


def neighbours(node: Node, now: float) -> Iterator[pb.NodeNeighbour]:
    """As `ip neigh`."""
    for one in node.datapath.neighbours(now):
        found = mac.text(one.mac) if one.mac else ""
        yield pb.NodeNeighbour(
            address=addresses.text(one.address), device=BRIDGE, mac=found, state=one.state
        )
    for peer in node.datapath.peers.by_name.values():
        if peer.vtep_mac:
            yield pb.NodeNeighbour(
                address=addresses.text(peer.gateway), device=TUNNEL, mac=mac.text(peer.vtep_mac),
                state="PERMANENT",
            )  # fmt: skip


def fdb(node: Node, now: float) -> Iterator[pb.FdbEntry]:
    """As `bridge fdb`."""
    for one in node.datapath.fdb(now):
        yield pb.FdbEntry(
            mac=mac.text(one.mac), device=one.port, bridge=BRIDGE, permanent=one.static,
            age_seconds=0.0 if one.static else now - one.seen,
        )  # fmt: skip
    for peer in node.datapath.peers.by_name.values():
        if peer.vtep_mac:
            yield pb.FdbEntry(
                mac=mac.text(peer.vtep_mac), device=TUNNEL, destination=peer.address[0],
                permanent=True,
            )  # fmt: skip


def connection(one: Connection, now: float) -> pb.TrackedConnection:
    """A row of `conntrack -L`."""
    return pb.TrackedConnection(
        protocol=_PROTOCOLS.get(one.protocol, str(one.protocol)),
        number=one.protocol,
        seconds=max(one.seen + one.timeout - now, 0.0),
        state="" if one.state is State.NONE else one.state.value,
        original=_way(one.original),
        reply=_way(one.answers),
        replied=one.answered,
        assured=one.assured,
        service=one.service,
    )


def _way(way: Way) -> pb.ConnectionWay:
    source, source_port, destination, destination_port, _ = way.key
    return pb.ConnectionWay(
        source=addresses.text(source), source_port=source_port,
        destination=addresses.text(destination), destination_port=destination_port,
        packets=way.packets,
    )  # fmt: skip
