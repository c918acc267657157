"""flannel.1: the VXLAN tunnel endpoint of a node.

The wire is RFC 7348's, strictly. Between two endpoints of kubemu that both say so, *turbo* spares
cutting and summing: a frame goes whole, and the reserved bytes of the header say what virtio-net's
would: byte 1 is 1 where the checksum is partial, bytes 2 and 3 are the size of the segments.
"""

from typing import Final

from cluster.network.stack import egress
from cluster.network.stack.actions import Payload
from cluster.network.stack.peers import Peer
from cluster.network.wire import ethernet, ipv4, tcp, trains, udp, vxlan
from cluster.network.wire.frame import Frame

_LARGEST: Final = trains.MOST_BYTES - vxlan.HEADER
_FIELDS: Final = {ipv4.TCP: tcp.CHECKSUM, ipv4.UDP: udp.CHECKSUM}


class Tunnel:
    """Encapsulates what goes to one peer."""

    __slots__ = ("_vni", "header", "whole")

    def __init__(self, peer: Peer, *, turbo: bool) -> None:
        self.header = vxlan.header(peer.vni)
        self._vni = peer.vni
        self.whole = turbo and peer.turbo
        """Whether frames go whole that are larger than the MTU."""

    def payloads(self, frame: Frame) -> list[Payload]:
        """The datagrams of a frame."""
        if frame.csum_start and self.whole and len(frame.data) <= _LARGEST:
            size = frame.gso_size.to_bytes(2, "big")
            return [b"\x08\x01" + size + (self._vni << 8).to_bytes(4, "big") + frame.data]
        return egress.datagrams(frame, self.header)


class Vtep:
    """Takes frames out of what comes from peers."""

    __slots__ = ("_turbo", "mac", "vni")

    def __init__(self, mac: bytes, vni: int, *, turbo: bool) -> None:
        self.mac = mac
        self.vni = vni
        self._turbo = turbo

    def frames(self, peer: Peer, payload: bytes) -> list[Frame]:
        """The frame of a datagram; none where it is not of this network."""
        if vxlan.parse(payload) != self.vni:
            return []
        return self.whole(peer, payload) or [Frame(payload[vxlan.HEADER :])]

    def whole(self, peer: Peer, payload: bytes) -> list[Frame]:
        """The frame of a datagram of turbo; none where it is no such, or malformed."""
        turbo = payload[1:2] == b"\x01" and self._turbo and peer.turbo
        return _whole(payload) if turbo else []


def _whole(payload: bytes) -> list[Frame]:
    """The frame of a turbo datagram; none where it is malformed."""
    data = payload[vxlan.HEADER :]
    if len(data) < ethernet.HEADER + ipv4.HEADER:
        return []
    offset = _FIELDS.get(data[23])
    start = ethernet.HEADER + ((data[14] & 0xF) << 2)
    if offset is None or len(data) < start + offset + 2:
        return []
    size = int.from_bytes(payload[2:4], "big")
    return [Frame(data, size, start, offset, trusted=True)]
