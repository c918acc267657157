"""How many datagrams travel at once (UDP_SEGMENT, UDP_GRO of Linux)."""

from collections.abc import Sequence
from typing import NamedTuple

MOST_PIECES = 64
"""Linux's UDP_MAX_SEGMENTS (128 since 5.19, half of it before)."""
MOST_BYTES = 65507
"""What one datagram of UDP, and so one train, carries at most."""


class Train(NamedTuple):
    """`data` in pieces of `size` bytes; the last may be shorter. One piece: size is its length."""

    data: bytes
    size: int

    @property
    def pieces(self) -> list[bytes]:
        """The datagrams, one by one."""
        data, size = self
        if len(data) <= size:
            return [data]
        return [data[at : at + size] for at in range(0, len(data), size)]


def couple(datagrams: Sequence[bytes]) -> list[Train]:
    """Datagrams as trains, in their order: runs of one size, with a shorter one at the end."""
    found: list[Train] = []
    first = 0
    size = len(datagrams[0]) if datagrams else 0
    fit = 0 < len(datagrams) <= min(MOST_PIECES, MOST_BYTES // max(size, 1))
    if fit and size and len(set(map(len, datagrams))) == 1:
        return [Train(b"".join(datagrams), size)]
    while first < len(datagrams):
        size = len(datagrams[first])
        most = first + max(1, min(MOST_PIECES, MOST_BYTES // max(size, 1)))
        last = first + 1
        while last < min(most, len(datagrams)) and len(datagrams[last]) == size > 0:
            last += 1
        if last < min(most, len(datagrams)) and 0 < len(datagrams[last]) < size:
            last += 1
        found.append(Train(b"".join(datagrams[first:last]), size))
        first = last
    return found
