"""What a host is: its interface, its addresses, where its packets go."""

from dataclasses import dataclass, field
from typing import Final

from cluster.network.stack.tcp.settings import Settings as TcpSettings
from cluster.network.wire import addresses, mac

EPHEMERAL: Final = (32768, 60999)
"""net.ipv4.ip_local_port_range."""
HOLD_SECONDS: Final = 60.0
"""How long what came for a sleeper is kept."""


@dataclass(frozen=True)
class Settings:
    """One interface. Addresses are u32."""

    mac: bytes
    addresses: tuple[tuple[int, int], ...]
    """Each with the length of its prefix; the first is the one that packets come from."""
    gateway: int = 0
    """Who takes what is not on the link; 0: nobody."""
    gateway_mac: bytes = b""
    """If given, all frames go there, and nobody is asked (a point-to-point link)."""
    mtu: int = 1450
    any_address: bool = False
    """Answers for every address: the outside of a cluster."""
    loops: bool = True
    """What goes to an own address stays here. False: it goes out, to be translated there."""
    tcp: TcpSettings = field(default_factory=TcpSettings)
    most_flows: int = 16384

    def __post_init__(self) -> None:
        if len(self.mac) != len(mac.ZERO):
            raise ValueError("an Ethernet address has six bytes")
        if self.gateway_mac and len(self.gateway_mac) != len(mac.ZERO):
            raise ValueError("a gateway's Ethernet address has six bytes")
        if not 576 <= self.mtu <= 65535:
            raise ValueError(f"an interface of IPv4 has an MTU of 576 to 65535, not {self.mtu}")
        if not self.addresses and not self.any_address:
            raise ValueError("a host has an address")

    def hop(self, destination: int) -> int:
        """Whose Ethernet address a packet goes to; 0: there is no route."""
        for address, length in self.addresses:
            if not (address ^ destination) & addresses.mask(length):
                return destination
        return self.gateway
