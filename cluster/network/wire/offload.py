"""What a network card does for its host: complete checksums, cut long segments, join short ones.

Long TCP segments (`Frame.gso_size`) become trains of encapsulated frames, and trains become long
segments again. numpy does all pieces of a segment at once.
"""

from typing import TYPE_CHECKING, Any

from cluster.network.wire import checksums, ethernet, ipv4, pieces, tcp, udp
from cluster.network.wire.frame import Frame
from cluster.network.wire.trains import MOST_BYTES, MOST_PIECES, Train

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIELDS = {ipv4.TCP: tcp.CHECKSUM, ipv4.UDP: udp.CHECKSUM}
_ACK = bytes((tcp.ACK,))
_ZERO = 0xFFFF << 16
_MIXED = tcp.FIN | tcp.PSH | tcp.CWR
"""Flags that only the first or the last piece of a cut segment has."""


def complete(frame: Frame) -> bytes:
    """The frame's bytes with a whole checksum, not cut."""
    start = frame.csum_start
    if not start:
        return frame.data
    data = frame.data
    field = start + frame.csum_offset
    value = checksums.total(data[start:]) ^ 0xFFFF or 0xFFFF
    return b"".join((data[:field], value.to_bytes(2, "big"), data[field + 2 :]))


def unfinished(data: bytes, mtu: int) -> Frame:
    """A frame whose checksum and cutting its sender may have left to a card that there is not.

    A kernel's VXLAN device over veth does so: the checksum's field holds the pseudo-header's sum
    only, and a segment of TCP may be larger than `mtu`. Should a right checksum be that number by
    chance, it is made again, and is the same.
    """
    if len(data) < 42 or data[12:14] != b"\x08\x00" or data[20] & 0x3F or data[21]:
        return Frame(data)
    offset = _FIELDS.get(data[23])
    start = ethernet.HEADER + ((data[14] & 0xF) << 2)
    end = ethernet.HEADER + (data[16] << 8 | data[17])
    if offset is None or end != len(data) or start + offset + 2 > end:
        return Frame(data)
    source, destination = int.from_bytes(data[26:30], "big"), int.from_bytes(data[30:34], "big")
    partial = checksums.pseudo(source, destination, data[23], end - start)
    if data[start + offset] << 8 | data[start + offset + 1] != partial:
        return Frame(data)
    size = 0
    if data[23] == ipv4.TCP and len(data) > mtu + ethernet.HEADER:
        size = mtu + ethernet.HEADER - start - (data[start + 12] >> 4 << 2)
    return Frame(data, max(size, 0), start, offset)


def cut(frame: Frame) -> list[bytes]:
    """The frames that a wire gets of a frame: short and with whole checksums."""
    if not frame.gso_size:
        return [complete(frame)]
    return [piece for train in trains(frame) for piece in train.pieces]


def datagrams(frame: Frame) -> list[bytes]:
    """The frames of UDP datagrams that were sent at once, each of `gso_size` bytes of payload.

    None at all where it is no such frame.
    """
    data, start = frame.data, frame.csum_start
    packet = ipv4.parse(data, verify=False)
    if packet is None or packet.protocol != ipv4.UDP or packet.payload != start:
        return []
    if packet.is_fragment or packet.end < start + udp.HEADER:
        return []
    ports = (
        int.from_bytes(data[start : start + 2], "big"),
        int.from_bytes(data[start + 2 : start + 4], "big"),
    )
    found: list[bytes] = []
    payloads = range(start + udp.HEADER, packet.end, frame.gso_size)
    for number, at in enumerate(payloads):
        payload = data[at : min(at + frame.gso_size, packet.end)]
        body = udp.build(packet.source, packet.destination, *ports, payload)
        header = ipv4.header(
            packet.source,
            packet.destination,
            ipv4.UDP,
            len(body),
            ttl=packet.ttl,
            tos=packet.tos,
            identification=packet.identification + number & 0xFFFF,
            fragment=packet.fragment,
            options=data[ethernet.HEADER + ipv4.HEADER : start],
        )
        found.append(data[: ethernet.HEADER] + header + body)
    return found


