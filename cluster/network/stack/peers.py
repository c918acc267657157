"""The other nodes, as flannel's Node annotations describe them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cluster.network.stack.actions import Address
from cluster.network.wire import addresses, vxlan
from cluster.network.wire.addresses import Prefix

CABLE_PORT = 4790
"""Where a node receives what is on the emulated wire between the nodes' eth0."""
_LOOPBACK = "127."


@dataclass(frozen=True, slots=True)
class Peer:
    """Another node."""

    name: str
    """Unique."""
    public: int
    """The node's own address: outer source and destination of its packets."""
    network: Prefix
    """The addresses of its pods."""
    vtep_mac: bytes = b""
    """Of its flannel.1; empty where it has none (back end `routed`)."""
    vni: int = 1
    host: str = ""
    """Where datagrams are really sent to; empty: `public`, as text."""
    port: int = vxlan.PORT
    """Of its VXLAN socket."""
    cable_port: int = CABLE_PORT
    turbo: bool = False
    """Takes frames whole that are larger than the MTU."""

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a peer needs a name")
        if self.vtep_mac and (len(self.vtep_mac) != 6 or self.vtep_mac[0] & 1):
            raise ValueError(f"peer {self.name}: {self.vtep_mac.hex(':')} is no VTEP's MAC")
        if not 0 <= self.vni < 1 << 24:
            raise ValueError(f"peer {self.name}: a VNI has 24 bits, {self.vni} has more")

    @property
    def address(self) -> Address:
        """Where VXLAN datagrams for it go."""
        return (self.host or addresses.text(self.public), self.port)

    @property
    def cable(self) -> Address:
        """Where frames on the cable for it go."""
        return (self.host or addresses.text(self.public), self.cable_port)

    @property
    def gateway(self) -> int:
        """The address of its flannel.1: the first of its pods' range."""
        return self.network.network

    @property
    def eth0(self) -> bytes:
        """The MAC of its eth0, which follows from its address as Docker's do."""
        return eth0_mac(self.public)


def eth0_mac(address: int) -> bytes:
    """The MAC of the eth0 of a node with this address."""
    return b"\x02\x42" + addresses.pack(address)


class Peers:
    """All other nodes, by what packets know of them."""

    def __init__(self, peers: Iterable[Peer] = ()) -> None:
        self.by_name: Mapping[str, Peer] = {}
        self.by_public: Mapping[int, Peer] = {}
        self._vxlan: dict[Address, Peer] = {}
        self._cable: dict[Address, Peer] = {}
        self._hosts: dict[str, Peer | None] = {}
        self.received: dict[str, int] = {}
        """Datagrams from each of them, by name."""
        self.replace(peers)

    def replace(self, peers: Iterable[Peer]) -> None:
        """These are all of them. ValueError where two share a name."""
        listed = sorted(peers, key=lambda peer: peer.name)
        by_name = {peer.name: peer for peer in listed}
        if len(by_name) != len(listed):
            raise ValueError("two peers have the same name")
        self.by_name = by_name
        self.by_public = {peer.public: peer for peer in listed}
        self._vxlan = {peer.address: peer for peer in listed}
        self._cable = {peer.cable: peer for peer in listed}
        self.received = {peer.name: self.received.get(peer.name, 0) for peer in listed}
        self._hosts = {}
        for peer in listed:
            host = peer.address[0]
            if not host.startswith(_LOOPBACK):
                self._hosts[host] = None if host in self._hosts else peer

    def __iter__(self) -> Iterator[Peer]:
        """All of them, sorted by name."""
        return iter(self.by_name.values())

    def sender(self, address: Address) -> Peer | None:
        """Who sends VXLAN from an address of the underlay; None where no node does.

        A kernel's VTEP sends from any port: where only one node is at a host, its port is not
        looked at. It is at this machine's own addresses: no kernel has its VTEP there, and every
        user of the machine may send from them.
        """
        return self._vxlan.get(address) or self._hosts.get(address[0])

    def cable_sender(self, address: Address) -> Peer | None:
        """Who sends frames on the cable from an address of the underlay."""
        return self._cable.get(address)

    def __len__(self) -> int:
        return len(self.by_name)
