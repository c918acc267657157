"""The service table: what a connection to a service's address or port becomes.

The decisions are those of kube-proxy's nftables mode: source ranges of a balancer first; endpoints
by kind of traffic and policy; affinity, else a random backend; a mark for masquerading where the
answer would not come back by this node; undefined ports of cluster addresses refused.
"""

import random as randomness
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cluster.network.stack.nat import verdicts
from cluster.network.stack.nat.affinity import Affinity
from cluster.network.stack.nat.packet import Packet
from cluster.network.stack.nat.services import Backend, Entry, Kind, Service
from cluster.network.stack.nat.verdicts import Drop, Reject, Verdict
from cluster.network.wire import addresses
from cluster.network.wire.addresses import Prefix

_TABLE = "services"


class Front(NamedTuple):
    """A service as it is reached at one address or node port."""

    kind: Kind
    service: Service


class Surroundings:
    """The addresses that decisions depend on."""

    def __init__(
        self,
        cluster: Prefix,
        *,
        services: Iterable[Prefix] = (),
        local: Iterable[int] = (),
        node_ports: Iterable[int] = (),
        masquerade_all: bool = False,
    ) -> None:
        self.cluster = cluster
        self.services = tuple(services)
        self.local = frozenset(local)
        self.node_ports = tuple(node_ports)
        self.masquerade_all = masquerade_all
        self._mask = addresses.mask(cluster.length)

    def is_pod(self, address: int) -> bool:
        """Whether it is a pod's, of any node."""
        return address & self._mask == self.cluster.network


