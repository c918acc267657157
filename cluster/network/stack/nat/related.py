"""ICMP errors about connections: they are sent on as the connection's own packets are.

As in Linux the packet that an error quotes is shown as its sender sent it, and where the error's
direction has another source, the error comes from that, whichever router made it.
"""

import struct

from cluster.network.stack.nat.conntrack import Way
from cluster.network.stack.nat.packet import Key, inverse
from cluster.network.stack.nat.rewrite import Rewrite
from cluster.network.wire import checksums, icmp, ipv4

_SHORT = struct.Struct("!H")
_ADDRESSES = struct.Struct("!II")
_TCP_HAS_CHECKSUM = 18


class Related:
    """The change of an ICMP error that belongs to a direction."""

    __slots__ = ("_inner", "_inner_protocol", "destination", "source")

    def __init__(self, way: Way, source: int) -> None:
        old, new = way.key, way.new_key
        self.source = new[0] if new[0] != old[0] else source
        self.destination = new[2]
        self._inner = Rewrite(inverse(old), inverse(new))
        self._inner_protocol = old[4]

    def apply(self, data: bytearray, offset: int, payload: int, *, partial: bool) -> None:
        """See `rewrite.Change.apply`."""
        length = int.from_bytes(data[offset + 2 : offset + 4], "big")
        message = slice(payload, offset + length)
        before = checksums.total(bytes(data[message]))
        self._quotation(data, payload + icmp.HEADER, offset + length)
        after = checksums.total(bytes(data[message]))
        _adjust(data, payload + 2, checksums.delta16(before, after))
        old = _ADDRESSES.unpack_from(data, offset + 12)
        _ADDRESSES.pack_into(data, offset + 12, self.source, self.destination)
        delta = checksums.delta32(old[0], self.source)
        delta += checksums.delta32(old[1], self.destination)
        _adjust(data, offset + 10, delta)

    def _quotation(self, data: bytearray, offset: int, end: int) -> None:
        """Change the quoted packet, of which there may be no more than eight bytes of payload."""
        payload = offset + ((data[offset] & 0xF) << 2)
        if self._inner_protocol == ipv4.TCP and end < payload + _TCP_HAS_CHECKSUM:
            # Its checksum is cut off: change what is there of it by hand.
            data[offset + 12 : offset + 20] = self._inner.addresses
            _adjust(data, offset + 10, self._inner.header_delta)
            data[payload : payload + 4] = self._inner.ports
            return
        self._inner.apply(data, offset, payload, partial=False)


def key_of(quoted: Key) -> Key:
    """The key of the direction that an error belongs to whose quotation has this key."""
    return inverse(quoted)


def _adjust(data: bytearray, at: int, delta: int) -> None:
    (old,) = _SHORT.unpack_from(data, at)
    _SHORT.pack_into(data, at, checksums.applied(old, delta))
