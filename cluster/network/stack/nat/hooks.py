"""The hooks of a node's forwarding, in the order of Linux's netfilter.

    from a port or the wire:  prerouting ─ route ┬─ input                     (to the node itself)
                                                 └─ forward ─ postrouting     (to others)
    from the node's stack:    output ──── route ─── postrouting (or input, to itself)

Each hook answers None where the packet goes on, else a verdict. `prerouting` and `output` give the
packet its destination, `postrouting` and `input` its source, and with it `packet.change`, which is
to be applied to a copy of the frame. What comes out by a cache of flows instead only sets `seen` of
the connection, as long as it is `settled` and `alive`.
"""

import random as randomness
from collections.abc import Iterable
from dataclasses import dataclass

from cluster.network.stack.nat import related, verdicts
from cluster.network.stack.nat.conntrack import LARGEST, Conntrack, Step, Way
from cluster.network.stack.nat.filter import Filter
from cluster.network.stack.nat.masquerade import Masquerade
from cluster.network.stack.nat.packet import Packet
from cluster.network.stack.nat.related import Related
from cluster.network.stack.nat.rewrite import between
from cluster.network.stack.nat.services import Entry
from cluster.network.stack.nat.servicetable import ServiceTable, Surroundings
from cluster.network.stack.nat.verdicts import Drop, Verdict
from cluster.network.wire import ipv4
from cluster.network.wire.addresses import Prefix

_TABLE = "conntrack"


@dataclass(frozen=True)
class Settings:
    """What NAT knows of its node."""

    cluster_network: Prefix
    """Pods of all nodes: what goes there is not masqueraded."""
    network: Prefix
    """Pods of this node."""
    local: tuple[int, ...] = ()
    """The node's own addresses: its stack's, on cni0, flannel.1 and eth0."""
    node_port_addresses: tuple[int, ...] = ()
    """Where node ports are (the InternalIP, in kube-proxy's nftables mode)."""
    service_networks: tuple[Prefix, ...] = ()
    """Addresses of services: one that belongs to none is dropped."""
    masquerade_all: bool = False
    """Masquerade everything that goes to a cluster address (--masquerade-all)."""
    connections: int = LARGEST
    """Connections that are tracked at most."""


