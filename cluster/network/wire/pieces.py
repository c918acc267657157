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

ZERO = 0xFFFF << 16
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
    """The fields that differ in every piece, in a row of `row` bytes."""
    import numpy as np

    return np.dtype(
        {
            "names": ["id", "ip_sum", "sequence", "sum"],
            "formats": [">u2", ">u2", ">u4", ">u2"],
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
def same_of(head: int, network: int, transport: int) -> "NDArray[np.uint8]":
    """A mask of the header's bytes that are the same in every piece."""
    import numpy as np

    found = np.full(head, 0xFF, np.uint8)
    for at, length in (
        (network + 4, 2),
        (network + 10, 2),
        (transport + 4, 4),
        (transport + tcp.CHECKSUM, 2),
    ):
        found[at : at + length] = 0
    return found


def words_of(rows: "NDArray[np.uint8]") -> "NDArray[np.uint16]":
    """The words of rows; a zero follows where their length is odd."""
    import numpy as np

    count, size = rows.shape
    if size & 1:
        padded = np.zeros((count, size + 1), np.uint8)
        padded[:, :size] = rows
        rows = padded
    return rows.view(np.uint16)


def payload_sums(payload: "NDArray[np.uint8]", size: int) -> "NDArray[Any]":
    """What every piece of `size` bytes adds to a sum; the last may be shorter. At most 2**24."""
    import numpy as np

    whole, rest = divmod(len(payload), size)
    words = words_of(payload[: whole * size].reshape(whole, size))
    sums = np.zeros(whole + (rest > 0), np.uint32)
    np.add.reduce(words, axis=1, dtype=np.uint32, out=sums[:whole])
    sums %= np.uint32(0xFFFF)
    if sys.byteorder == "little":
        sums *= np.uint32(256)
    if rest:
        sums[whole] = checksums.total(payload[whole * size :].tobytes())
    return sums


def native(value: int) -> int:
    """A sum of the network's words as one of the machine's."""
    if sys.byteorder == "big":
        return value
    value = checksums.fold(value)
    return (value & 0xFF) << 8 | value >> 8
