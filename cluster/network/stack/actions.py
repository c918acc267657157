"""What the cores of a node ask their shell to do: frames to ports, datagrams to other nodes."""

from typing import NamedTuple

from cluster.network.wire.frame import Frame

Address = tuple[str, int]
"""An address of the underlay, host and port; `network.underlay.Address` is one."""


class ToPort(NamedTuple):
    """Hand frames to a port (`host` and `outside` are ports, too), in this order."""

    port: str
    frames: list[Frame]


class ToPeer(NamedTuple):
    """Send payloads from the node's VXLAN socket to another node's, a datagram each.

    They have their VXLAN headers and complete checksums, and those of one cut frame are equally
    long but the last, so that `UDP_SEGMENT` may take many at once.
    """

    address: Address
    payloads: list[bytes]


class ToCable(NamedTuple):
    """Send Ethernet frames from the node's cable socket to another node's, a datagram each."""

    address: Address
    frames: list[bytes]


Action = ToPort | ToPeer | ToCable