class Nat:
    """NAT and filter of one node."""

    def __init__(self, settings: Settings, random: randomness.Random) -> None:
        around = Surroundings(
            settings.cluster_network,
            services=settings.service_networks,
            local=settings.local,
            node_ports=settings.node_port_addresses,
            masquerade_all=settings.masquerade_all,
        )
        self.conntrack = Conntrack(settings.connections)
        self.services = ServiceTable(around, random)
        self.filter = Filter()
        self._masquerade = Masquerade(around, settings.network, random)

    def prerouting(self, now: float, packet: Packet) -> Verdict | None:
        """A packet came in by a port or a wire, and is about to be routed."""
        return self._arrives(now, packet)

    def output(self, now: float, packet: Packet) -> Verdict | None:
        """The node's own stack sends a packet, which is about to be routed."""
        return self._arrives(now, packet)

    def forward(self, now: float, packet: Packet) -> Verdict | None:
        """A packet that came in is about to be sent on: the filter."""
        if packet.way is not None:
            packet.tell("filter", "of a connection that is known", "allow")
            return None
        if packet.invalid:
            rule = "of no connection, and begins none"
            packet.tell("filter", rule, verdicts.INVALID)
            return Drop(verdicts.INVALID, rule)
        return self.filter.verdict(packet)

    def input(self, now: float, packet: Packet) -> Verdict | None:
        """A packet is about to be given to the node's own stack."""
        return self._leaves(now, packet, 0)

    def postrouting(self, now: float, packet: Packet, address: int) -> Verdict | None:
        """A packet is about to leave by an interface that has `address` (0: it has none)."""
        return self._leaves(now, packet, address)

    def replace_services(self, now: float, entries: Iterable[Entry]) -> None:
        """Put a whole service table in place of the one there is."""
        wanted = {entry.key: entry for entry in entries}
        removed = [key for key in self.services.services if key not in wanted]
        self.update_services(now, wanted.values(), removed)

    def update_services(
        self, now: float, put: Iterable[Entry], removed: Iterable[str] = ()
    ) -> None:
        """Change entries; unknown keys of removed ones are passed over.

        UDP connections that would now go elsewhere are forgotten; those of TCP go on.
        """
        touched: dict[tuple[int, int], None] = {}
        for key in removed:
            gone = self.services.remove(key)
            if gone is not None:
                self._touch(touched, gone)
        for entry in put:
            old = self.services.put(entry)
            if old is entry or old == entry:
                continue
            if old is not None:
                self._touch(touched, old)
            self._touch(touched, entry)
        for address, port in touched:
            self._flush(address, port)

    @property
    def deadline(self) -> float | None:
        """When `tick` is to be called next."""
        return self.conntrack.deadline

    def tick(self, now: float) -> None:
        """Forget what was silent for too long."""
        self.conntrack.tick(now)

    def _arrives(self, now: float, packet: Packet) -> Verdict | None:
        if packet.quoted is not None:
            way = self.conntrack.find(related.key_of(packet.quoted))
            if way is None:
                packet.invalid = True
            else:
                self._relate(packet, way)
            return None
        way = self.conntrack.find(packet.key)
        step = Step.BEGINS if way is None else self._step(now, packet, way)
        if way is not None and step is Step.GOES_ON:
            packet.way = way
            packet.destination, packet.destination_port = way.new_key[2:4]
            return None
        if step is Step.BEGINS:
            packet.connection = self.conntrack.begin(now, packet)
        if packet.connection is None:
            packet.invalid = True
            packet.tell(_TABLE, "of no connection, and begins none", "invalid")
            return None
        packet.tell(_TABLE, "begins a connection", "new")
        return self.services.decide(now, packet)

    def _step(self, now: float, packet: Packet, way: Way) -> Step:
        if packet.story is not None:
            packet.tell(_TABLE, way.connection.state.value, "known")
            return Step.GOES_ON
        return self.conntrack.advance(now, way, packet.flags)

    def _relate(self, packet: Packet, way: Way) -> None:
        packet.way = way
        change = Related(way, packet.source)
        packet.destination = change.destination
        packet.tell(_TABLE, "an error about a connection that is known", "related")
        if way.rewrite is not None:
            packet.change = change

    def _leaves(self, now: float, packet: Packet, address: int) -> Verdict | None:
        way = packet.way
        if way is not None:
            if packet.quoted is not None:
                if isinstance(packet.change, Related):
                    packet.source = packet.change.source
            else:
                packet.source, packet.source_port = way.new_key[:2]
                packet.change = way.rewrite
            return None
        connection = packet.connection
        if connection is None:
            return None
        key = self._masquerade.leaves(self.conntrack, packet, address)
        if key is None:
            rule = "every source port is taken by connections to the same place"
            packet.tell("masquerade", rule, verdicts.NO_SOURCE_PORT)
            return Drop(verdicts.NO_SOURCE_PORT, rule)
        packet.source, packet.source_port = key[:2]
        if packet.story is not None:
            packet.change = between(connection.original.key, key)
            return None
        if not self.conntrack.remember(now, connection, key):
            return Drop(verdicts.FULL, "conntrack is full")
        packet.connection = None
        packet.way = connection.original
        packet.change = connection.original.rewrite
        return None

    def _touch(self, touched: dict[tuple[int, int], None], entry: Entry) -> None:
        if entry.protocol == ipv4.UDP:
            touched.update(dict.fromkeys(self.services.fronts_of(entry)))

    def _flush(self, address: int, port: int) -> None:
        """Forget UDP connections to a front that its service would not send there any more."""
        front = self.services.find(address, port, ipv4.UDP)
        places = front.service.places if front is not None else frozenset()
        for connection in self.conntrack.datagrams_to(address, port):
            answers = connection.answers.key
            if answers[:2] not in places:
                self.conntrack.forget(connection)
