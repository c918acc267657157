"""Fragments become packets again (RFC 791, 3.2; RFC 1122, 3.3.2), in bounded memory.

As in Linux: pieces that overlap spoil the packet (an attack, or a broken sender), one that comes
twice is passed over, and where there is no room the packet that was begun first is given up.
"""

import bisect
from typing import Final

from cluster.network.wire import ipv4

TIMEOUT: Final = 30.0
"""Seconds that a packet's pieces are waited for (ipfrag_time)."""
LARGEST: Final = 4 << 20
"""Bytes that are held at most (ipfrag_high_thresh)."""
_OVERHEAD: Final = 128
"""What a piece costs besides its bytes."""

_Key = tuple[int, int, int, int]


class _Pieces:
    """What came of one packet."""

    __slots__ = ("begun", "cost", "first", "length", "parts", "received", "starts")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.starts: list[int] = []
        self.parts: dict[int, bytes] = {}
        self.received = 0
        self.length = -1
        """Of the payload; known once the last piece came."""
        self.cost = 0
        self.first = b""
        """The first fragment, from the frame's beginning on."""

    def take(self, start: int, part: bytes, *, last: bool) -> bool:
        """A piece; False where it does not fit to the others. One that came before is no harm."""
        end = start + len(part)
        if self.parts.get(start) == part and (end == self.length if last else True):
            return True
        if last:
            if self.length not in (-1, end) or (self.starts and self._end(-1) > end):
                return False
            self.length = end
        elif len(part) & 7 or not part or (self.length >= 0 and end > self.length):
            return False
        at = bisect.bisect_left(self.starts, start)
        if at < len(self.starts) and self.starts[at] < end:
            return False
        if at and self._end(at - 1) > start:
            return False
        self.starts.insert(at, start)
        self.parts[start] = part
        self.received += len(part)
        return True

    def _end(self, at: int) -> int:
        start = self.starts[at]
        return start + len(self.parts[start])


class Reassembly:
    """Packets that are not whole yet. `deadline` and `tick` are its timer."""

    def __init__(self, *, timeout: float = TIMEOUT, largest: int = LARGEST) -> None:
        self._timeout = timeout
        self._largest = largest
        self._packets: dict[_Key, _Pieces] = {}
        self._held = 0
        self.failed = 0
        """Packets that never became whole."""

    def add(self, now: float, data: bytes, header: ipv4.Header) -> bytes | None:
        """A fragment (`header` is that of the frame `data`); the frame of the packet it completes.

        That frame has what the first fragment has before its payload (link, header, options).
        """
        key = header.source, header.destination, header.protocol, header.identification
        pieces = self._packets.get(key)
        if pieces is None:
            pieces = self._packets[key] = _Pieces(now)
        part = bytes(data[header.payload : header.end])
        held = len(pieces.starts)
        if not pieces.take(header.fragment_offset, part, last=not header.more_fragments):
            self._drop(key)
            self.failed += 1
            return None
        if header.fragment_offset == 0 and not pieces.first:
            pieces.first = bytes(data[: header.end])
        if len(pieces.starts) > held:
            cost = len(part) + _OVERHEAD
            pieces.cost += cost
            self._held += cost
            while self._held > self._largest:
                self._drop(next(iter(self._packets)))
                self.failed += 1
        if pieces.received != pieces.length or key not in self._packets:
            return None
        self._drop(key)
        return self._whole(pieces, header)

    def _whole(self, pieces: _Pieces, header: ipv4.Header) -> bytes | None:
        first = ipv4.parse(pieces.first, header.offset, verify=False)
        if first is None or first.payload - first.offset + pieces.length > ipv4.LARGEST:
            self.failed += 1
            return None
        body = b"".join(pieces.parts[start] for start in pieces.starts)
        head = ipv4.header(
            first.source,
            first.destination,
            first.protocol,
            len(body),
            ttl=first.ttl,
            tos=first.tos,
            identification=first.identification,
            fragment=0,
            options=pieces.first[first.offset + ipv4.HEADER : first.payload],
        )
        return pieces.first[: first.offset] + head + body

    @property
    def deadline(self) -> float | None:
        """When `tick` is to be called next."""
        oldest = next(iter(self._packets.values()), None)
        return None if oldest is None else oldest.begun + self._timeout

    def tick(self, now: float) -> list[bytes]:
        """Give up what is not whole in time.

        The first fragments of these packets, of those whose first one came: their senders are told
        (ICMP time exceeded, code 1).
        """
        late: list[bytes] = []
        while (deadline := self.deadline) is not None and deadline <= now:
            pieces = self._drop(next(iter(self._packets)))
            self.failed += 1
            if pieces.first:
                late.append(pieces.first)
        return late

    def _drop(self, key: _Key) -> _Pieces:
        pieces = self._packets.pop(key)
        self._held -= pieces.cost
        return pieces
