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
from typing import Final, NamedTuple

from cluster.network.stack import backends, drops, egress, fdb, flows, neigh
from cluster.network.stack.actions import Action, Address, Payload
from cluster.network.stack.bridge import Bridge
from cluster.network.stack.capture import Captures
from cluster.network.stack.drops import Drops
from cluster.network.stack.exits import Exits
from cluster.network.stack.forwarding import Nat
from cluster.network.stack.ingress import Ingress
from cluster.network.stack.mesh import messages
from cluster.network.stack.mesh.machine import Mesh
from cluster.network.stack.outbox import Outbox
from cluster.network.stack.peers import Peer, Peers
from cluster.network.stack.ports import HOST, Port
from cluster.network.stack.router import BRIDGE, LOOPBACK, TUNNEL, WIRE, Route
from cluster.network.stack.settings import Settings
from cluster.network.stack.slowpath import SlowPath
from cluster.network.stack.trace import Trace, Tracer
from cluster.network.stack.vtep import Tunnel, Vtep
from cluster.network.wire import ethernet, mac, offload, vxlan
from cluster.network.wire.addresses import Prefix
from cluster.network.wire.frame import Frame
from cluster.network.wire.trains import Train

_LIFE: Final = slice(22, 24)
_ENDS: Final = slice(26, 38)
"""Of a frame: what makes its flow's key (`flows.key`). Slices that are made once cost less."""
_GOSSIP: Final = messages.TYPE.to_bytes(2, "big")


class Traffic(NamedTuple):
    """Counters of a port or of another node: frames, or datagrams; a train counts as one."""

    kind: str
    """`port` or `node`."""
    name: str
    received: int
    sent: int


