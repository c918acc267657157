"""What would become of a packet: the slow path walked without effects, each decision told."""

from typing import Final, NamedTuple

from cluster.network.stack import drops, egress
from cluster.network.stack.bridge import Bridge
from cluster.network.stack.exits import Exit, Exits, Nowhere
from cluster.network.stack.forwarding import Answer, Dropped
from cluster.network.stack.nat.packet import Decision
from cluster.network.stack.ports import HOST, OUTSIDE
from cluster.network.stack.router import BRIDGE, LOOPBACK, TUNNEL, WIRE
from cluster.network.stack.slowpath import SlowPath, lost_hops
from cluster.network.wire import addresses, mac
from cluster.network.wire.frame import Frame

DROPPED: Final = "dropped"
ASKED: Final = "asked"
"""Nobody with the address is known: it waits for an answer to ARP."""
PORT: Final = "port"
PEER: Final = "peer"


class Trace(NamedTuple):
    """What would become of a packet at one node."""

    decisions: tuple[Decision, ...]
    end: str
    """`port`, `peer`, `asked` or `dropped`."""
    where: str = ""
    """The port or the node that it would go to."""
    device: str = ""
    """The interface that it would leave by; by `flannel.1` in VXLAN."""
    reason: str = ""
    """Why it was dropped, as drops are counted."""
    answer: Answer | None = None
    """The error that its sender would get."""
    frame: Frame | None = None
    """The packet as it would leave, to be traced at the next node."""


class Tracer:
    """Walks the ways of one node."""

    def __init__(self, slow: SlowPath, exits: Exits, bridge: Bridge) -> None:
        self._slow = slow
        self._exits = exits
        self._bridge = bridge

    def walk(self, now: float, source: str, frame: Frame) -> Trace:
        """The way of an IPv4 packet from a port, or from another node by a device.

        ValueError where there is neither port nor device of the name `source`.
        """
        device = _DEVICES.get(source, BRIDGE)
        port = self._bridge.ports.get(source)
        if port is None and device == BRIDGE:
            raise ValueError(f"there is no port {source!r}")
        packet = self._slow.packet(frame, port if device == BRIDGE else None)
        if isinstance(packet, str):
            return Trace((), DROPPED, reason=packet)
        story = packet.story = []
        switched = ""
        to = frame.data[:6]
        if port is not None and device == BRIDGE and to != self._bridge.mac:
            behind = self._bridge.behind(now, port, to)
            if behind is None:
                packet.tell("bridge", f"nobody has {mac.text(to)}", "drop")
                return Trace(tuple(story), DROPPED, reason=drops.UNKNOWN_MAC)
            switched = behind.name
            packet.tell("bridge", f"{mac.text(to)} is at {switched}", "accept")
        relayed = self._slow.is_relayed(packet, device)
        outcome = self._slow.forwarding.decide(
            now, packet, device, switched=switched, relayed=relayed
        )
        if isinstance(outcome, Dropped):
            return Trace(tuple(story), DROPPED, reason=outcome.reason, answer=outcome.answer)
        found = self._exits.find(now, packet.destination, outcome, frame.data)
        if isinstance(found, Nowhere):
            packet.tell("neighbour", "no exit", "drop")
            return Trace(tuple(story), DROPPED, reason=found.reason)
        if not isinstance(found, Exit):
            text = addresses.text(found.address)
            packet.tell("neighbour", f"{text} is not known on {BRIDGE}", "ask")
            return Trace(tuple(story), ASKED, device=BRIDGE)
        packet.tell("neighbour", f"{mac.text(found.link[:6])} at {found.where}", "send")
        left = egress.rewritten(packet, found.link, hops=lost_hops(device, outcome))
        end = PEER if found.device == TUNNEL or found.cable else PORT
        return Trace(tuple(story), end, found.where, found.device, frame=left)


_DEVICES: Final = {HOST: LOOPBACK, OUTSIDE: WIRE, TUNNEL: TUNNEL, WIRE: WIRE}
