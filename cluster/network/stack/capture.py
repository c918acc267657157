"""Captures: every frame that a node's interfaces see, as a wire would have it.

Long frames are cut and checksums made, and what travels between nodes has the headers of Ethernet,
IPv4 and UDP that an eth0 of the node would give it. Interfaces are the ports by name, `cni0` (all
pods), `flannel.1` (inside the VTEP), `eth0` (between nodes, and to the outside) and `any`: all
ports and eth0, so a packet is seen once at each place that it passes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from cluster.network.stack.actions import Action, Address, Payload, ToPeer, ToPort
from cluster.network.stack.peers import Peer, Peers
from cluster.network.stack.ports import HOST, OUTSIDE
from cluster.network.stack.router import BRIDGE, TUNNEL, WIRE
from cluster.network.stack.vtep import Vtep
from cluster.network.wire import ethernet, ipv4, offload, vxlan
from cluster.network.wire.frame import Frame

ANY: Final = "any"
_UDP: Final = 8


class Seen(NamedTuple):
    """A frame at an interface."""

    time: float
    """As the data plane was told it."""
    interface: str
    inbound: bool
    """Whether it came into the node by it."""
    data: bytes


Sink = Callable[[Seen], None]


class Capture(NamedTuple):
    """What somebody wants to see."""

    interface: str
    sink: Sink
    """Must not fail, nor call the data plane."""
    matches: Callable[[bytes], bool] | None


class Captures:
    """All captures of one node."""

    def __init__(self, me: Peer, peers: Peers, vtep: Vtep) -> None:
        self._me = me
        self._peers = peers
        self._vtep = vtep
        self._captures: list[Capture] = []
        self._identification = 0
        self.active = False
        """Whether there is any."""

    def add(
        self, interface: str, sink: Sink, matches: Callable[[bytes], bool] | None = None
    ) -> Capture:
        """Show frames of an interface to `sink`, of which `matches` takes the data."""
        capture = Capture(interface, sink, matches)
        self._captures.append(capture)
        self.active = True
        return capture

    def remove(self, capture: Capture) -> None:
        """End a capture; one that has ended is passed over."""
        self._captures = [one for one in self._captures if one is not capture]
        self.active = bool(self._captures)

    # ---- where frames pass -------------------------------------------------------------------

    def at_port(self, now: float, port: str, frames: Iterable[Frame], *, inbound: bool) -> None:
        """Frames of a port."""
        if port == OUTSIDE:
            names: tuple[str, ...] = (WIRE, ANY, OUTSIDE)
        else:
            names = (port, ANY) if port == HOST else (port, BRIDGE, ANY)
        wanted = self._wanted(names)
        if wanted:
            for frame in frames:
                for data in offload.cut(frame):
                    self._show(wanted, now, WIRE if port == OUTSIDE else port, inbound, data)

    def from_peer(self, now: float, peer: Peer, payloads: Iterable[Payload]) -> None:
        """Datagrams at the VXLAN socket."""
        self._tunnelled(now, peer, payloads, inbound=True)

    def from_cable(self, now: float, frames: Iterable[Payload], *, inbound: bool = True) -> None:
        """Frames on the wire between the nodes."""
        wanted = self._wanted((WIRE, ANY))
        if wanted:
            for payload in frames:
                for data in (payload,) if isinstance(payload, bytes) else payload.pieces:
                    self._show(wanted, now, WIRE, inbound, data)

    def sent(self, now: float, actions: Sequence[Action]) -> None:
        """What leaves the node."""
        for action in actions:
            if isinstance(action, ToPort):
                self.at_port(now, action.port, action.frames, inbound=False)
            elif not isinstance(action, ToPeer):
                self.from_cable(now, action.frames, inbound=False)
            elif (peer := self._peer(action.address)) is not None:
                self._tunnelled(now, peer, action.payloads, inbound=False)

    def _peer(self, address: Address) -> Peer | None:
        return self._peers.sender(address)

    def _tunnelled(
        self, now: float, peer: Peer, payloads: Iterable[Payload], *, inbound: bool
    ) -> None:
        inner = self._wanted((TUNNEL,))
        outer = self._wanted((WIRE, ANY))
        if not inner and not outer:
            return
        for payload in payloads:
            for datagram in self._datagrams(peer, payload):
                if outer:
                    data = self._encapsulated(peer, datagram, inbound=inbound)
                    self._show(outer, now, WIRE, inbound, data)
                if inner and len(datagram) > vxlan.HEADER:
                    self._show(inner, now, TUNNEL, inbound, datagram[vxlan.HEADER :])

    def _datagrams(self, peer: Peer, payload: Payload) -> Iterator[bytes]:
        """The datagrams that a payload is on a wire that knows neither trains nor turbo."""
        if not isinstance(payload, bytes):
            if len(payload.data) > payload.size:
                yield from payload.pieces
                return
            payload = payload.data
        for frame in self._vtep.whole(peer, payload):
            for data in offload.cut(frame):
                yield vxlan.header(peer.vni) + data
            return
        yield payload

    def _encapsulated(self, peer: Peer, payload: bytes, *, inbound: bool) -> bytes:
        """A datagram with the headers of the wire between the nodes."""
        source, target = (peer, self._me) if inbound else (self._me, peer)
        length = _UDP + len(payload)
        self._identification = (self._identification + 1) & 0xFFFF
        header = ipv4.header(
            source.public,
            target.public,
            ipv4.UDP,
            length,
            identification=self._identification,
            fragment=0,
        )
        ports = vxlan.PORT.to_bytes(2, "big") * 2
        udp = ports + length.to_bytes(2, "big") + bytes(2)
        return ethernet.build(target.eth0, source.eth0, ethernet.IPV4, header + udp + payload)

    # ---- who sees them -----------------------------------------------------------------------

    def _wanted(self, names: tuple[str, ...]) -> list[Capture]:
        return [one for one in self._captures if one.interface in names]

    @staticmethod
    def _show(
        wanted: list[Capture], now: float, interface: str, inbound: bool, data: bytes
    ) -> None:
        seen = Seen(now, interface, inbound, data)
        for capture in wanted:
            if capture.matches is None or capture.matches(data):
                capture.sink(seen)