class ServiceTable:
    """All entries of a node."""

    def __init__(self, around: Surroundings, random: randomness.Random) -> None:
        self.around = around
        self._random = random
        self._services: dict[str, Service] = {}
        self._fronts: dict[tuple[int, int, int], dict[str, Front]] = {}
        self._node_ports: dict[tuple[int, int], dict[str, Front]] = {}
        self._owned: dict[int, int] = {}
        self.affinity = Affinity()

    @property
    def services(self) -> Mapping[str, Service]:
        """All entries by key. Read-only."""
        return self._services

    def put(self, entry: Entry) -> Entry | None:
        """Add an entry, or put it in place of the one with its key, which is returned."""
        old = self._services.get(entry.key)
        if old is not None:
            if old.entry == entry:
                return old.entry
            if _same_fronts(old.entry, entry):
                self._exchange(entry)
                return old.entry
            self._take_out(old)
        service = self._services[entry.key] = Service(entry)
        for address, kind in service.fronts():
            where = address, entry.port, entry.protocol
            self._fronts.setdefault(where, {})[entry.key] = Front(kind, service)
            if kind is Kind.CLUSTER:
                self._owned[address] = self._owned.get(address, 0) + 1
        if entry.node_port:
            claims = self._node_ports.setdefault((entry.node_port, entry.protocol), {})
            claims[entry.key] = Front(Kind.NODE_PORT, service)
        return old.entry if old is not None else None

    def remove(self, key: str) -> Entry | None:
        """Take an entry out, which is returned; None where there is none."""
        service = self._services.pop(key, None)
        if service is None:
            return None
        self._take_out(service)
        self.affinity.forget(key)
        return service.entry

    def decide(self, now: float, packet: Packet) -> Verdict | None:
        """Give a new connection's first packet the destination that it is to have.

        Marks the packet, and notes at its connection which service it goes to.
        """
        front = self.find(packet.destination, packet.destination_port, packet.protocol)
        if front is None:
            return self._strange(packet)
        service, kind = front.service, front.kind
        verdict = self._refused(packet, service, kind)
        if verdict is None:
            pool, marked = self._pool(packet, service, kind)
            packet.masquerade = packet.masquerade or marked
            if pool:
                self._send(now, packet, service, self._choose(now, packet, service, pool))
                return None
            rule = f"{service.entry.key}: none of its endpoints is on this node"
            verdict = Drop(verdicts.NO_LOCAL_ENDPOINTS, rule)
        packet.tell(_TABLE, verdict.rule, verdict.reason)
        return verdict

    def find(self, address: int, port: int, protocol: int) -> Front | None:
        """Who is reached at an address and port. Of several the first by name."""
        claims = self._fronts.get((address, port, protocol))
        if claims is None:
            if address not in self.around.node_ports:
                return None
            claims = self._node_ports.get((port, protocol))
            if claims is None:
                return None
        if len(claims) == 1:
            return next(iter(claims.values()))
        return claims[min(claims)]

    def fronts_of(self, entry: Entry) -> list[tuple[int, int]]:
        """The addresses and ports at which an entry is reached."""
        found = [(address, entry.port) for address, _ in Service(entry).fronts()]
        if entry.node_port:
            found += [(address, entry.node_port) for address in self.around.node_ports]
        return found

    def _strange(self, packet: Packet) -> Verdict | None:
        """What becomes of packets to addresses or ports that nobody has."""
        verdict: Verdict
        if packet.destination in self._owned:
            what = f"{addresses.text(packet.destination)} has no such port"
            verdict = Reject(verdicts.NO_SUCH_PORT, what)
        elif any(packet.destination in one for one in self.around.services):
            what = f"{addresses.text(packet.destination)} belongs to no service"
            verdict = Drop(verdicts.UNALLOCATED, what)
        else:
            packet.tell(_TABLE, "no service has this address and port", "pass")
            return None
        packet.tell(_TABLE, verdict.rule, verdict.reason)
        return verdict

    def _refused(self, packet: Packet, service: Service, kind: Kind) -> Verdict | None:
        entry = service.entry
        if kind is Kind.BALANCER and entry.source_ranges and not self._admitted(packet, entry):
            source = addresses.text(packet.source)
            rule = f"{entry.key}: {source} is in none of loadBalancerSourceRanges"
            return Drop(verdicts.SOURCE_RANGE, rule)
        if not entry.endpoints:
            return Reject(verdicts.NO_ENDPOINTS, f"{entry.key} has no endpoints")
        return None

    def _admitted(self, packet: Packet, entry: Entry) -> bool:
        source = packet.source
        if any(source in one for one in entry.source_ranges):
            return True
        # A node that may come in, and has the balancer's address itself, comes in from it.
        return source in entry.load_balancer_ips and any(
            node in one for one in entry.source_ranges for node in self.around.node_ports
        )

    def _pool(
        self, packet: Packet, service: Service, kind: Kind
    ) -> tuple[tuple[Backend, ...], bool]:
        """The backends that take this packet, and whether it is to be masqueraded."""
        around = self.around
        if kind is Kind.CLUSTER:
            return service.internal, around.masquerade_all or not around.is_pod(packet.source)
        if not service.entry.external_local:
            return service.external, True
        if around.is_pod(packet.source):
            return service.everywhere, False
        if packet.source in around.local:
            return service.everywhere, True
        return service.external, False

    def _choose(
        self, now: float, packet: Packet, service: Service, pool: tuple[Backend, ...]
    ) -> Backend:
        entry = service.entry
        if packet.story is not None and len(pool) > 1:
            packet.tell(_TABLE, f"{entry.key}: one of {len(pool)} endpoints", "choose")
        if entry.affinity_seconds:
            place = self.affinity.find(now, entry.key, packet.source)
            for one in pool if place is not None else ():
                if (one.address, one.port) == place:
                    return one
        if packet.story is not None:
            return pool[0]
        return pool[int(self._random.random() * len(pool))]

    def _send(self, now: float, packet: Packet, service: Service, chosen: Backend) -> None:
        entry = service.entry
        if packet.story is not None:
            packet.tell(_TABLE, entry.key, f"to {addresses.text(chosen.address)}:{chosen.port}")
        elif entry.affinity_seconds:
            place = chosen.address, chosen.port
            self.affinity.note(now, entry.key, packet.source, place, entry.affinity_seconds)
        if packet.source == chosen.address:
            packet.masquerade = True  # else it would answer itself, without this node
        packet.destination = chosen.address
        packet.destination_port = chosen.port
        if packet.connection is not None:
            packet.connection.service = entry.key

    def _exchange(self, entry: Entry) -> None:
        """Put in an entry that differs only in what is behind its addresses."""
        service = self._services[entry.key] = Service(entry)
        for address, kind in service.fronts():
            self._fronts[address, entry.port, entry.protocol][entry.key] = Front(kind, service)
        if entry.node_port:
            claims = self._node_ports[entry.node_port, entry.protocol]
            claims[entry.key] = Front(Kind.NODE_PORT, service)

    def _take_out(self, service: Service) -> None:
        entry = service.entry
        for address, kind in service.fronts():
            where = address, entry.port, entry.protocol
            claims = self._fronts[where]
            del claims[entry.key]
            if not claims:
                del self._fronts[where]
            if kind is Kind.CLUSTER:
                self._owned[address] -= 1
                if not self._owned[address]:
                    del self._owned[address]
        if entry.node_port:
            claims = self._node_ports[entry.node_port, entry.protocol]
            del claims[entry.key]
            if not claims:
                del self._node_ports[entry.node_port, entry.protocol]


def _same_fronts(one: Entry, other: Entry) -> bool:
    return (
        one.protocol == other.protocol
        and one.port == other.port
        and one.node_port == other.node_port
        and one.cluster_ips == other.cluster_ips
        and one.external_ips == other.external_ips
        and one.load_balancer_ips == other.load_balancer_ips
    )
