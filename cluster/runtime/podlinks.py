"""What a pod sees of its interfaces: one, eth0, with the bridge's address as its gateway. Pure."""

import ipaddress
from collections.abc import Iterable
from typing import Final

from cluster.runtime.vos.sockets import Link, Route

MTU: Final = 1450
"""Of a VXLAN overlay on an underlay of 1500."""
LOOPBACK: Final = Link(1, "lo", "00:00:00:00:00:00", 65536, ("127.0.0.1/8", "::1/128"))
_NAME: Final = "eth0"


def links(held: Iterable[str], mtu: int = MTU) -> list[Link]:
    """The interfaces of who has these addresses (`10.244.1.5/24`)."""
    own = tuple(held)
    if not own:
        return [LOOPBACK]
    first = ipaddress.ip_interface(own[0])
    mac = ":".join(f"{byte:02x}" for byte in b"\x0a\x58" + first.ip.packed[-4:])
    return [LOOPBACK, Link(2, _NAME, mac, mtu, own)]


def routes(held: Iterable[str]) -> list[Route]:
    """Its routes."""
    found: list[Route] = []
    for text in held:
        one = ipaddress.ip_interface(text)
        gateway = str(one.network.network_address + 1)
        every = "0.0.0.0/0" if one.version == 4 else "::/0"
        found.append(Route(every, _NAME, gateway=gateway))
        found.append(Route(str(one.network), _NAME, source=str(one.ip)))
    return found
