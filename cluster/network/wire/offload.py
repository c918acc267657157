"""What a network card does for its host: complete checksums, cut long segments, join short ones.

Long TCP segments (`Frame.gso_size`) become trains of encapsulated frames, and trains become long
segments again. numpy does all pieces of a segment at once.
"""

from typing import TYPE_CHECKING, Any

from cluster.network.wire import checksums, ethernet, ipv4, pieces, tcp
from cluster.network.wire.frame import Frame
from cluster.network.wire.trains import MOST_BYTES, MOST_PIECES, Train

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def complete(frame: Frame) -> bytes:
    """The frame's bytes with a whole checksum, not cut."""
    start = frame.csum_start
    if not start:
        return frame.data
    data = frame.data
    field = start + frame.csum_offset
    value = checksums.total(data[start:]) ^ 0xFFFF or 0xFFFF
    return b"".join((data[:field], value.to_bytes(2, "big"), data[field + 2 :]))


def cut(frame: Frame) -> list[bytes]:
    """The frames that a wire gets of a frame: short and with whole checksums."""
    if not frame.gso_size:
        return [complete(frame)]
    return [piece for train in trains(frame) for piece in train.pieces]


def trains(frame: Frame, prefix: bytes = b"") -> list[Train]:
    """The frames that a wire gets, each behind `prefix` (the header of VXLAN), as trains."""
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
    payload = np.frombuffer(frame.data, np.uint8)[start:end]
    whole, rest = divmod(len(payload), size)
    count = whole + (rest > 0)
    head = len(prefix) + layout.payload
    header = bytearray(frame.data[: layout.payload])
    rows = np.empty((count, head + size), np.uint8)
    rows[:whole, head:] = payload[: whole * size].reshape(whole, size)
    if rest:
        rows[whole, head : head + rest] = payload[whole * size :]
    values = pieces.values_of(header, layout, count, size)
    values.identification[:] += (start - layout.payload) // size
    values.sequence[:] += np.uint32(start - layout.payload)
    if start == layout.payload:
        values.flags[0] |= frame.data[layout.tcp + 13] & tcp.CWR
    if rest:
        values.length[-1] -= size - rest
    if end == layout.end:
        values.flags[-1] |= frame.data[layout.tcp + 13] & (tcp.FIN | tcp.PSH)
    rows[:, :head] = np.frombuffer(prefix + header, np.uint8)
    pieces.fill(rows, len(prefix), layout, values, pieces.payload_sums(payload, size))
    return Train(rows.tobytes()[: count * head + len(payload)], head + size)


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
    import numpy as np

    layout = pieces.layout_of(data[skip:size])
    if layout is None or layout.end != size - skip or layout.payload == layout.end:
        return None
    head = skip + layout.payload
    segment = size - head
    count = -(-len(data) // size)
    rest = len(data) - (count - 1) * size - head
    length = layout.payload - ethernet.HEADER + (count - 1) * segment + rest
    if rest <= 0 or length > ipv4.LARGEST or data[skip + layout.tcp + 13] & ~tcp.PSH != tcp.ACK:
        return None
    flat = np.frombuffer(data + bytes(segment - rest), np.uint8)
    rows = flat.reshape(count, size)
    if not _alike(rows, skip, layout, rest):
        return None
    header = bytearray(data[skip:head])
    header[layout.tcp + 13] |= data[(count - 1) * size + skip + layout.tcp + 13]
    payload = rows[:, head:].tobytes()[: (count - 1) * segment + rest]
    return _whole(header, layout, length, payload, segment)


def _alike(rows: "NDArray[np.uint8]", skip: int, layout: pieces.Layout, rest: int) -> bool:
    """Whether the rows are the pieces of one segment, with right checksums."""
    import numpy as np

    count, size = rows.shape
    head = skip + layout.payload
    heads = rows[:, :head].copy()
    kind = pieces.fields_of(head, skip + ethernet.HEADER, skip + layout.tcp)
    fields: Any = heads.view(kind)[:, 0]
    had = fields.copy()
    values = pieces.values_of(bytearray(heads[0, skip:].tobytes()), layout, count, size - head)
    values.identification[:] = had["id"]
    values.flags[:] = had["flags"]
    values.length[-1] -= size - head - rest
    flags = values.flags & ~np.uint32(tcp.PSH | tcp.FIN)
    same = (
        (had["length"] == values.length).all()
        and (had["sequence"] == values.sequence).all()
        and (flags == tcp.ACK).all()
        and (values.flags[:-1] == tcp.ACK).all()
    )
    if not same:
        return False
    for name in ("length", "id", "ip_sum", "sequence", "flags", "sum"):
        fields[name] = 0
    if not (heads == heads[0]).all():
        return False
    if ((values.network() + had["ip_sum"]) % 0xFFFF).any():
        return False
    payload = rows[:, head:].reshape(-1)[: (count - 1) * (size - head) + rest]
    sums = values.transport(layout.tcp - ethernet.HEADER) + pieces.payload_sums(
        payload, size - head
    )
    return not ((sums + had["sum"]) % 0xFFFF).any()


def _whole(
    header: bytearray, layout: pieces.Layout, length: int, payload: bytes, segment: int
) -> Frame:
    """The joined frame, of the first piece's header and all pieces' payload."""
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
    return Frame(bytes(header) + payload, segment, layout.tcp, tcp.CHECKSUM, trusted=True)
