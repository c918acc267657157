"""A packet that is ready to leave but for the MAC of its next hop."""

from typing import NamedTuple

from cluster.network.stack.nat.packet import Packet
from cluster.network.wire.frame import Frame


class Waiting(NamedTuple):
    """It waits for an answer to ARP."""

    frames: list[Frame]
    """As they will leave, with zeros for the MAC."""
    address: int
    """Whose MAC is asked for."""
    packet: Packet
    """As it came, for an error about it."""
    device: str
    """Where it came from."""
