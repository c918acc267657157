"""How a packet's frame looks when it leaves: rewritten, and cut where it must be."""

from cluster.network.stack.nat.packet import Packet
from cluster.network.wire import checksums, ethernet, ipv4, offload
from cluster.network.wire.frame import Frame


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
