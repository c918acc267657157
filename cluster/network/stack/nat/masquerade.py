"""Source NAT: which connections leave with the node's own address, and with which source port.

Two who ask for it, as on a node with kube-proxy and flannel: services mark what must come back by
this node, and what pods send beyond the cluster's pods leaves with the node's address (flannel's
FLANNEL-POSTRTG rules).
"""

import random as randomness
from typing import Final

from cluster.network.stack.nat.conntrack import Conntrack
from cluster.network.stack.nat.packet import Key, Packet
from cluster.network.stack.nat.servicetable import Surroundings
from cluster.network.wire import addresses, icmp, ipv4
from cluster.network.wire.addresses import Prefix

_TABLE = "masquerade"
_FIRST_PORT: Final = 1024
_PORTS: Final = 65536 - _FIRST_PORT
_TRIES: Final = 128
"""Ports that are tried before a connection is refused, as in Linux."""


class Masquerade:
    """Decides for the first packets of connections."""

    def __init__(self, around: Surroundings, network: Prefix, random: randomness.Random) -> None:
        self._around = around
        self._network = network
        self._random = random

    def wanted(self, packet: Packet) -> str:
        """The rule by which a packet is masqueraded; empty where none does."""
        if packet.masquerade:
            return "a service's connection whose answers must come back by this node"
        destination = packet.destination
        source_is_pod = self._around.is_pod(packet.source)
        if self._around.is_pod(destination):
            if source_is_pod or destination in self._network:
                return ""
            return "from outside of the pods' network to another node's pod"
        if source_is_pod and not addresses.is_multicast(destination):
            return "from a pod to beyond the pods' network"
        return ""

    def leaves(self, conntrack: Conntrack, packet: Packet, address: int) -> Key | None:
        """The key with which a new connection leaves by an interface that has `address`.

        Another source port is taken where answers would be taken for another connection's. None:
        no port is free.
        """
        key = packet.key
        rule = self.wanted(packet) if address else ""
        if rule and address != packet.source:
            packet.tell(_TABLE, rule, f"from {addresses.text(address)}")
            key = address, self._port(packet), key[2], key[3], key[4]
        if conntrack.is_free(key):
            return key
        # A trace draws no number: all others after it would be others.
        start = 0 if packet.story is not None else int(self._random.random() * _PORTS)
        return self._another(conntrack, key, start)

    def _port(self, packet: Packet) -> int:
        """A random port (kube-proxy and flannel ask for `fully-random`)."""
        if not _has_ports(packet.protocol, packet.destination_port):
            return packet.source_port
        if packet.story is not None:
            return packet.source_port
        return _FIRST_PORT + int(self._random.random() * _PORTS)

    def _another(self, conntrack: Conntrack, key: Key, start: int) -> Key | None:
        source, port, destination, destination_port, protocol = key
        if not _has_ports(protocol, destination_port):
            return None
        for step in range(_TRIES):
            port = _FIRST_PORT + (start + step) % _PORTS
            other = source, port, destination, destination_port, protocol
            if conntrack.is_free(other):
                return other
        return None


def _has_ports(protocol: int, destination_port: int) -> bool:
    """Whether the source port (of an echo, its identifier) may be another one."""
    if protocol == ipv4.ICMP:
        return destination_port == icmp.ECHO_REQUEST
    return protocol in (ipv4.TCP, ipv4.UDP)
