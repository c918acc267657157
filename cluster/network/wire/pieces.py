"""The pieces of a long TCP segment, all at once: what differs between them, as arrays."""

import functools
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from cluster.network.wire import checksums, ethernet, ipv4, tcp

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MIXED = tcp.FIN | tcp.PSH | tcp.CWR
"""Flags that only the first or the last piece of a cut segment has."""


class Layout(NamedTuple):
    """Where in a frame the TCP header and its payload begin."""

    tcp: int
    payload: int
    end: int


def layout_of(data: bytes) -> Layout | None:
    """Of a whole TCP segment in IPv4; None for anything else."""
    if len(data) < 54 or data[12:14] != b"\x08\x00" or data[14] >> 4 != 4 or data[23] != ipv4.TCP:
        return None
    start = ethernet.HEADER + ((data[14] & 0xF) << 2)
    if start < 34 or int.from_bytes(data[20:22], "big") & 0x3FFF or len(data) < start + 20:
        return None
    payload = start + (data[start + 12] >> 4 << 2)
    end = ethernet.HEADER + int.from_bytes(data[16:18], "big")
    if payload < start + tcp.HEADER or payload > end or end > len(data):
        return None
    return Layout(start, payload, end)


@functools.lru_cache(maxsize=256)
def fields_of(row: int, network: int, transport: int) -> "np.dtype[np.void]":
    """The fields of a piece that differ from its neighbours', in a row of `row` bytes."""
    import numpy as np

    return np.dtype(
        {
            "names": ["length", "id", "ip_sum", "sequence", "flags", "sum"],
            "formats": [">u2", ">u2", ">u2", ">u4", "u1", ">u2"],
            "offsets": [
                network + 2,
                network + 4,
                network + 10,
                transport + 4,
                transport + 13,
                transport + tcp.CHECKSUM,
            ],
            "itemsize": row,
        }
    )


def folded(sums: "NDArray[Any]") -> "NDArray[Any]":
    """Sums of 16 bits, of sums of 32."""
    sums = (sums & 0xFFFF) + (sums >> 16)
    return (sums & 0xFFFF) + (sums >> 16)


def _swapped(sums: "NDArray[Any]") -> "NDArray[Any]":
    """Sums of words in the machine's order as sums of the network's words."""
    words = folded(sums)
    return (words & 0xFF) << 8 | words >> 8 if sys.byteorder == "little" else words


def payload_sums(payload: "NDArray[np.uint8]", size: int) -> "NDArray[Any]":
    """The sum of every piece of `size` bytes; the last may be shorter."""
    import numpy as np

    whole, rest = divmod(len(payload), size)
    sums = np.zeros(whole + (rest > 0), np.uint32)
    if size & 1:
        padded = np.zeros((whole, size + 1), np.uint8)
        padded[:, :size] = payload[: whole * size].reshape(whole, size)
        words = padded.view(np.uint16)
    else:
        words = payload[: whole * size].view(np.uint16).reshape(whole, size >> 1)
    sums[:whole] = words.sum(axis=1, dtype=np.uint32)
    sums = _swapped(sums)
    if rest:
        sums[whole] = checksums.total(payload[whole * size :].tobytes())
    return sums


class Values(NamedTuple):
    """What differs between pieces, an array each, and the sums of what does not."""

    length: "NDArray[np.uint32]"
    identification: "NDArray[np.uint32]"
    sequence: "NDArray[np.uint32]"
    flags: "NDArray[np.uint32]"
    network_sum: int
    """Of the IPv4 header, without length, identification and checksum."""
    transport_sum: int
    """Of the TCP header, without sequence, flags and checksum, and of the pseudo-header's rest."""

    def network(self) -> "NDArray[np.uint32]":
        """The sums of the IPv4 headers, without their checksums."""
        return self.length + (self.identification & 0xFFFF) + self.network_sum

    def transport(self, headers: int) -> "NDArray[np.uint32]":
        """The sums of the TCP headers, without their checksums; `headers`: bytes of IPv4's."""
        return (
            (self.sequence >> 16)
            + (self.sequence & 0xFFFF)
            + self.flags
            + (self.length - headers)
            + self.transport_sum
        )


def values_of(header: bytearray, layout: Layout, count: int, size: int) -> Values:
    """The values of `count` pieces of `size` payload bytes; blanks the fields in `header`.

    The flags are those that all pieces share.
    """
    import numpy as np

    index = np.arange(count, dtype=np.uint32)
    identification = index + int.from_bytes(header[18:20], "big")
    at = layout.tcp
    sequence = index * np.uint32(size) + np.uint32(int.from_bytes(header[at + 4 : at + 8], "big"))
    flags = np.full(count, header[at + 13] & ~_MIXED, np.uint32)
    length = np.full(count, layout.payload - ethernet.HEADER + size, np.uint32)
    addresses = checksums.total(bytes(header[26:34])) + ipv4.TCP
    _blank(header, at)
    return Values(
        length,
        identification,
        sequence,
        flags,
        checksums.total(bytes(header[ethernet.HEADER : at])),
        checksums.total(bytes(header[at:])) + addresses,
    )


def _blank(header: bytearray, at: int) -> None:
    header[16:20] = bytes(4)
    header[24:26] = bytes(2)
    header[at + 4 : at + 8] = bytes(4)
    header[at + 13] = 0
    header[at + 16 : at + 18] = bytes(2)


def fill(
    rows: "NDArray[np.uint8]",
    prefix: int,
    layout: Layout,
    values: Values,
    payload_sums: "NDArray[np.uint32]",
) -> None:
    """Write what differs into the rows."""
    kind = fields_of(rows.shape[1], prefix + ethernet.HEADER, prefix + layout.tcp)
    fields: Any = rows.view(kind)[:, 0]
    fields["length"] = values.length
    fields["id"] = values.identification & 0xFFFF
    fields["ip_sum"] = folded(values.network()) ^ 0xFFFF
    fields["sequence"] = values.sequence
    fields["flags"] = values.flags
    sums = values.transport(layout.tcp - ethernet.HEADER) + payload_sums
    fields["sum"] = folded(sums) ^ 0xFFFF
