"""What a data plane is told when it is built."""

from dataclasses import dataclass

from cluster.network.stack import backends
from cluster.network.stack.forwarding import Device
from cluster.network.stack.peers import CABLE_PORT, Peer, eth0_mac
from cluster.network.stack.router import BRIDGE, LOOPBACK, TUNNEL, WIRE
from cluster.network.wire import mac, vxlan
from cluster.network.wire.addresses import Prefix

_LOOPBACK_MTU = 65536
_LEAST_MTU = 576


@dataclass(frozen=True)
class Settings:
    """One node. Of its pods' range the first address is flannel.1's, the second cni0's."""

    name: str
    """The node's."""
    network: Prefix
    """The pods of this node."""
    address: int
    """The node's own, on eth0."""
    backend: str = backends.VXLAN
    vni: int = 1
    mtu: int = 0
    """Of pods; 0: what the back end leaves of the underlay's."""
    underlay_mtu: int = 1500
    """Of eth0."""
    host: str = ""
    """Where the others really send datagrams to; empty: `address`, as text."""
    port: int = vxlan.PORT
    """Of the node's VXLAN socket."""
    cable_port: int = CABLE_PORT
    turbo: bool = False
    """Whether frames larger than the MTU go whole to peers that take them so."""

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a data plane needs the name of its node")
        if self.backend not in backends.NAMES:
            names = ", ".join(backends.NAMES)
            raise ValueError(f"there is no back end {self.backend!r}: choose from {names}")
        if self.network.length > 30:
            raise ValueError(f"{self.network} is too small for pods: it needs four addresses")
        if not 0 < self.vni < 1 << 24:
            raise ValueError(f"a VNI is from 1 to {(1 << 24) - 1}, not {self.vni}")
        most = backends.mtu(self.backend, self.underlay_mtu)
        if self.mtu and not _LEAST_MTU <= self.mtu <= most:
            raise ValueError(
                f"an MTU of {self.mtu} for pods is not between {_LEAST_MTU} and {most}, what the "
                f"back end {self.backend} leaves of {self.underlay_mtu}"
            )

    @property
    def pod_mtu(self) -> int:
        """Of pods, cni0 and flannel.1."""
        return self.mtu or backends.mtu(self.backend, self.underlay_mtu)

    @property
    def gateway(self) -> int:
        """The address of cni0."""
        return self.network.network + 1

    def devices(self, vtep_mac: bytes) -> dict[str, Device]:
        """The node's interfaces by name."""
        tunnel = self.network.network
        return {
            LOOPBACK: Device(self.address, mac.ZERO, _LOOPBACK_MTU),
            BRIDGE: Device(self.gateway, mac.of_address(self.gateway), self.pod_mtu),
            TUNNEL: Device(tunnel, vtep_mac, self.pod_mtu),
            WIRE: Device(self.address, eth0_mac(self.address), self.underlay_mtu),
        }

    def as_peer(self, vtep_mac: bytes) -> Peer:
        """The node as the others see it."""
        return Peer(
            self.name,
            self.address,
            self.network,
            b"" if self.backend == backends.ROUTED else vtep_mac,
            vni=self.vni,
            host=self.host,
            port=self.port,
            cable_port=self.cable_port,
            turbo=self.turbo,
        )
