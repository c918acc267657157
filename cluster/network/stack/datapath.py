"""A node's forwarding: frames of ports and other nodes in, actions out.

    pods' stacks (Host)     the node's own stack
      │ port a name           │ port `host`
    ┌─▼───────────────────────▼──────────────────────────┐
    │ bridge cni0 → prerouting → router → forward filter │
    │ → postrouting → VTEP flannel.1, eth0               │
    └─┬────────────┬──────────────────┬──────────────────┘
      ▼ ToPeer     ▼ ToCable          ▼ port `outside`

Pure: the time is an argument (seconds that only grow), and whoever calls carries out the actions
that come back, in their order. First packets of a flow take the slow path (`decide`), the others
the flow cache (`flows`), which any change of a table empties.

ARP needs no care at `host` and `outside`: every address is answered for there, so their stacks may
have any default route. Frames to them come from the MAC of cni0, or of eth0.
"""

import random as randomness
from collections.abc import Iterable, Iterator, Sequence

from cluster.network.stack import backends, drops, flows, neigh
from cluster.network.stack.actions import Action, Address, Payload
from cluster.network.stack.answers import Answers
from cluster.network.stack.bridge import Bridge
from cluster.network.stack.drops import Drops
from cluster.network.stack.egress import Exit, fitted, rewritten
from cluster.network.stack.forwarding import (
    Answer,
    Delivered,
    Dropped,
    Forwarding,
    Nat,
    Outcome,
    Sent,
    Switched,
)
from cluster.network.stack.nat import packet as packets
from cluster.network.stack.nat.packet import Packet
from cluster.network.stack.outbox import Outbox
from cluster.network.stack.peers import Peer, Peers
from cluster.network.stack.ports import HOST, OUTSIDE, Port
from cluster.network.stack.router import BRIDGE, LOOPBACK, TUNNEL, WIRE, Route
from cluster.network.stack.settings import Settings
from cluster.network.stack.vtep import Tunnel, Vtep
from cluster.network.stack.waiting import Waiting
from cluster.network.wire import addresses, arp, ethernet, icmp, ipv4, mac
from cluster.network.wire.addresses import Prefix
from cluster.network.wire.frame import Frame

_IPV4 = ethernet.IPV4.to_bytes(2, "big")
_ARP = ethernet.ARP.to_bytes(2, "big")
_IPV6 = ethernet.IPV6.to_bytes(2, "big")
_HOST_UNREACHABLE = Answer(icmp.UNREACHABLE, icmp.HOST_UNREACHABLE)