def trains(frame: Frame, prefix: bytes = b"") -> list[Train]:
    """The frames that a wire gets, as trains, each behind `prefix` (the header of VXLAN), which has
    an even length.
    """
    layout = pieces.layout_of(frame.data) if frame.gso_size else None
    if layout is None or layout.end - layout.payload <= frame.gso_size:
        data = prefix + complete(frame)
        return [Train(data, len(data))]
    row = len(prefix) + layout.payload + frame.gso_size
    step = max(min(MOST_PIECES, MOST_BYTES // row), 1) * frame.gso_size
    return [
        _train(frame, prefix, layout, start, min(start + step, layout.end))
        for start in range(layout.payload, layout.end, step)
    ]


def _train(frame: Frame, prefix: bytes, layout: pieces.Layout, start: int, end: int) -> Train:
    """The pieces of the segment's bytes from `start` to `end`."""
    import numpy as np

    size = frame.gso_size
    payload = np.frombuffer(frame.data, np.uint8, end - start, start)
    whole, rest = divmod(end - start, size)
    count = whole + (rest > 0)
    had = pieces.blank(frame.data, layout)
    header = had.header
    length = layout.payload - ethernet.HEADER + size
    header[16:18] = length.to_bytes(2, "big")
    header[layout.tcp + 13] = had.flags & ~_MIXED
    head = len(prefix) + len(header)
    rows = np.empty((count, head + size), np.uint8)
    rows[:, :head] = np.frombuffer(prefix + header, np.uint8)
    rows[:whole, head:] = payload[: whole * size].reshape(whole, size)
    places = len(prefix) + ethernet.HEADER, len(prefix) + layout.tcp
    fields: Any = np.ndarray(count, pieces.fields_of(head + size, *places), rows)
    before = (start - layout.payload) // size
    number = had.identification + before & 0xFFFF
    ids = pieces.ramp(count, 1) + np.uint32(number)
    if number + count > 1 << 16:
        ids &= np.uint32(0xFFFF)
    fields["id"] = ids
    fields["sequence"] = pieces.ramp(count, size) + np.uint32(
        had.sequence + before * size & 0xFFFFFFFF
    )
    flags = places[1] + 13
    if start == layout.payload:
        rows[0, flags] |= had.flags & tcp.CWR
    if end == layout.end:
        rows[-1, flags] |= had.flags & (tcp.FIN | tcp.PSH)
    network = np.uint32(_ZERO - checksums.total(bytes(header[ethernet.HEADER : layout.tcp]))) - ids
    own = pieces.native(had.pseudo() + length + ethernet.HEADER - layout.tcp)
    missing = size - rest if rest else 0
    if missing:
        rows[-1, head:] = 0
        rows[-1, head : head + rest] = payload[whole * size :]
        rows[-1, places[0] + 2 : places[0] + 4] = divmod(length - missing, 256)
        network[-1] += np.uint32(missing)
    sums, extra = pieces.sums_of(rows, places[1])
    transport = np.uint64(pieces.ZERO + extra - own) - sums
    if missing:
        transport[-1] += np.uint64(pieces.native(missing))
    fields["ip_sum"] = network % np.uint32(0xFFFF)
    fields["sum"] = transport % np.uint64(0xFFFF)
    data = rows.tobytes() if not missing else rows.reshape(-1)[:-missing].tobytes()
    return Train(data, head + size)


def join(train: Train, skip: int = 0) -> list[Frame]:
    """The frames of a train, whose pieces have `skip` bytes before them, joined where possible.

    Joined are (as Linux's GRO does) the pieces of one long TCP segment: equal headers, sequence
    numbers that follow each other, right checksums, FIN and PSH in the last one only. The result
    has a partial checksum and is trusted.
    """
    data, size = train
    if len(data) <= size:
        return [Frame(data[skip:])]
    joined = _joined(data, size, skip)
    if joined is not None:
        return [joined]
    return [Frame(piece[skip:]) for piece in train.pieces]


def _joined(data: bytes, size: int, skip: int) -> Frame | None:
    first = data[skip:size]
    layout = pieces.layout_of(first)
    if layout is None or layout.end != len(first) or layout.payload == layout.end or skip & 1:
        return None
    had = pieces.blank(first, layout)
    count, rest = divmod(len(data), size)
    segment = layout.end - layout.payload
    length = had.length + (count - 1) * segment
    if rest:
        length += rest - skip - layout.payload
    if length > ipv4.LARGEST or had.flags != tcp.ACK:
        return None
    if rest and not data.startswith(data[:skip], count * size):
        return None
    last = data[count * size + skip :]
    more = _last(last, had, layout, had.sequence + count * segment & 0xFFFFFFFF) if rest else 0
    flags = _alike(data, count, size, skip, layout, had) if more >= 0 else -1
    if flags < 0 or (rest and flags != tcp.ACK):
        return None
    import numpy as np

    head = skip + layout.payload
    rows: NDArray[np.uint8] = np.ndarray((count, size), np.uint8, data)
    header = _whole(first, layout, length, more or flags)
    whole = b"".join((header, rows[:, head:].tobytes(), last[layout.payload :]))
    return Frame(whole, segment, layout.tcp, tcp.CHECKSUM, trusted=True)


def _last(last: bytes, had: pieces.Blank, layout: pieces.Layout, sequence: int) -> int:
    """The flags of the last piece; -1 where it is not the end of the segment."""
    own = pieces.layout_of(last)
    if own is None or own[:2] != layout[:2] or own.end != len(last) or own.payload == own.end:
        return -1
    has = pieces.blank(last, own)
    if has.header != had.header or has.sequence != sequence:
        return -1
    if has.flags & ~(tcp.FIN | tcp.PSH) != tcp.ACK or ipv4.parse(last) is None:
        return -1
    value = has.pseudo() + own.end - own.tcp + checksums.total(last[own.tcp :])
    return -1 if value % 0xFFFF else has.flags


def _alike(  # noqa: PLR0917  (what was found out about the first piece)
    data: bytes, count: int, size: int, skip: int, layout: pieces.Layout, had: pieces.Blank
) -> int:
    """The flags of the last of `count` rows, if all are the pieces of one segment, with right
    checksums; else -1.
    """
    import numpy as np

    head = skip + layout.payload
    places = skip + ethernet.HEADER, skip + layout.tcp
    same = pieces.same_of(size, head, *places)
    words: Any = np.ndarray((count, size // same.itemsize), same.dtype, data)
    heads = (words[:, : len(same)] & same).tobytes()
    if heads != heads[: same.nbytes] * count:
        return -1
    rows: NDArray[np.uint8] = np.ndarray((count, size), np.uint8, data)
    flags = rows[:, places[1] + 13].tobytes()
    if flags[:-1] != _ACK * (count - 1) or flags[-1] & ~(tcp.FIN | tcp.PSH) != tcp.ACK:
        return -1
    fields: Any = np.ndarray(count, pieces.fields_of(size, *places), data)
    sequence = pieces.ramp(count, size - head) + np.uint32(had.sequence)
    if fields["sequence"].tobytes() != sequence.astype(">u4").tobytes():
        return -1
    # All else in the header of IPv4 is the same: it is right where the first one's is.
    network = np.add(fields["id"], fields["ip_sum"], dtype=np.uint32) % np.uint32(0xFFFF)
    if np.count_nonzero(network - network[0]) or checksums.checksum(data[places[0] : places[1]]):
        return -1
    sums, extra = pieces.sums_of(rows, places[1])
    sums += np.uint64(pieces.native(had.pseudo() + size - skip - layout.tcp) + pieces.ZERO - extra)
    return -1 if np.count_nonzero(sums % np.uint64(0xFFFF)) else flags[-1]


def _whole(first: bytes, layout: pieces.Layout, length: int, flags: int) -> bytes:
    """The headers of the joined frame, of the first piece's."""
    header = bytearray(first[: layout.payload])
    header[layout.tcp + 13] = flags
    header[16:18] = length.to_bytes(2, "big")
    header[24:26] = bytes(2)
    network = checksums.checksum(bytes(header[ethernet.HEADER : layout.tcp]))
    header[24:26] = network.to_bytes(2, "big")
    source = int.from_bytes(header[26:30], "big")
    destination = int.from_bytes(header[30:34], "big")
    transport = length - (layout.tcp - ethernet.HEADER)
    field = layout.tcp + tcp.CHECKSUM
    partial = checksums.pseudo(source, destination, ipv4.TCP, transport)
    header[field : field + 2] = partial.to_bytes(2, "big")
    return bytes(header)
