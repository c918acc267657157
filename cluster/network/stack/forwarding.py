"""What becomes of an IPv4 packet in a node: hooks and routing in the order of a Linux kernel's.

Pure decisions: the packet's fields change as hooks rewrite it, and nothing is sent. A trace walks
the same way with a packet that has a story.

    from a port, the VTEP, the wire: prerouting → route → TTL, MTU → forward → postrouting
    to the node itself:              prerouting → route → input
    from the node itself:            output → route → MTU → postrouting
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

from cluster.network.stack import drops
from cluster.network.stack.nat import verdicts
from cluster.network.stack.nat.packet import Packet
from cluster.network.stack.router import BRIDGE, LOOPBACK, Route, Routes
from cluster.network.wire import addresses, icmp


class Nat(Protocol):
    """Address translation and the packet filter. None lets the packet go on."""

    def prerouting(self, now: float, packet: Packet) -> verdicts.Verdict | None:
        """A packet that came in; may change its destination."""

    def input(self, now: float, packet: Packet) -> verdicts.Verdict | None:
        """A packet for the node itself."""

    def forward(self, now: float, packet: Packet) -> verdicts.Verdict | None:
        """A packet that passes through."""

    def output(self, now: float, packet: Packet) -> verdicts.Verdict | None:
        """A packet that the node itself made; may change its destination."""

    def postrouting(self, now: float, packet: Packet, address: int) -> verdicts.Verdict | None:
        """A packet that leaves by an interface that has `address`; may change its source."""

    @property
    def deadline(self) -> float | None:
        """When `tick` is to be called next."""

    def tick(self, now: float) -> None:
        """Forget what was silent for too long."""


class Device(NamedTuple):
    """An interface of the node."""

    address: int
    mac: bytes
    mtu: int


class Answer(NamedTuple):
    """An ICMP error that tells the sender."""

    type: int
    code: int
    mtu: int = 0


class Dropped(NamedTuple):
    """It ends here."""

    reason: str
    answer: Answer | None = None


class Delivered(NamedTuple):
    """It is for the node itself."""


class Sent(NamedTuple):
    """It leaves by a route."""

    route: Route


class Switched(NamedTuple):
    """It goes from one port of the bridge to another."""

    port: str


Outcome = Dropped | Delivered | Sent | Switched

_NETWORK_UNREACHABLE: Final = Answer(icmp.UNREACHABLE, icmp.NETWORK_UNREACHABLE)
_TTL_EXCEEDED: Final = Answer(icmp.TIME_EXCEEDED, icmp.TTL_EXCEEDED)
_DELIVERED: Final = Delivered()


class Forwarding:
    """The way through one node."""

    def __init__(self, devices: Mapping[str, Device]) -> None:
        self.routes = Routes()
        self.nat: Nat | None = None
        self._devices = devices
        """By name."""

    def decide(
        self, now: float, packet: Packet, device: str, *, switched: str = "", relayed: bool = False
    ) -> Outcome:
        """The way of a packet that came in by a device (`lo`: from the node itself).

        `switched` is the port of the bridge that the frame's MAC is at; empty where it is the
        node's. `relayed`: the packet is between other nodes, whose address translation it is.
        """
        nat = None if relayed else self.nat
        own = device == LOOPBACK
        if nat is not None:
            verdict = nat.output(now, packet) if own else nat.prerouting(now, packet)
            if verdict is not None:
                return _ended(verdict)
        if switched and packet.destination == packet.header.destination:
            return self._passed(now, packet, Switched(switched), BRIDGE, nat)
        route = self.routes.find(packet.destination)
        if route is None:
            packet.tell("route", f"nothing leads to {addresses.text(packet.destination)}", "drop")
            return Dropped(drops.NO_ROUTE, _NETWORK_UNREACHABLE)
        if packet.story is not None:
            packet.tell("route", str(route), "accept")
        if route.device == LOOPBACK:
            verdict = nat.input(now, packet) if nat is not None else None
            return _ended(verdict) if verdict is not None else _DELIVERED
        fault = self._fits(packet, route, own=own)
        if fault is not None:
            return fault
        return self._passed(now, packet, Sent(route), route.device, nat, own=own)

    def _passed(
        self,
        now: float,
        packet: Packet,
        outcome: Sent | Switched,
        device: str,
        nat: Nat | None,
        *,
        own: bool = False,
    ) -> Outcome:
        """The rest of the way of what leaves by a device."""
        if nat is None:
            return outcome
        verdict = None if own else nat.forward(now, packet)
        if verdict is None:
            verdict = nat.postrouting(now, packet, self._devices[device].address)
        return _ended(verdict) if verdict is not None else outcome

    def _fits(self, packet: Packet, route: Route, *, own: bool) -> Dropped | None:
        """Whether the packet may go on: hops left, and small enough or free to be cut."""
        header, frame = packet.header, packet.frame
        if not own and header.ttl <= 1:
            packet.tell("route", "time to live", "drop")
            return Dropped(drops.TTL, _TTL_EXCEEDED)
        length = header.end - header.offset
        if frame.gso_size:
            headers = header.payload + (frame.data[header.payload + 12] >> 4 << 2)
            length = headers - header.offset + frame.gso_size
        mtu = self._devices[route.device].mtu
        if length > mtu and header.dont_fragment:
            packet.tell("route", f"{length} bytes do not fit into an MTU of {mtu}", "drop")
            return Dropped(drops.TOO_BIG, Answer(icmp.UNREACHABLE, icmp.FRAGMENTATION_NEEDED, mtu))
        return None


def _ended(verdict: verdicts.Verdict) -> Dropped:
    if isinstance(verdict, verdicts.Reject):
        return Dropped(verdict.reason, Answer(verdict.type, verdict.code))
    return Dropped(verdict.reason)