class Datapath:
    """The data plane of one node."""

    def __init__(self, settings: Settings, random: randomness.Random) -> None:
        self.settings = settings
        vtep_mac = mac.made_up(random)
        self.devices = settings.devices(vtep_mac)
        self.vtep = Vtep(vtep_mac, settings.vni, turbo=settings.turbo)
        self.drops = Drops()
        self.peers = Peers()
        self._outbox = Outbox()
        self._forwarding = Forwarding(self.devices)
        bridge = self.devices[BRIDGE]
        self._bridge = Bridge(bridge.mac, bridge.address, self._outbox, self.drops)
        self._answers = Answers(self.devices)
        self._tunnels: dict[str, Tunnel] = {}
        self._from_tunnel: dict[bytes, flows.Flow] = {}
        self._from_cable: dict[bytes, flows.Flow] = {}
        self._flowing = 0
        self._program()

    @property
    def nat(self) -> Nat | None:
        """Address translation and the packet filter; set once, before packets come."""
        return self._forwarding.nat

    @nat.setter
    def nat(self, nat: Nat | None) -> None:
        self._forwarding.nat = nat
        self.forget_flows()

    # ---- ports and peers ---------------------------------------------------------------------

    def add_port(
        self, now: float, name: str, mac: bytes, addresses: Iterable[int], *, asleep: bool = False
    ) -> list[Action]:
        """Plug something in: a pod, `host` or `outside`. Replaces a port of the same name.

        A port that is asleep gets no ARP and no broadcasts: the bridge answers in its stead. Who
        serves it makes its stack when the first frame for it comes, and calls `awaken`.
        """
        self.remove_port(name)
        waited = self._bridge.add(now, name, mac, tuple(addresses), asleep=asleep)
        if name == HOST:
            self._program()
        self._resolved(now, waited)
        return self._outbox.take()

    def remove_port(self, name: str) -> None:
        """Unplug it. Frames to it that were not taken yet are still in later actions."""
        if self._bridge.remove(name) is not None:
            self.forget_flows()
            if name == HOST:
                self._program()

    def awaken(self, name: str) -> None:
        """There is a stack at a port now."""
        self._bridge.awaken(name)

    def set_peers(self, now: float, peers: Iterable[Peer]) -> list[Action]:
        """These are all other nodes. ValueError where two share a name."""
        self.peers.replace(peers)
        self._outbox.forget()
        self._tunnels = {
            peer.name: Tunnel(peer, turbo=self.settings.turbo)
            for peer in self.peers.by_name.values()
            if peer.vtep_mac
        }
        self._program()
        return self._outbox.take()

    def _program(self) -> None:
        """Make the routes anew."""
        own = [self.devices[name].address for name in (BRIDGE, TUNNEL, WIRE)]
        host = self._bridge.ports.get(HOST)
        if host is not None:
            own += host.addresses
        self._forwarding.routes.replace(
            [
                Route(Prefix(0, 0), WIRE),
                Route(self.settings.network, BRIDGE),
                *backends.routes(self.settings.backend, self.peers),
                *(Route(Prefix(address, 32), LOOPBACK) for address in own),
            ]
        )
        self.forget_flows()

    def forget_flows(self) -> None:
        """Have every flow decided on anew: some table changed."""
        if not self._flowing:
            return
        self._flowing = 0
        self._from_tunnel.clear()
        self._from_cable.clear()
        for port in self._bridge.ports.values():
            port.flows.clear()

    # ---- frames ------------------------------------------------------------------------------

    def receive(self, now: float, port: str, frame: Frame) -> list[Action]:
        """A frame from a port."""
        return self.receive_all(now, port, (frame,))

    def receive_all(self, now: float, port: str, frames: Sequence[Frame]) -> list[Action]:
        """Frames from a port, in their order: the way for many."""
        source = self._bridge.ports.get(port)
        if source is None:
            self.drops.count(drops.NO_PORT, len(frames))
            return []
        source.received += len(frames)
        known = source.flows
        for frame in frames:
            data = frame.data
            flow = known.get(data[22:24] + data[26:38])
            if flow is None or not flow.carry(now, frame):
                self._from_port(now, source, frame)
        return self._outbox.take()

    def from_peer(self, now: float, address: Address, payloads: Sequence[Payload]) -> list[Action]:
        """Datagrams at the VXLAN socket, all from one address of the underlay."""
        peer = self.peers.sender(address)
        if peer is None:
            self.drops.count(drops.UNKNOWN_PEER, len(payloads))
            return []
        known = self._from_tunnel
        for payload in payloads:
            frames = self.vtep.frames(peer, payload)
            if not frames:
                self.drops.count(drops.VXLAN_HEADER)
            for frame in frames:
                data = frame.data
                flow = known.get(data[22:24] + data[26:38])
                if flow is None or not flow.carry(now, frame):
                    self._from_link(now, TUNNEL, frame, known)
        return self._outbox.take()

    def from_cable(self, now: float, address: Address, frames: Sequence[bytes]) -> list[Action]:
        """Datagrams at the cable socket, all from one address of the underlay."""
        if self.peers.cable_sender(address) is None:
            self.drops.count(drops.UNKNOWN_PEER, len(frames))
            return []
        known = self._from_cable
        for data in frames:
            frame = Frame(data)
            flow = known.get(data[22:24] + data[26:38])
            if flow is None or not flow.carry(now, frame):
                self._from_link(now, WIRE, frame, known)
        return self._outbox.take()

    # ---- the slow path -----------------------------------------------------------------------

    def _from_port(self, now: float, port: Port, frame: Frame) -> None:
        data = frame.data
        kind = data[12:14]
        if len(data) < ethernet.HEADER:
            self.drops.count(drops.MALFORMED)
        elif kind == _IPV6:
            self.drops.count(drops.IPV6)
        elif not port.is_pod:
            self._from_own(now, port, frame)
        else:
            if data[6:12] != port.mac:
                self._bridge.fdb.learn(now, data[6:12], port.name)
            if kind == _ARP:
                self._resolved(now, self._bridge.hear(now, port, data))
            elif data[0] & 1:
                self._bridge.flood(port, frame)
            elif data[:6] == self._bridge.mac:
                self._routed(now, BRIDGE, frame, port.flows)
            elif kind != _IPV4:
                self._bridge.switch(now, port, frame)
            else:
                to = self._bridge.behind(now, port, data[:6])
                if to is None:
                    self.drops.count(drops.UNKNOWN_MAC)
                else:
                    self._routed(now, BRIDGE, frame, port.flows, switched=to.name)

    def _from_own(self, now: float, port: Port, frame: Frame) -> None:
        """A frame of the node's own stack, or of the outside's."""
        device = LOOPBACK if port.name == HOST else WIRE
        if frame.data[12:14] == _ARP:
            self._answer_for_all(port, frame.data)
        elif frame.data[0] & 1:
            self.drops.count(drops.MULTICAST)
        else:
            self._routed(now, device, frame, port.flows)

    def _answer_for_all(self, port: Port, data: bytes) -> None:
        """At `host` and `outside` every address is behind the node, but the port's own."""
        question = arp.parse(data)
        if question is None:
            self.drops.count(drops.MALFORMED)
        elif question.operation == arp.REQUEST and question.target not in (
            question.sender,
            *port.addresses,
        ):
            device = self.devices[BRIDGE if port.name == HOST else WIRE]
            port.queue.push(Frame(arp.reply(question, device.mac)))

    def _from_link(
        self, now: float, device: str, frame: Frame, known: dict[bytes, flows.Flow]
    ) -> None:
        """A frame from another node, by its VTEP or by the wire."""
        data = frame.data
        kind = data[12:14]
        if len(data) < ethernet.HEADER:
            self.drops.count(drops.MALFORMED)
        elif data[:6] != self.devices[device].mac:
            self.drops.count(drops.MULTICAST if data[0] & 1 else drops.NOT_FOR_US)
        elif kind != _IPV4:
            self.drops.count(drops.IPV6 if kind == _IPV6 else drops.PROTOCOL)
        else:
            self._routed(now, device, frame, known)

    def _routed(
        self,
        now: float,
        device: str,
        frame: Frame,
        known: dict[bytes, flows.Flow],
        *,
        switched: str = "",
    ) -> None:
        """An IPv4 packet that came in by a device."""
        packet = self._packet(frame)
        if packet is None:
            return
        outcome = self._forwarding.decide(now, packet, device, switched=switched)
        if isinstance(outcome, Dropped):
            self._dropped(now, packet, device, outcome)
            return
        self._leave(now, packet, device, outcome, known)

    def _packet(self, frame: Frame) -> Packet | None:
        """What a frame holds; None, and counted, where that may not be."""
        header = ipv4.parse(frame.data)
        if header is None or not flows.frame_is_sound(frame, header.payload):
            self.drops.count(drops.MALFORMED)
            return None
        if _is_martian(header):
            self.drops.count(drops.MARTIAN)
            return None
        if addresses.is_multicast(header.destination) or header.destination in (
            addresses.BROADCAST,
            self.settings.network.last,
        ):
            self.drops.count(drops.MULTICAST)
            return None
        packet = packets.parse(frame, header)
        if packet is None:
            self.drops.count(drops.MALFORMED)
        return packet

    def _leave(
        self,
        now: float,
        packet: Packet,
        device: str,
        outcome: Delivered | Sent | Switched,
        known: dict[bytes, flows.Flow],
    ) -> None:
        """Send a packet by its exit, and remember how."""
        hops = 0 if device == LOOPBACK or not isinstance(outcome, Sent) else 1
        exit_ = self._exit(now, packet.destination, outcome, packet.frame.data)
        if exit_ is None:
            self._wait(now, packet, device, outcome, hops)
        elif isinstance(exit_, str):
            self.drops.count(exit_)
        else:
            frame = rewritten(packet, exit_.link, hops=hops)
            exit_.send(fitted(frame, exit_.mtu))
            if exit_.lasting and flows.learnable(packet, tracked=self.nat is not None):
                self._learn(packet, exit_, hops, known)

    def _learn(
        self, packet: Packet, exit_: Exit, hops: int, known: dict[bytes, flows.Flow]
    ) -> None:
        if self._flowing >= flows.LARGEST:
            self.forget_flows()
        self._flowing += 1
        known[flows.key(packet.frame.data)] = flows.Flow(
            packet, exit_.link, exit_.queue, hops=hops, mtu=exit_.mtu, tunnel=exit_.tunnel
        )

    def _exit(
        self, now: float, destination: int, outcome: Delivered | Sent | Switched, data: bytes = b""
    ) -> Exit | str | None:
        """Where a packet leaves; the reason where nowhere; None: ARP must tell first."""
        if isinstance(outcome, Switched):
            port = self._bridge.ports[outcome.port]
            known = data[:6] == port.mac
            return Exit(
                data[:14], port.queue, self.settings.pod_mtu, where=port.name, lasting=known
            )
        if isinstance(outcome, Delivered):
            return self._exit_to(HOST, self.devices[BRIDGE].mac, self.devices[LOOPBACK].mtu)
        route = outcome.route
        device = self.devices[route.device]
        peer = route.peer
        if route.device == BRIDGE:
            found = self._bridge.neighbours.mac(now, destination)
            if found is None:
                return None
            name = self._bridge.fdb.port(now, found)
            port_or_none = self._bridge.ports.get(name) if name is not None else None
            if port_or_none is None:
                return drops.UNKNOWN_MAC
            link = found + self._bridge.link
            known = found == port_or_none.mac
            return Exit(
                link, port_or_none.queue, device.mtu, where=port_or_none.name, lasting=known
            )
        if peer is None:
            return self._exit_to(OUTSIDE, device.mac, device.mtu)
        if route.device == WIRE:
            link = peer.eth0 + device.mac + _IPV4
            return Exit(link, self._outbox.cable(peer.cable), device.mtu, where=peer.name)
        tunnel = self._tunnels.get(peer.name)
        if tunnel is None:
            return drops.NO_VTEP
        link = peer.vtep_mac + device.mac + _IPV4
        return Exit(link, self._outbox.peer(peer.address), device.mtu, tunnel, peer.name)

    def _exit_to(self, name: str, source: bytes, mtu: int) -> Exit | str:
        port = self._bridge.ports.get(name)
        if port is None:
            return drops.NO_PORT
        return Exit(port.mac + source + _IPV4, port.queue, mtu, where=name)

    # ---- what does not go on -----------------------------------------------------------------

    def _dropped(self, now: float, packet: Packet, device: str, outcome: Dropped) -> None:
        self.drops.count(outcome.reason)
        if outcome.answer is not None:
            self._answer(now, packet, device, outcome.answer)

    def _answer(self, now: float, packet: Packet, device: str, answer: Answer) -> None:
        """Tell the sender of a packet, as it came, what became of it."""
        header = packet.header
        route = self._forwarding.routes.find(header.destination)
        local = route is not None and route.device == LOOPBACK
        told = self._answers.about(now, packet.frame, header, answer, device, local=local)
        back = self._forwarding.routes.find(header.source)
        if told is None or back is None:
            return
        outcome = Delivered() if back.device == LOOPBACK else Sent(back)
        exit_ = self._exit(now, header.source, outcome)
        if isinstance(exit_, Exit):
            exit_.send([Frame(exit_.link + told)])

    def _wait(self, now: float, packet: Packet, device: str, outcome: Outcome, hops: int) -> None:
        """Keep a packet until ARP tells who has its destination."""
        if not isinstance(outcome, Sent):
            return
        frame = rewritten(packet, bytes(6) + self._bridge.link, hops=hops)
        waiting = Waiting(fitted(frame, self.settings.pod_mtu), packet, device)
        ask, lost = self._bridge.neighbours.ask(now, packet.destination, waiting)
        if lost:
            self.drops.count(drops.NEIGHBOUR_QUEUE, lost)
        if ask:
            self._bridge.ask(packet.destination)

    def _resolved(self, now: float, waited: Iterable[Waiting]) -> None:
        """Send what waited for a neighbour that is known now."""
        for one in waited:
            address = int.from_bytes(one.frames[0].data[30:34], "big")
            route = Route(self.settings.network, BRIDGE)
            exit_ = self._exit(now, address, Sent(route))
            if isinstance(exit_, Exit):
                exit_.send([_with_link(frame, exit_.link) for frame in one.frames])

    # ---- time --------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When `tick` is to be called next; None: not before something else happens."""
        return self._bridge.neighbours.deadline

    def tick(self, now: float) -> list[Action]:
        """The time is what it is: ask again, give up, forget."""
        again, failed = self._bridge.neighbours.tick(now)
        for address in again:
            self._bridge.ask(address)
        for failure in failed:
            for one in failure.waiting:
                self._dropped(
                    now, one.packet, one.device, Dropped(drops.NO_NEIGHBOUR, _HOST_UNREACHABLE)
                )
        return self._outbox.take()

    # ---- what is shown -----------------------------------------------------------------------

    def routes(self) -> Iterator[Route]:
        """The routing table."""
        return self._forwarding.routes.rows()

    def neighbours(self, now: float) -> Iterator[neigh.Entry]:
        """Neighbours on cni0."""
        return self._bridge.neighbours.rows(now)


def _is_martian(header: ipv4.Header) -> bool:
    """Whether a source or destination may not be on any wire (RFC 1812, 5.3.7)."""
    source, destination = header.source, header.destination
    if not source or not destination or source >> 28 >= 0xE:
        return True
    return addresses.is_loopback(source) or addresses.is_loopback(destination)


def _with_link(frame: Frame, link: bytes) -> Frame:
    return Frame(
        link + frame.data[ethernet.HEADER :],
        frame.gso_size,
        frame.csum_start,
        frame.csum_offset,
        frame.trusted,
    )
