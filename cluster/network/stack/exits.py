"""Which exit a packet takes: a port, a node behind the VTEP or on the wire, and its link header."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from cluster.network.stack import drops, egress
from cluster.network.stack.bridge import Bridge
from cluster.network.stack.forwarding import Delivered, Device, Sent, Switched
from cluster.network.stack.outbox import ByteQueue, FrameQueue, Outbox
from cluster.network.stack.peers import Peer
from cluster.network.stack.ports import HOST, OUTSIDE
from cluster.network.stack.router import BRIDGE, LOOPBACK, TUNNEL, WIRE, Route
from cluster.network.stack.vtep import Tunnel
from cluster.network.wire import ethernet
from cluster.network.wire.frame import Frame

_IPV4: Final = ethernet.IPV4.to_bytes(2, "big")


class Exit(NamedTuple):
    """Where packets leave, ready for their next hop."""

    link: bytes
    """Their Ethernet header."""
    queue: FrameQueue | ByteQueue
    device: str
    mtu: int
    tunnel: Tunnel | None = None
    where: str = ""
    """The port or node that is the next hop."""
    lasting: bool = True
    """Whether it stays so until some table changes: not, where its MAC was learned."""

    @property
    def cable(self) -> bool:
        """Whether it is the wire between the nodes."""
        return self.tunnel is None and isinstance(self.queue, ByteQueue)

    def send(self, frames: list[Frame]) -> None:
        """Send frames that have their Ethernet header."""
        queue = self.queue
        for frame in frames:
            if isinstance(queue, FrameQueue):
                queue.push(frame)
                continue
            tunnel = self.tunnel
            cut = egress.datagrams(frame) if tunnel is None else tunnel.payloads(frame)
            for payload in cut:
                queue.push(payload)


class Unknown(NamedTuple):
    """ARP must tell first who has the address."""

    address: int


class Nowhere(NamedTuple):
    """There is no exit."""

    reason: str


class Exits:
    """The exits of a node."""

    def __init__(self, devices: Mapping[str, Device], bridge: Bridge, outbox: Outbox) -> None:
        self.tunnels: dict[str, Tunnel] = {}
        """By peer, of those that have a VTEP."""
        self._devices = devices
        self._bridge = bridge
        self._outbox = outbox

    def find(
        self, now: float, destination: int, outcome: Delivered | Sent | Switched, data: bytes = b""
    ) -> Exit | Unknown | Nowhere:
        """The exit for an address; `data` is the frame that came in, of what is only switched."""
        if isinstance(outcome, Switched):
            return self._switched(outcome.port, data)
        if isinstance(outcome, Delivered):
            return self._port(HOST, self._devices[BRIDGE].mac, LOOPBACK)
        route = outcome.route
        if route.device == BRIDGE:
            return self.link(now, destination)
        if route.peer is not None:
            return self._peer(route, route.peer)
        if route.device == TUNNEL:
            return Nowhere(drops.LINK_CUT)
        return self._port(OUTSIDE, self._devices[WIRE].mac, WIRE)

    def link(self, now: float, address: int) -> Exit | Unknown | Nowhere:
        """The exit to an address on cni0."""
        mac = self._bridge.neighbours.mac(now, address)
        if mac is None:
            return Unknown(address)
        name = self._bridge.fdb.port(now, mac)
        port = self._bridge.ports.get(name) if name is not None else None
        if port is None:
            return Nowhere(drops.UNKNOWN_MAC)
        return Exit(
            mac + self._devices[BRIDGE].mac + _IPV4,
            port.queue,
            BRIDGE,
            self._devices[BRIDGE].mtu,
            where=port.name,
            lasting=mac == port.mac,
        )

    def _switched(self, name: str, data: bytes) -> Exit | Nowhere:
        port = self._bridge.ports.get(name)
        if port is None:
            return Nowhere(drops.NO_PORT)
        link = data[: ethernet.HEADER]
        known = data[:6] == port.mac
        mtu = self._devices[BRIDGE].mtu
        return Exit(link, port.queue, BRIDGE, mtu, where=name, lasting=known)

    def _peer(self, route: Route, peer: Peer) -> Exit | Nowhere:
        device = self._devices[route.device]
        if route.device == WIRE:
            link = peer.eth0 + device.mac + _IPV4
            queue = self._outbox.cable(peer.cable)
            return Exit(link, queue, WIRE, device.mtu, where=peer.name)
        tunnel = self.tunnels.get(peer.name)
        if tunnel is None:
            return Nowhere(drops.NO_VTEP)
        link = peer.vtep_mac + device.mac + _IPV4
        return Exit(
            link, self._outbox.peer(peer.address), TUNNEL, device.mtu, tunnel, where=peer.name
        )

    def _port(self, name: str, source: bytes, device: str) -> Exit | Nowhere:
        port = self._bridge.ports.get(name)
        if port is None:
            return Nowhere(drops.NO_PORT)
        link = port.mac + source + _IPV4
        return Exit(link, port.queue, device, self._devices[device].mtu, where=name)
