"""The hooks of a node's forwarding, in the order of Linux's netfilter.

    from a port or the wire:  prerouting ─ route ┬─ input                     (to the node itself)
                                                 └─ forward ─ postrouting     (to others)
    from the node's stack:    output ──── route ─── postrouting (or input, to itself)

Each hook answers None where the packet goes on, else a verdict. `prerouting` and `output` give the
packet its destination, `postrouting` and `input` its source, and with it `packet.change`, which is
to be applied to a copy of the frame.
"""

import random as randomness
from collections.abc import Iterable
from dataclasses import dataclass

from cluster.network.stack.nat.conntrack import LARGEST
from cluster.network.stack.nat.packet import Packet
from cluster.network.stack.nat.services import Entry
from cluster.network.stack.nat.verdicts import Verdict
from cluster.network.wire.addresses import Prefix


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

    def __init__(self, settings: Settings, random: randomness.Random) -> None: ...

    def prerouting(self, now: float, packet: Packet) -> Verdict | None:
        """A packet came in by a port or a wire, and is about to be routed."""

    def output(self, now: float, packet: Packet) -> Verdict | None:
        """The node's own stack sends a packet, which is about to be routed."""

    def forward(self, now: float, packet: Packet) -> Verdict | None:
        """A packet that came in is about to be sent on: the filter."""

    def input(self, now: float, packet: Packet) -> Verdict | None:
        """A packet is about to be given to the node's own stack."""

    def postrouting(self, now: float, packet: Packet, address: int) -> Verdict | None:
        """A packet is about to leave by an interface that has `address`."""

    def replace_services(self, now: float, entries: Iterable[Entry]) -> None:
        """Put a whole service table in place of the one there is."""

    def update_services(
        self, now: float, put: Iterable[Entry], removed: Iterable[str] = ()
    ) -> None:
        """Change entries; unknown keys of removed ones are passed over."""

    @property
    def deadline(self) -> float | None:
        """When `tick` is to be called next."""

    def tick(self, now: float) -> None:
        """Forget what was silent for too long."""