class Datapath:
    """The data plane of one node."""

    def __init__(self, settings: Settings, random: randomness.Random) -> None:
        self.settings = settings
        vtep_mac = mac.made_up(random)
        self.devices = settings.devices(vtep_mac)
        self.vtep = Vtep(vtep_mac, settings.vni, turbo=settings.turbo)
        self.drops = Drops()
        """Frames that were dropped, by reason."""
        self.peers = Peers()
        self._outbox = Outbox()
        bridge = self.devices[BRIDGE]
        self._bridge = Bridge(bridge.mac, bridge.address, self._outbox, self.drops)
        self._exits = Exits(self.devices, self._bridge, self._outbox)
        self._slow = SlowPath(settings.network, self.devices, self._bridge, self._exits, self.drops)
        self._from_tunnel: dict[bytes, flows.Flow] = {}
        self._from_cable: dict[bytes, flows.Flow] = {}
        self._vxlan = vxlan.header(settings.vni)
        self.mesh = Mesh(self.me, random) if settings.backend == backends.MESH else None
        """The gossip of the back end `mesh`; None with another."""
        self._slow.relays = self.mesh is not None
        self.nat = None
        self.captures = Captures(self.me, self.peers, self.vtep)
        self._ingress = Ingress(self.devices, self._bridge, self._slow, self.drops)
        self._tracer = Tracer(self._slow, self._exits, self._bridge)
        self._program()

    @property
    def me(self) -> Peer:
        """This node as the others are to know it."""
        return self.settings.as_peer(self.vtep.mac)

    @property
    def nat(self) -> Nat | None:
        """Address translation and the packet filter."""
        return self._slow.forwarding.nat

    @nat.setter
    def nat(self, nat: Nat | None) -> None:
        self._slow.forwarding.nat = nat
        timers = (self._slow.reassembly, nat, self.mesh)
        self._timers = [one for one in timers if one is not None]
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
        self._slow.resolved(now, waited)
        return self._taken(now)

    def remove_port(self, name: str) -> None:
        """Unplug it; one that is not there is passed over."""
        if self._bridge.remove(name) is not None:
            self.forget_flows()
            if name == HOST:
                self._program()

    def awaken(self, name: str) -> None:
        """There is a stack at a port now."""
        self._bridge.awaken(name)

    def set_peers(self, now: float, peers: Iterable[Peer]) -> list[Action]:
        """These are all other nodes; of a mesh, those that are known. ValueError where two share
        a name.
        """
        if self.mesh is None:
            self._connect(peers)
        else:
            self.mesh.set_peers(now, peers)
            self._gossip()
        return self._taken(now)

    def _connect(self, peers: Iterable[Peer]) -> None:
        self.peers.replace(peers)
        addresses = [peer.address for peer in self.peers]
        self._outbox.keep(addresses, [peer.cable for peer in self.peers])
        self._exits.tunnels = {
            peer.name: Tunnel(peer, turbo=self.settings.turbo)
            for peer in self.peers
            if peer.vtep_mac
        }
        self._program()

    def _program(self) -> None:
        """Make the routes anew."""
        own = [self.devices[name].address for name in (BRIDGE, TUNNEL, WIRE)]
        host = self._bridge.ports.get(HOST)
        if host is not None:
            own += host.addresses
        self._slow.forwarding.routes.replace(
            [
                Route(Prefix(0, 0), WIRE),
                Route(self.settings.network, BRIDGE),
                *backends.routes(self.settings.backend, self.peers),
                *(self.mesh.routes() if self.mesh is not None else ()),
                *(Route(Prefix(address, 32), LOOPBACK) for address in own),
            ]
        )
        self.forget_flows()

    def forget_flows(self) -> None:
        """Have every flow decided on anew: some table changed."""
        if not self._slow.flowing:
            return
        self._slow.flowing = 0
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
        if self.captures.active:
            self.captures.at_port(now, port, frames, inbound=True)
        known = source.flows
        for frame in frames:
            data = frame.data
            flow = known.get(data[_LIFE] + data[_ENDS])
            if flow is None or not flow.carry(now, frame):
                self._ingress.from_port(now, source, frame)
        return self._taken(now)

    def from_peer(self, now: float, address: Address, payloads: Sequence[Payload]) -> list[Action]:
        """Datagrams at the VXLAN socket, all from one address of the underlay."""
        peer = self.peers.sender(address)
        if peer is None:
            self.drops.count(drops.UNKNOWN_PEER, len(payloads))
            return []
        self.peers.received[peer.name] += len(payloads)
        if self.captures.active:
            self.captures.from_peer(now, peer, payloads)
        if address[1] != peer.port:
            self._from_kernel(now, payloads)
            return self._taken(now)
        datagrams: list[bytes] = []
        for payload in payloads:
            if isinstance(payload, bytes):
                datagrams.append(payload)
                continue
            if datagrams:
                self._datagrams(now, peer, datagrams)
                datagrams = []
            self._train(now, peer, payload)
        self._datagrams(now, peer, datagrams)
        return self._taken(now)

    def _from_kernel(self, now: float, payloads: Sequence[Payload]) -> None:
        """Datagrams of a kernel's VTEP: it sends from any port, and may leave work to a card."""
        for payload in payloads:
            train = payload if isinstance(payload, Train) else Train(payload, len(payload))
            frame = egress.joined(train, self._vxlan)
            if frame is not None:
                self._tunnelled(now, frame)
                continue
            for datagram in train.pieces:
                if vxlan.parse(datagram) != self.vtep.vni:
                    self.drops.count(drops.VXLAN_HEADER)
                else:
                    frame = offload.unfinished(datagram[vxlan.HEADER :], self.settings.pod_mtu)
                    self._tunnelled(now, frame)

    def _datagrams(self, now: float, peer: Peer, datagrams: Iterable[bytes]) -> None:
        """Datagrams of a node, one by one."""
        known, plain = self._from_tunnel, self._vxlan
        for datagram in datagrams:
            if datagram[:8] != plain:
                self._unusual(now, peer, datagram)
                continue
            data = datagram[8:]
            flow = known.get(data[_LIFE] + data[_ENDS])
            if flow is None or not flow.carry_data(now, data):
                self._ingress.from_link(now, TUNNEL, Frame(data), known)

    def _train(self, now: float, peer: Peer, train: Train) -> None:
        """Datagrams of a node that came at once: mostly one long segment."""
        if len(train.data) <= train.size:
            self._datagrams(now, peer, (train.data,))
            return
        plain = self._vxlan
        frame = egress.joined(train, plain)
        if frame is not None:
            self._tunnelled(now, frame)
            return
        whole, size = train
        known = self._from_tunnel
        for at in range(0, len(whole), size):
            if not whole.startswith(plain, at):
                self._unusual(now, peer, whole[at : at + size])
                continue
            data = whole[at + vxlan.HEADER : at + size]
            flow = known.get(data[_LIFE] + data[_ENDS])
            if flow is None or not flow.carry_data(now, data):
                self._ingress.from_link(now, TUNNEL, Frame(data), known)

    def _unusual(self, now: float, peer: Peer, datagram: bytes) -> None:
        """A frame larger than the MTU, or what is not of this network."""
        frames = self.vtep.frames(peer, datagram)
        if not frames:
            self.drops.count(drops.VXLAN_HEADER)
        for frame in frames:
            self._tunnelled(now, frame)

    def _tunnelled(self, now: float, frame: Frame) -> None:
        known = self._from_tunnel
        flow = known.get(flows.key(frame.data))
        if flow is None or not flow.carry(now, frame):
            self._ingress.from_link(now, TUNNEL, frame, known)

    def from_cable(self, now: float, address: Address, frames: Sequence[Payload]) -> list[Action]:
        """Datagrams at the cable socket, all from one address of the underlay."""
        peer = self.peers.cable_sender(address)
        if peer is None:
            self.drops.count(drops.UNKNOWN_PEER, len(frames))
            return []
        self.peers.received[peer.name] += len(frames)
        if self.captures.active:
            self.captures.from_cable(now, frames)
        known = self._from_cable
        for payload in frames:
            if isinstance(payload, bytes):
                self._wired(now, peer, payload)
                continue
            frame = egress.joined(payload)
            if frame is None:
                for data in payload.pieces:
                    self._wired(now, peer, data)
                continue
            flow = known.get(flows.key(frame.data))
            if flow is None or not flow.carry(now, frame):
                self._ingress.from_link(now, WIRE, frame, known)
        return self._taken(now)

    def _wired(self, now: float, peer: Peer, data: bytes) -> None:
        """A frame of another node's eth0."""
        known = self._from_cable
        flow = known.get(data[22:24] + data[26:38])
        if flow is not None and flow.carry_data(now, data):
            return
        if data[12:14] == _GOSSIP and self.mesh is not None:
            self._hear(now, peer, data)
        else:
            self._ingress.from_link(now, WIRE, Frame(data), known)

    # ---- gossip ------------------------------------------------------------------------------

    def _hear(self, now: float, peer: Peer, data: bytes) -> None:
        if self.mesh is None:
            return
        if not self.mesh.receive(now, peer, data[ethernet.HEADER :]):
            self.drops.count(drops.MALFORMED)
        self._gossip()

    def _gossip(self) -> None:
        """Send what the mesh says; go the ways that it knows now."""
        mesh = self.mesh
        if mesh is None:
            return
        eth0 = self.devices[WIRE].mac
        if mesh.changed:
            mesh.changed = False
            self._connect(mesh.peers.values())
        for peer, data in mesh.take():
            frame = ethernet.build(peer.eth0, eth0, messages.TYPE, data)
            self._outbox.cable(peer.cable).push(frame)

    def _taken(self, now: float) -> list[Action]:
        if self._slow.flowing > flows.LARGEST:
            self.forget_flows()
        actions = self._outbox.take()
        if self.captures.active:
            self.captures.sent(now, actions)
        return actions

    # ---- time --------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """When `tick` is to be called next; None: not before something else happens."""
        due = self._bridge.neighbours.deadline
        for timer in self._timers:
            other = timer.deadline
            if other is not None and (due is None or other < due):
                due = other
        return due

    def tick(self, now: float) -> list[Action]:
        """The time is what it is: ask again, give up, forget."""
        again, failed = self._bridge.neighbours.tick(now)
        for address in again:
            self._bridge.ask(address)
        for failure in failed:
            self._slow.unreachable(now, failure.waiting)
        self._slow.tick(now)
        if self.mesh is not None:
            self.mesh.tick(now)
            self._gossip()
        return self._taken(now)

    def trace(self, now: float, source: str, frame: Frame) -> Trace:
        """What would become of an IPv4 packet from a port, or from another node (`flannel.1`,
        `eth0`). Nothing is changed. ValueError where there is no such port.
        """
        return self._tracer.walk(now, source, frame)

    # ---- what is shown -----------------------------------------------------------------------

    def port(self, name: str) -> Port | None:
        """A port; None where there is none of the name."""
        return self._bridge.ports.get(name)

    def ports(self) -> Iterator[Port]:
        """All that is plugged in."""
        return iter(self._bridge.ports.values())

    def routes(self) -> Iterator[Route]:
        """The routing table."""
        return self._slow.forwarding.routes.rows()

    def neighbours(self, now: float) -> Iterator[neigh.Entry]:
        """Neighbours on cni0."""
        return self._bridge.neighbours.rows(now)

    def fdb(self, now: float) -> Iterator[fdb.Entry]:
        """The forwarding database of cni0."""
        return self._bridge.fdb.rows(now)

    def traffic(self) -> Iterator[Traffic]:
        """What went through each port and came from and went to each node."""
        for port in self._bridge.ports.values():
            yield Traffic("port", port.name, port.received, port.sent)
        for peer in self.peers:
            sent = self._outbox.peer(peer.address).sent + self._outbox.cable(peer.cable).sent
            yield Traffic("node", peer.name, self.peers.received[peer.name], sent)

    @property
    def flows(self) -> int:
        """Flows that were learned since a table changed last."""
        return self._slow.flowing

    @property
    def suppressed(self) -> int:
        """ICMP errors that were not sent because there were too many."""
        return self._slow.answers.allowance.refused
