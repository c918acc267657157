"""The pieces of a long TCP segment, all at once.

Sums are modulo 65535, where 65536 is 1 (so the halves of a word need not be added) and swapping the
bytes of a sum is multiplying it by 256 (so payload is summed in the machine's own order).
"""

import functools
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from cluster.network.wire import checksums, ethernet, ipv4, tcp

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ZERO = 0xFFFF << 32
"""A large number that is zero modulo 65535, to subtract sums from."""


class Layout(NamedTuple):
    """Where in a frame the TCP header and its payload begin, and where the payload ends."""

    tcp: int
    payload: int
    end: int


def layout_of(data: bytes) -> Layout | None:
    """Of a whole TCP segment in IPv4; None for anything else."""
    if len(data) < 54 or data[12:14] != b"\x08\x00" or data[14] >> 4 != 4 or data[23] != ipv4.TCP:
        return None
    start = ethernet.HEADER + ((data[14] & 0xF) << 2)
    if start < 34 or data[20] & 0x3F or data[21] or len(data) < start + 20:
        return None
    payload = start + (data[start + 12] >> 4 << 2)
    end = ethernet.HEADER + (data[16] << 8 | data[17])
    if payload < start + tcp.HEADER or payload > end or end > len(data):
        return None
    return Layout(start, payload, end)


class Blank(NamedTuple):
    """Headers with zeros where pieces differ, and what stood there."""

    header: bytearray
    length: int
    """Of the IPv4 packet."""
    identification: int
    sequence: int
    flags: int

    def pseudo(self) -> int:
        """The sum of the pseudo-header without the length."""
        return checksums.total(bytes(self.header[26:34])) + ipv4.TCP


def blank(data: bytes, layout: Layout) -> Blank:
    """The headers of a frame, taken apart."""
    header, at = bytearray(data[: layout.payload]), layout.tcp
    found = Blank(
        header,
        header[16] << 8 | header[17],
        header[18] << 8 | header[19],
        int.from_bytes(header[at + 4 : at + 8], "big"),
        header[at + 13],
    )
    header[16:20] = bytes(4)
    header[24:26] = bytes(2)
    header[at + 4 : at + 8] = bytes(4)
    header[at + 13] = 0
    header[at + 16 : at + 18] = bytes(2)
    return found


@functools.lru_cache(maxsize=1024)
def ramp(count: int, step: int) -> "NDArray[np.uint32]":
    """0, step, 2 * step, …: not to be written to."""
    import numpy as np

    found = np.arange(count, dtype=np.uint32) * np.uint32(step)
    found.flags.writeable = False
    return found


@functools.lru_cache(maxsize=256)
def fields_of(row: int, network: int, transport: int) -> "np.dtype[np.void]":
    """The fields that differ in every piece, in a row of `row` bytes; TCP's checksum as a number
    of the machine's.
    """
    import numpy as np

    return np.dtype(
        {
            "names": ["id", "ip_sum", "sequence", "sum"],
            "formats": [">u2", ">u2", ">u4", "=u2"],
            "offsets": [
                network + 4,
                network + 10,
                transport + 4,
                transport + tcp.CHECKSUM,
            ],
            "itemsize": row,
        }
    )


@functools.lru_cache(maxsize=256)
def same_of(row: int, head: int, network: int, transport: int) -> "NDArray[Any]":
    """A mask of what is the same in every piece: rows of `row` bytes have `head` of headers. In
    words as long as such rows may be cut into.
    """
    import numpy as np

    word = next(size for size in (8, 4, 2, 1) if not row % size)
    found = np.zeros(head + -head % word, np.uint8)
    found[:head] = 0xFF
    for at, length in (
        (network + 4, 2),
        (network + 10, 2),
        (transport + 4, 4),
        (transport + 13, 1),
        (transport + tcp.CHECKSUM, 2),
    ):
        found[at : at + length] = 0
    words = found.view(f"u{word}")
    words.flags.writeable = False
    return words


def sums_of(rows: "NDArray[np.uint8]", start: int) -> "tuple[NDArray[np.uint64], int]":
    """What the words of every row from `start` on (an even place) add up to, as the machine reads
    them, and what of it is too much: words before it that are the same in all rows.
    """
    import numpy as np

    count, size = rows.shape
    if size & 3:
        if size & 1:
            padded = np.zeros((count, size + 1), np.uint8)
            padded[:, :size] = rows
            rows = padded
        words = rows.view(np.uint16)[:, start >> 1 :]
        return np.add.reduce(words, axis=1, dtype=np.uint32).astype(np.uint64), 0
    # Half as many additions: 65536 is 1, so the halves of a word are added by themselves.
    found = np.add.reduce(rows.view(np.uint32)[:, start >> 2 :], axis=1, dtype=np.uint64)
    before = rows[0, start & ~3 : start].tobytes()
    return found, int.from_bytes(before, sys.byteorder)


def native(value: int) -> int:
    """A sum of the network's words as one of the machine's."""
    if sys.byteorder == "big":
        return value
    value = checksums.fold(value)
    return (value & 0xFF) << 8 | value >> 8
