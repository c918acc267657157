"""The service table's terms. What it does follows kube-proxy's nftables mode."""

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
