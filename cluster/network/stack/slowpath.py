"""The way of a packet that no flow knows: looked at, decided on, sent; and errors about it."""

from collections.abc import Iterable, Mapping
from typing import Final

from cluster.network.stack import drops, egress, flows
from cluster.network.stack.answers import Answers
from cluster.network.stack.bridge import Bridge
from cluster.network.stack.drops import Drops
from cluster.network.stack.exits import Exit, Exits, Nowhere
from cluster.network.stack.forwarding import (
    Answer,
    Delivered,
    Device,
    Dropped,
    Forwarding,
    Sent,
    Switched,
)
from cluster.network.stack.nat import packet as packets
from cluster.network.stack.nat.packet import Packet
from cluster.network.stack.ports import Port
from cluster.network.stack.reassembly import Reassembly
from cluster.network.stack.router import BRIDGE, LOOPBACK, TUNNEL
from cluster.network.stack.waiting import Waiting
from cluster.network.wire import addresses, icmp, ipv4
from cluster.network.wire.addresses import Prefix
from cluster.network.wire.frame import Frame

_HOST_UNREACHABLE: Final = Answer(icmp.UNREACHABLE, icmp.HOST_UNREACHABLE)


class SlowPath:
    """Decides on packets of one node."""

    def __init__(
        self,
        network: Prefix,
        devices: Mapping[str, Device],
        bridge: Bridge,
        exits: Exits,
        drops: Drops,
    ) -> None:
        self.forwarding = Forwarding(devices)
        self.answers = Answers(devices)
        self.reassembly = Reassembly()
        self.flowing = 0
        """Flows that were learned since they were last forgotten."""
        self.relays = False
        """Whether packets between other nodes pass through this one (back end `mesh`)."""
        self._broadcast = network.last
        self._devices = devices
        self._bridge = bridge
        self._exits = exits
        self._drops = drops

    def take(
        self,
        now: float,
        device: str,
        frame: Frame,
        known: dict[bytes, flows.Flow],
        *,
        switched: str = "",
        pod: Port | None = None,
    ) -> None:
        """An IPv4 packet that came in by a device, from a port of the bridge or from elsewhere;
        what is learned goes to `known`.
        """
        packet = self._accepted(now, frame, pod)
        if packet is None:
            return
        relayed = self.is_relayed(packet, device)
        outcome = self.forwarding.decide(now, packet, device, switched=switched, relayed=relayed)
        if isinstance(outcome, Dropped):
            self._drop(now, packet, device, outcome)
        else:
            self._leave(now, packet, device, outcome, None if relayed else known)

    def _accepted(self, now: float, frame: Frame, pod: Port | None) -> Packet | None:
        """What a frame holds, made whole; None, and counted, where it goes no further."""
        packet = self.packet(frame, pod)
        if isinstance(packet, str):
            self._drops.count(packet)
            return None
        if not packet.header.is_fragment:
            return packet
        failed = self.reassembly.failed
        data = self.reassembly.add(now, frame.data, packet.header)
        if self.reassembly.failed != failed:
            self._drops.count(drops.REASSEMBLY, self.reassembly.failed - failed)
        return None if data is None else self._accepted(now, Frame(data), pod)

    def packet(self, frame: Frame, pod: Port | None) -> Packet | str:
        """What a frame holds, maybe a fragment; the reason where that may not be."""
        header = ipv4.parse(frame.data)
        if header is None or not flows.frame_is_sound(frame, header.payload):
            return drops.MALFORMED
        if _is_martian(header) or (pod is not None and self._is_anothers(header.source, pod)):
            return drops.MARTIAN
        to = header.destination
        if to >> 28 >= 0xE or to == self._broadcast:
            return drops.MULTICAST
        if header.is_fragment:
            return Packet(frame, header)
        return packets.parse(frame, header) or drops.MALFORMED

    def _is_anothers(self, source: int, pod: Port) -> bool:
        """Whether a pod sends from an address of somebody else: another pod's, a node's.

        Linux does so by reverse path filtering (RFC 3704), and not within a bridge; here policies
        go by addresses, so nobody may borrow one. What nobody has may be behind a pod.
        """
        if source in pod.addresses:
            return False
        if self._bridge.owner(source) is not None:
            return True
        route = self.forwarding.routes.find(source)
        return route is not None and (route.peer is not None or route.device in (LOOPBACK, TUNNEL))

    def is_relayed(self, packet: Packet, device: str) -> bool:
        """Whether a packet is between other nodes, which only pass it on here."""
        if not self.relays or device != TUNNEL:
            return False
        route = self.forwarding.routes.find(packet.destination)
        return route is not None and route.device == TUNNEL

    # ---- out ---------------------------------------------------------------------------------

    def _leave(
        self,
        now: float,
        packet: Packet,
        device: str,
        outcome: Delivered | Sent | Switched,
        known: dict[bytes, flows.Flow] | None,
    ) -> None:
        """Send a packet by its exit, and remember how."""
        hops = lost_hops(device, outcome)
        found = self._exits.find(now, packet.destination, outcome, packet.frame.data)
        if isinstance(found, Nowhere):
            self._drops.count(found.reason)
        elif isinstance(found, Exit):
            frame = egress.rewritten(packet, found.link, hops=hops)
            found.send(egress.fitted(frame, found.mtu))
            tracked = self.forwarding.nat is not None and known is not None
            if known is not None and found.lasting and flows.learnable(packet, tracked=tracked):
                self.flowing += 1
                known[flows.key(packet.frame.data)] = flows.Flow(
                    packet, found.link, found.queue, hops=hops, mtu=found.mtu, tunnel=found.tunnel
                )
        else:
            self._wait(now, packet, device, hops)

    def _wait(self, now: float, packet: Packet, device: str, hops: int) -> None:
        """Keep a packet until ARP tells who has its destination."""
        bridge = self._bridge
        frame = egress.rewritten(packet, bytes(6) + bridge.link, hops=hops)
        frames = egress.fitted(frame, self._devices[BRIDGE].mtu)
        waiting = Waiting(frames, packet.destination, packet, device)
        size = len(packet.frame.data) + sum(len(one.data) for one in frames)
        ask, lost = bridge.neighbours.ask(now, packet.destination, waiting, size)
        if lost:
            self._drops.count(drops.NEIGHBOUR_QUEUE, lost)
        if ask:
            bridge.ask(packet.destination)

    def resolved(self, now: float, waited: Iterable[Waiting]) -> None:
        """Send what waited for a neighbour that is known now."""
        for one in waited:
            found = self._exits.link(now, one.address)
            if isinstance(found, Exit):
                found.send([egress.with_link(frame, found.link) for frame in one.frames])

    def tick(self, now: float) -> None:
        """Give up fragments that wait for others; have address translation forget.

        Nobody is told of fragments: only a packet's receiver says that (RFC 1122, 3.3.2).
        """
        failed = self.reassembly.failed
        self.reassembly.tick(now)
        if self.reassembly.failed != failed:
            self._drops.count(drops.REASSEMBLY, self.reassembly.failed - failed)
        if self.forwarding.nat is not None:
            self.forwarding.nat.tick(now)

    # ---- not out -----------------------------------------------------------------------------

    def unreachable(self, now: float, waited: Iterable[Waiting]) -> None:
        """Nobody has the address that packets waited for."""
        for one in waited:
            fault = Dropped(drops.NO_NEIGHBOUR, _HOST_UNREACHABLE)
            self._drop(now, one.packet, one.device, fault)

    def _drop(self, now: float, packet: Packet, device: str, outcome: Dropped) -> None:
        self._drops.count(outcome.reason)
        if outcome.answer is not None:
            self.answer(now, packet.frame, packet.header, device, outcome.answer)

    def answer(
        self, now: float, frame: Frame, header: ipv4.Header, device: str, answer: Answer
    ) -> None:
        """Tell the sender of a packet, as it came, what became of it."""
        routes = self.forwarding.routes
        to, back = routes.find(header.destination), routes.find(header.source)
        local = to is not None and to.device == LOOPBACK
        told = self.answers.about(now, frame, header, answer, device, local=local)
        if told is None or back is None:
            return
        outcome = Delivered() if back.device == LOOPBACK else Sent(back)
        found = self._exits.find(now, header.source, outcome)
        if isinstance(found, Exit):
            found.send([Frame(found.link + told)])


def lost_hops(device: str, outcome: Delivered | Sent | Switched) -> int:
    """What a packet loses of its time to live on its way through the node."""
    return 1 if isinstance(outcome, Sent) and device != LOOPBACK else 0


def _is_martian(header: ipv4.Header) -> bool:
    """Whether a source or destination may not be on any wire (RFC 1812, 5.3.7)."""
    source, destination = header.source, header.destination
    if not source or not destination or source >> 28 >= 0xE:
        return True
    return addresses.is_loopback(source) or addresses.is_loopback(destination)
