"""What the cores of a node ask their shell to do: frames to ports, datagrams to other nodes."""

from typing import NamedTuple

from cluster.network.wire.frame import Frame
from cluster.network.wire.trains import Train

Address = tuple[str, int]
"""An address of the underlay, host and port; `network.underlay.Address` is one."""


Payload = bytes | Train
"""What a datagram carries, or many datagrams that were cut of one frame (`UDP_SEGMENT`)."""


class ToPort(NamedTuple):
    """Hand frames to a port (`host` and `outside` are ports, too), in this order."""

    port: str
    frames: list[Frame]


class ToPeer(NamedTuple):
    """Send payloads from the node's VXLAN socket to another node's, with their VXLAN headers."""

    address: Address
    payloads: list[Payload]


class ToCable(NamedTuple):
    """Send Ethernet frames from the node's cable socket to another node's, a datagram each."""

    address: Address
    frames: list[Payload]


Action = ToPort | ToPeer | ToCable
