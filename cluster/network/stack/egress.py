"""Frames at the node's edge: rewritten and cut where they leave, joined where they come."""

from typing import Final

from cluster.network.stack.actions import Payload
from cluster.network.stack.nat.packet import Packet
from cluster.network.wire import checksums, ethernet, ipv4, offload
from cluster.network.wire.frame import Frame
from cluster.network.wire.trains import Train

_ADDRESSES: Final = 26
"""Where in a frame the addresses of IPv4 begin, and then the ports."""


def rewritten(packet: Packet, link: bytes, *, hops: int) -> Frame:
    """The packet's frame as it leaves, with `hops` less to live."""
    frame, header = packet.frame, packet.header
    data = bytearray(frame.data)
    data[: ethernet.HEADER] = link
    if packet.change is not None:
        packet.change.apply(data, header.offset, header.payload, partial=frame.csum_start > 0)
    if hops:
        at = header.offset
        data[at + 8] = header.ttl - hops
        delta = checksums.delta16(header.ttl << 8, header.ttl - hops << 8)
        total = checksums.applied(data[at + 10] << 8 | data[at + 11], delta)
        data[at + 10 : at + 12] = total.to_bytes(2, "big")
    return Frame(bytes(data), frame.gso_size, frame.csum_start, frame.csum_offset, frame.trusted)


def fitted(frame: Frame, mtu: int) -> list[Frame]:
    """A frame as one or more that fit into an MTU; that it may be cut was seen before."""
    if len(frame.data) <= mtu + ethernet.HEADER:
        return [frame]
    if frame.gso_size:
        cut = offload.cut(frame)
        if len(cut[0]) <= mtu + ethernet.HEADER:
            return [frame]
        return [piece for data in cut for piece in fitted(Frame(data), mtu)]
    data = offload.complete(frame)
    link = data[: ethernet.HEADER]
    pieces = ipv4.fragments(data[ethernet.HEADER :], mtu)
    return [Frame(link + piece, trusted=frame.trusted) for piece in pieces]


def with_link(frame: Frame, link: bytes) -> Frame:
    """A frame with another Ethernet header."""
    return Frame(
        link + frame.data[ethernet.HEADER :],
        frame.gso_size,
        frame.csum_start,
        frame.csum_offset,
        frame.trusted,
    )


def datagrams(frame: Frame, prefix: bytes = b"") -> list[Payload]:
    """A frame as what a standard wire carries, each piece behind `prefix`."""
    if not frame.csum_start:
        return [prefix + frame.data]
    if not frame.gso_size:
        return [prefix + offload.complete(frame)]
    return [
        train if len(train.data) > train.size else train.data
        for train in offload.trains(frame, prefix)
    ]


def joined(train: Train, prefix: bytes = b"") -> Frame | None:
    """The long segment that a train was cut of, whose pieces are behind `prefix`.

    None where they do not belong together, which nearly always the first two tell.
    """
    data, size = train
    first = len(prefix) + _ADDRESSES
    second = first + size
    if len(data) <= size:
        return None
    same = data[first : first + 12] == data[second : second + 12]
    if not same or data[: len(prefix)] != prefix:
        return None
    frames = offload.join(train, len(prefix))
    return frames[0] if len(frames) == 1 else None
