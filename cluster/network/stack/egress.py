"""How a packet that was decided on leaves: rewritten, cut where it must be, by its exit."""

from typing import NamedTuple

from cluster.network.stack.nat.packet import Packet
from cluster.network.stack.outbox import ByteQueue, FrameQueue
from cluster.network.stack.vtep import Tunnel
from cluster.network.wire import checksums, ethernet, ipv4, offload
from cluster.network.wire.frame import Frame


class Exit(NamedTuple):
    """Where packets leave, ready for their next hop."""

    link: bytes
    """Their Ethernet header."""
    queue: FrameQueue | ByteQueue
    mtu: int
    tunnel: Tunnel | None = None
    where: str = ""
    """The port or node that is the next hop."""
    lasting: bool = True
    """Whether it stays so until some table changes: not, where its MAC was learned."""

    def send(self, frames: list[Frame]) -> None:
        """Send frames that have their Ethernet header."""
        queue = self.queue
        for frame in frames:
            if isinstance(queue, FrameQueue):
                queue.push(frame)
                continue
            cut = offload.cut(frame) if self.tunnel is None else self.tunnel.payloads(frame)
            for payload in cut:
                queue.push(payload)


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
