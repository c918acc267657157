"""flannel.1: the VXLAN tunnel endpoint of a node.

The wire is RFC 7348's, strictly. Between two endpoints of kubemu that both say so, *turbo* spares
cutting and summing: a frame goes whole, and the reserved bytes of the header say what virtio-net's
would: byte 1 is 1 where the checksum is partial, bytes 2 and 3 are the size of the segments.
"""

from typing import Final

from cluster.network.stack.actions import Payload
from cluster.network.stack.peers import Peer
from cluster.network.wire import ethernet, ipv4, offload, tcp, trains, udp, vxlan
from cluster.network.wire.frame import Frame
from cluster.network.wire.trains import Train

_FLOW: Final = slice(vxlan.HEADER + 26, vxlan.HEADER + 38)
"""Addresses and ports of a datagram's frame."""
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
        if not frame.csum_start:
            return [self.header + frame.data]
        if self.whole and len(frame.data) <= trains.MOST_BYTES - vxlan.HEADER:
            size = frame.gso_size.to_bytes(2, "big")
            return [b"\x08\x01" + size + (self._vni << 8).to_bytes(4, "big") + frame.data]
        if not frame.gso_size:
            return [self.header + offload.complete(frame)]
        return [
            train if len(train.data) > train.size else train.data
            for train in offload.trains(frame, self.header)
        ]


class Vtep:
    """Takes frames out of what comes from peers."""

    __slots__ = ("_header", "_turbo", "mac", "vni")

    def __init__(self, mac: bytes, vni: int, *, turbo: bool) -> None:
        self.mac = mac
        self.vni = vni
        self._turbo = turbo
        self._header = vxlan.header(vni)

    def frames(self, peer: Peer, payload: bytes) -> list[Frame]:
        """The frame of a datagram; none where it is not of this network."""
        if vxlan.parse(payload) != self.vni:
            return []
        return self.whole(peer, payload) or [Frame(payload[vxlan.HEADER :])]

    def joined(self, train: Train) -> Frame | None:
        """The long segment that a train was cut of; None where its pieces do not belong together.

        Nearly always the first two pieces tell.
        """
        data, size = train
        first, second = _FLOW, slice(_FLOW.start + size, _FLOW.stop + size)
        if data[first] != data[second] or data[:8] != self._header:
            return None
        joined = offload.join(train, vxlan.HEADER)
        return joined[0] if len(joined) == 1 else None

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
