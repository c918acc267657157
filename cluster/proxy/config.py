"""What a kube-proxy is told when it is built."""

import ipaddress
from dataclasses import dataclass
from typing import Final

BACKENDS: Final = ("vxlan", "routed", "mesh")
"""How packets go between nodes: in VXLAN, as with flannel; over the nodes' own wire, as with
Calico; in VXLAN between nodes that find their way around cut links, as with Weave.
"""


@dataclass(frozen=True)
class Config:
    """Settings of a kube-proxy. Times are in seconds."""

    node_name: str
    """The node whose table this is (--hostname-override)."""
    nodes: tuple[str, ...] = ()
    """All nodes that this is the proxy of, where they are several that share a data plane (hollow
    ones); then `node_name` is none of them, and what is on any of them is local."""
    address: str = ""
    """Where the others reach such nodes."""
    min_sync_period: float = 0.05
    """Changes within this time are programmed together."""
    call_timeout: float = 30.0
    """Longest time that the data plane may take for one call."""
    longest_retry: float = 5.0
    """Longest wait between tries to reach a data plane that is away."""

    network_backend: str = "vxlan"
    """One of BACKENDS: what all nodes of the cluster have."""
    network_mtu: int = 0
    """The MTU of pods; 0: what the back end leaves of the underlay's."""
    cluster_cidr: str = ""
    """The addresses of all pods; traffic to others is masqueraded. "": those of this node."""
    service_cidr: str = ""
    """The addresses of Services; what goes to one that no Service has is dropped. "": none."""

    def __post_init__(self) -> None:
        if not self.node_name:
            raise ValueError("a kube-proxy needs a node_name")
        if self.nodes and not (self.address and self.cluster_cidr):
            raise ValueError("nodes that share a data plane need an address and a cluster_cidr")
        if self.min_sync_period < 0:
            raise ValueError("min_sync_period cannot be negative")
        if self.call_timeout <= 0 or self.longest_retry <= 0:
            raise ValueError("call_timeout and longest_retry must be more than 0 seconds")
        if self.network_backend not in BACKENDS:
            raise ValueError(
                f"network_backend is {self.network_backend!r}: not {', '.join(BACKENDS)}"
            )
        if self.network_mtu and not 576 <= self.network_mtu <= 65535:
            raise ValueError(f"network_mtu is {self.network_mtu}: not from 576 to 65535")
        for name in ("cluster_cidr", "service_cidr"):
            try:
                if getattr(self, name):
                    ipaddress.ip_network(getattr(self, name))
            except ValueError as error:
                raise ValueError(f"{name} is no network: {error}") from None
