"""Why frames were dropped, counted by name: users see these names in metrics and traces.

Those of address translation and of the packet filter are in `nat.verdicts`.
"""

from collections.abc import Mapping
from typing import Final

MALFORMED: Final = "malformed"
"""Some header does not parse, or its checksum is wrong."""
IPV6: Final = "ipv6"
"""The overlay carries IPv4 only."""
PROTOCOL: Final = "protocol"
"""Neither IPv4 nor ARP, and to nobody on the bridge."""
NO_PORT: Final = "no-port"
"""A frame from or to a port that is not there (any more)."""
UNKNOWN_MAC: Final = "unknown-mac"
"""Nobody on the bridge has the destination's MAC."""
NOT_FOR_US: Final = "not-for-us"
"""A frame on the overlay or the cable whose MAC is another machine's."""
MULTICAST: Final = "multicast"
"""A group or broadcast address, which is not routed."""
MARTIAN: Final = "martian"
"""A source or destination that may not be on a wire: loopback, nobody, a group as source; or, from
a pod, another pod's or a node's as source."""
UNKNOWN_PEER: Final = "unknown-peer"
"""A datagram from a machine that is no node of the cluster."""
VXLAN_HEADER: Final = "vxlan-header"
"""A datagram that is no VXLAN, or of another network (VNI)."""
NO_ROUTE: Final = "no-route"
"""Nothing leads to the destination: answered with network unreachable."""
TTL: Final = "ttl-exceeded"
"""Too many hops: answered with time exceeded."""
TOO_BIG: Final = "fragmentation-needed"
"""Larger than the way's MTU and not to be cut: answered with fragmentation needed."""
NO_NEIGHBOUR: Final = "neighbour-unreachable"
"""Nobody answered ARP for the next hop: answered with host unreachable."""
NEIGHBOUR_QUEUE: Final = "neighbour-queue"
"""Too many packets waited for an answer to ARP."""
NO_VTEP: Final = "no-vtep"
"""The next hop is a node whose VTEP is not known (yet)."""
REASSEMBLY: Final = "reassembly"
"""Fragments that never became a packet: overlapping, too many, or some were missing."""
LINK_CUT: Final = "link-cut"
"""No way to the node: the mesh knows no link that is up."""


class Drops:
    """Counters by reason."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def count(self, reason: str, number: int = 1) -> None:
        """One more for a reason. Reasons are constants of code, so there are few."""
        self._counts[reason] = self._counts.get(reason, 0) + number

    def get(self, reason: str) -> int:
        """How often this happened."""
        return self._counts.get(reason, 0)

    @property
    def counts(self) -> Mapping[str, int]:
        """All reasons that there were, in the order in which they were first seen."""
        return self._counts

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self._counts.values())
