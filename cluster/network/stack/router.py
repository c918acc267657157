"""A routing table: the longest prefix that an address is in."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from cluster.network.stack.peers import Peer
from cluster.network.wire import addresses
from cluster.network.wire.addresses import Prefix

LOOPBACK: Final = "lo"
BRIDGE: Final = "cni0"
TUNNEL: Final = "flannel.1"
WIRE: Final = "eth0"


class Route(NamedTuple):
    """A row of `ip route`."""

    prefix: Prefix
    device: str
    """`lo` for the node's own addresses, else `cni0`, `flannel.1` or `eth0`."""
    gateway: int = 0
    """The next hop; 0: the destination itself (it is on the link)."""
    peer: Peer | None = None
    """The node that is the next hop; None where the next hop is no node."""
    onlink: bool = False
    """Whether the gateway counts as on the link though no prefix of the link has it."""

    def __str__(self) -> str:
        """As `ip route` writes it."""
        whole = self.prefix.length == 32
        to = addresses.text(self.prefix.network) if whole else str(self.prefix)
        words = ["default" if not self.prefix.length else to]
        if self.device == LOOPBACK:
            words.insert(0, "local")
        if self.gateway:
            words += ["via", addresses.text(self.gateway)]
        words += ["dev", self.device]
        if not self.gateway and self.device != LOOPBACK:
            words += ["scope", "link"]
        if self.onlink:
            words.append("onlink")
        return " ".join(words)


class Routes:
    """The table. Changes replace routes by prefix; look-ups cost a dict access a prefix length."""

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self._tables: list[tuple[int, int, dict[int, Route]]] = []
        self.replace(routes)

    def replace(self, routes: Iterable[Route]) -> None:
        """These are all routes; of two with the same prefix the later one counts."""
        by_length: dict[int, dict[int, Route]] = {}
        for route in routes:
            by_length.setdefault(route.prefix.length, {})[route.prefix.network] = route
        self._tables = [
            (length, addresses.mask(length), by_length[length])
            for length in sorted(by_length, reverse=True)
        ]

    def find(self, address: int) -> Route | None:
        """The route to an address; None where there is none."""
        for _, mask, table in self._tables:
            route = table.get(address & mask)
            if route is not None:
                return route
        return None

    def rows(self) -> Iterator[Route]:
        """All routes, the widest first, as `ip route` lists them."""
        for _, _, table in reversed(self._tables):
            yield from sorted(table.values())
