"""Fragments of IPv4 packets put together (RFC 791, 3.2; RFC 5722's caution), within bounds."""

from collections.abc import Iterator
from typing import Final

from cluster.network.wire import ethernet, ipv4

SECONDS: Final = 30.0
"""net.ipv4.ipfrag_time."""
_PACKETS: Final = 64
"""Packets that are being put together; the oldest gives way."""
_PIECES: Final = 64
"""Fragments of one packet."""
_BYTES: Final = 1 << 20
"""net.ipv4.ipfrag_high_thresh, less."""


class _Parts:
    """The fragments of one packet that have come."""

    __slots__ = ("at", "first", "length", "pieces", "size")

    def __init__(self, at: float) -> None:
        self.at = at
        self.first = b""
        """The frame up to the payload, of the first fragment."""
        self.length = -1
        """Of the whole payload, once the last fragment is there."""
        self.pieces: dict[int, bytes] = {}
        self.size = 0


class Reassembly:
    """Packets in parts, by source, destination, protocol and identification."""

    def __init__(self) -> None:
        self._parts: dict[tuple[int, int, int, int], _Parts] = {}
        self._size = 0
        self.failed = 0
        """Packets that were given up: overlapping, malformed, too old, too many."""

    def add(self, now: float, data: bytes, header: ipv4.Header) -> bytes | None:
        """A frame with a fragment; the whole packet as a frame, when it is the last to come."""
        key = (header.source, header.destination, header.protocol, header.identification)
        parts = self._parts.get(key)
        if parts is None:
            self._make_room()
            parts = self._parts[key] = _Parts(now + SECONDS)
        payload = data[header.payload : header.end]
        if not self._fits(parts, header, payload):
            self._give_up(key)
            return None
        if header.fragment_offset not in parts.pieces:
            parts.pieces[header.fragment_offset] = payload
            parts.size += len(payload)
            self._size += len(payload)
        if not header.fragment_offset:
            parts.first = data[: header.payload]
        if not header.more_fragments:
            parts.length = header.fragment_offset + len(payload)
        if not parts.first or parts.size != parts.length:
            return None
        self._forget(key)
        return _joined(parts, header)

    def _fits(self, parts: _Parts, header: ipv4.Header, payload: bytes) -> bool:
        """Whether a fragment may belong to the others: nothing overlaps, nothing is beyond."""
        start = header.fragment_offset
        end = start + len(payload)
        if not payload or (header.more_fragments and len(payload) % 8):
            return False
        known = parts.pieces.get(start)
        if known is not None:
            return known == payload  # the same once more
        if len(parts.pieces) >= _PIECES:
            return False
        if parts.length >= 0 and (end > parts.length or not header.more_fragments):
            return False
        for at, piece in parts.pieces.items():
            if at < end and start < at + len(piece):
                return False
            if not header.more_fragments and at > start:
                return False
        return True

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def deadline(self) -> float:
        """When the oldest is to be given up."""
        return next((parts.at for parts in self._parts.values()), float("inf"))

    def expire(self, now: float) -> Iterator[bytes]:
        """Give up what is old; the first fragments, as frames, where they have come."""
        while self._parts and self.deadline <= now:
            key = next(iter(self._parts))
            parts = self._parts[key]
            self._give_up(key)
            if parts.first:
                yield parts.first + parts.pieces[0]

    def _make_room(self) -> None:
        while self._parts and (len(self._parts) >= _PACKETS or self._size >= _BYTES):
            self._give_up(next(iter(self._parts)))

    def _give_up(self, key: tuple[int, int, int, int]) -> None:
        self.failed += 1
        self._forget(key)

    def _forget(self, key: tuple[int, int, int, int]) -> None:
        self._size -= self._parts.pop(key).size


def _joined(parts: _Parts, header: ipv4.Header) -> bytes | None:
    payload = b"".join(parts.pieces[at] for at in sorted(parts.pieces))
    first = parts.first
    options = first[ethernet.HEADER + ipv4.HEADER :]
    if len(payload) + ipv4.HEADER + len(options) > ipv4.LARGEST:
        return None
    whole = ipv4.header(
        header.source,
        header.destination,
        header.protocol,
        len(payload),
        ttl=first[ethernet.HEADER + 8],
        tos=first[ethernet.HEADER + 1],
        identification=header.identification,
        fragment=0,
        options=options,
    )
    return first[: ethernet.HEADER] + whole + payload
