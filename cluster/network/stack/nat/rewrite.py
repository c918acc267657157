"""How the packets of one direction of a connection are changed: made once, applied to each.

Checksums are changed by difference (RFC 1624). Where a frame's checksum is partial (see
`wire.frame`), its field has the pseudo-header's sum only, so addresses count in it and ports do
not.
"""

import struct
from typing import Protocol

from cluster.network.stack.nat.packet import Key
from cluster.network.wire import checksums, ipv4

_SHORT = struct.Struct("!H")
_ADDRESSES = struct.Struct("!II")
_PORTS = struct.Struct("!HH")
_TCP_CHECKSUM = 16
_UDP_CHECKSUM = 6


class Change(Protocol):
    """What is done to a packet's bytes in place."""

    def apply(self, data: bytearray, offset: int, payload: int, *, partial: bool) -> None:
        """Change a frame's data whose IPv4 header is at `offset` and ends at `payload`.

        `partial` says whether the transport's checksum is (frame.csum_start over 0).
        """
        ...


class Rewrite:
    """New addresses and ports for a direction, with what its checksums change by.

    The parts are open, so that a flow cache can put them together with changes of its own.
    """

    __slots__ = (
        "addresses",
        "header_delta",
        "key",
        "partial_delta",
        "ports",
        "protocol",
        "transport_delta",
    )

    def __init__(self, old: Key, new: Key) -> None:
        self.key = new
        self.protocol = new[4]
        self.addresses = _ADDRESSES.pack(new[0], new[2])
        """New source and destination: eight bytes."""
        self.header_delta = checksums.delta32(old[0], new[0]) + checksums.delta32(old[2], new[2])
        """Of the IPv4 header's checksum."""
        ports = checksums.delta16(old[1], new[1])
        if self.protocol == ipv4.ICMP:
            self.ports = _SHORT.pack(new[1])
            """New ports: four bytes; of an echo, its new identifier: two."""
            self.partial_delta = 0
        else:
            ports += checksums.delta16(old[3], new[3])
            self.ports = _PORTS.pack(new[1], new[3])
            self.partial_delta = self.header_delta
            """Of a partial checksum of the transport."""
        self.transport_delta = self.partial_delta + ports
        """Of a whole one."""

    def apply(self, data: bytearray, offset: int, payload: int, *, partial: bool) -> None:
        """See `Change.apply`."""
        data[offset + 12 : offset + 20] = self.addresses
        _adjust(data, offset + 10, self.header_delta)
        protocol = self.protocol
        if protocol == ipv4.TCP:
            data[payload : payload + 4] = self.ports
            at = payload + _TCP_CHECKSUM
        elif protocol == ipv4.UDP:
            data[payload : payload + 4] = self.ports
            at = payload + _UDP_CHECKSUM
        elif protocol == ipv4.ICMP:
            data[payload + 4 : payload + 6] = self.ports
            _adjust(data, payload + 2, self.transport_delta)
            return
        else:
            return
        (old,) = _SHORT.unpack_from(data, at)
        if partial:
            new = checksums.partial_applied(old, self.partial_delta)
        elif old == 0 and protocol == ipv4.UDP:
            return
        else:
            new = checksums.applied(old, self.transport_delta)
            if new == 0 and protocol == ipv4.UDP:
                new = 0xFFFF
        _SHORT.pack_into(data, at, new)


def between(old: Key, new: Key) -> Rewrite | None:
    """The change from one key to another; None where they are the same."""
    return None if old == new else Rewrite(old, new)


def _adjust(data: bytearray, at: int, delta: int) -> None:
    (old,) = _SHORT.unpack_from(data, at)
    _SHORT.pack_into(data, at, checksums.applied(old, delta))
