"""What of TCP can be set, with Linux' names and defaults."""

from dataclasses import dataclass
from typing import Final

DELAYED_ACK: Final = 0.04
"""TCP_DELACK_MIN."""
LEAST_RTO: Final = 0.2
"""TCP_RTO_MIN."""
MOST_RTO: Final = 120.0
"""TCP_RTO_MAX."""
FIRST_RTO: Final = 1.0
"""TCP_TIMEOUT_INIT, RFC 6298, 2.1."""
DUPLICATES: Final = 3
"""net.ipv4.tcp_reordering: acknowledgments that say the same until a segment is taken for lost."""
CHALLENGE_SECONDS: Final = 0.5
"""net.ipv4.tcp_invalid_ratelimit."""
PAWS_SECONDS: Final = 24 * 24 * 3600.0
"""TCP_PAWS_24DAYS: after so long in silence an old timestamp means nothing."""
TIGHT: Final = 4096
"""What a connection's buffers may hold where the memory of all is used up."""
LEAST_MSS: Final = 88
"""Shorter ones, which a peer or ICMP may ask for, are not used. TCP_MIN_MSS is 88."""


@dataclass(frozen=True)
class Settings:
    """How connections of a stack behave. Times in seconds, sizes in bytes."""

    receive_buffer: int = 1 << 20
    """net.ipv4.tcp_rmem, the largest."""
    send_buffer: int = 1 << 20
    syn_retries: int = 6
    """net.ipv4.tcp_syn_retries: 127 s."""
    synack_retries: int = 5
    retries: int = 15
    """net.ipv4.tcp_retries2: some 15 minutes."""
    orphan_retries: int = 8
    """net.ipv4.tcp_orphan_retries, for connections that nobody holds any more."""
    fin_timeout: float = 60.0
    """net.ipv4.tcp_fin_timeout."""
    time_wait: float = 60.0
    """TCP_TIMEWAIT_LEN."""
    keepalive_idle: float = 7200.0
    keepalive_interval: float = 75.0
    keepalive_probes: int = 9
    timestamps: bool = True
    sack: bool = True
    window_scaling: bool = True
    largest_burst: int = 61600
    """Payload of the longest segment that is left for the port to cut: 44 pieces at an MTU of 1450,
    which VXLAN carries as one train.
    """

    @property
    def scale(self) -> int:
        """The least shift that lets a window advertise the whole buffer."""
        scale = 0
        while self.receive_buffer >> scale > 65535:
            scale += 1
        return scale

    def __post_init__(self) -> None:
        if min(self.receive_buffer, self.send_buffer) < 2048:
            raise ValueError("a buffer holds 2048 bytes at least")
        if self.receive_buffer > 1 << 30:
            raise ValueError("a receive buffer of more than 2**30 bytes cannot be advertised")
        if not 0 < self.largest_burst <= 65400:
            raise ValueError("a burst has to fit into an IPv4 packet")


class Memory:
    """What the buffers of many connections hold together (net.ipv4.tcp_mem)."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int = 64 << 20) -> None:
        self.limit = limit
        self.used = 0
