"""The service table's terms: its entries, and what an entry means for connections on this node.

The rules are kube-proxy's (pkg/proxy, CategorizeEndpoints, and the nftables mode): it says which
endpoints take which kind of traffic here; where an entry has endpoints but none of the wanted kind
the traffic is dropped, and where it has none at all it is refused.
"""

import functools
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from cluster.network.wire.addresses import Prefix


class Backend(NamedTuple):
    """Where connections to an entry may be sent."""

    address: int
    port: int
    local: bool
    """Whether it is on this node."""
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    internal: bool = True
    """Takes connections to cluster addresses that are made on this node."""
    external: bool = False
    """Takes those that come by node port, external or balancer address."""


class Entry(NamedTuple):
    """One port of one service."""

    key: str
    """Unique; it is shown to people."""
    protocol: int
    """6 or 17."""
    cluster_ips: tuple[int, ...]
    port: int
    node_port: int = 0
    """0: none."""
    external_ips: tuple[int, ...] = ()
    load_balancer_ips: tuple[int, ...] = ()
    source_ranges: tuple[Prefix, ...] = ()
    """Who may come in by the balancer's addresses; none: everybody."""
    affinity_seconds: int = 0
    """How long a client sticks to a backend; 0: not at all."""
    internal_local: bool = False
    external_local: bool = False
    health_check_node_port: int = 0
    endpoints: tuple[Backend, ...] = ()
    """None: refused. Some, but none for this kind of traffic here: dropped."""


class Kind(Enum):
    """How a connection comes to an entry."""

    CLUSTER = "cluster address"
    EXTERNAL = "external address"
    BALANCER = "load balancer"
    NODE_PORT = "node port"


class Service:
    """An entry in use. Its pools are made when the first connection asks for them."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry

    @functools.cached_property
    def internal(self) -> tuple[Backend, ...]:
        """Where connections to its cluster addresses go."""
        return tuple(one for one in self.entry.endpoints if one.internal)

    @functools.cached_property
    def external(self) -> tuple[Backend, ...]:
        """Where connections from outside go."""
        return tuple(one for one in self.entry.endpoints if one.external)

    @functools.cached_property
    def everywhere(self) -> tuple[Backend, ...]:
        """Where those go that are subject to neither policy: from pods and the node to the outer
        addresses of an entry whose external policy is Local."""
        if not self.entry.internal_local:
            return self.internal
        ready = tuple(one for one in self.entry.endpoints if one.ready)
        return ready or tuple(
            one for one in self.entry.endpoints if one.serving and one.terminating
        )

    @functools.cached_property
    def places(self) -> frozenset[tuple[int, int]]:
        """Address and port of each backend."""
        return frozenset((one.address, one.port) for one in self.entry.endpoints)

    def fronts(self) -> Iterator[tuple[int, Kind]]:
        """The addresses at which the entry's own port is, each once, and their kinds.

        One that is several is what has more to say: a balancer has source ranges.
        """
        entry = self.entry
        kinds = dict.fromkeys(entry.external_ips, Kind.EXTERNAL)
        kinds.update(dict.fromkeys(entry.load_balancer_ips, Kind.BALANCER))
        kinds.update(dict.fromkeys(entry.cluster_ips, Kind.CLUSTER))
        return iter(kinds.items())
