"""Long segments are cut into what a wire may carry, and joined again."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.network.wire import addresses, ethernet, ipv4, mac, offload, tcp, trains, udp, vxlan
from cluster.network.wire.frame import Frame
from cluster.network.wire.trains import Train

ONE = addresses.parse("10.244.0.5")
TWO = addresses.parse("10.244.1.7")


def long_frame(
    payload: bytes, size: int, flags: int = tcp.ACK | tcp.PSH, options: bytes = b""
) -> Frame:
    segment = tcp.Segment(4000, 80, 0xFFFFFF00, 77, flags, 500, 0, options, payload)
    body = tcp.build(ONE, TWO, segment, partial=True)
    packet = ipv4.header(ONE, TWO, ipv4.TCP, len(body), identification=0xFFFE) + body
    data = ethernet.build(mac.of_address(TWO), mac.of_address(ONE), ethernet.IPV4, packet)
    return Frame(data, size, 34, tcp.CHECKSUM, trusted=True)


def read(data: bytes) -> tuple[ipv4.Header, tcp.Segment]:
    """What a strict receiver reads."""
    packet = ipv4.parse(data)
    assert packet is not None
    assert packet.end == len(data)
    assert tcp.valid(data, packet.source, packet.destination, packet.payload, packet.end)
    segment = tcp.parse(data, packet.payload, packet.end)
    assert segment is not None
    return packet, segment


STAMPS = tcp.build_options(tcp.Options(timestamps=(123456, 654321)))


@given(
    st.integers(1, 9000),
    st.integers(1, 1460),
    st.sampled_from([tcp.ACK, tcp.ACK | tcp.PSH, tcp.ACK | tcp.FIN | tcp.PSH, tcp.ACK | tcp.CWR]),
    st.sampled_from([b"", STAMPS]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=80, deadline=None)
def test_a_cut_segment_is_right_in_every_piece_and_joins_again(
    length: int, size: int, flags: int, options: bytes, drawn: random.Random
) -> None:
    size = max(size, length // 150 + 1)
    payload = drawn.randbytes(length)
    frame = long_frame(payload, size, flags, options)
    pieces = offload.cut(frame)
    got = [read(piece) for piece in pieces]
    assert b"".join(segment.payload for _, segment in got) == payload
    assert all(len(segment.payload) == size for _, segment in got[:-1])
    assert [segment.sequence for _, segment in got] == [
        0xFFFFFF00 + at & 0xFFFFFFFF for at in range(0, length, size)
    ]
    assert [packet.identification for packet, _ in got] == [
        0xFFFE + at & 0xFFFF for at in range(len(got))
    ]
    first, last = got[0][1].flags, got[-1][1].flags
    assert first & tcp.CWR == flags & tcp.CWR
    assert last & (tcp.FIN | tcp.PSH) == flags & (tcp.FIN | tcp.PSH)
    assert all(segment.flags == tcp.ACK for _, segment in got[1:-1])
    if len(pieces) > 1 and len(pieces) <= 64 and not flags & tcp.CWR:
        assert offload.join(Train(b"".join(pieces), len(pieces[0]))) == [frame]


def test_a_piece_with_a_bad_checksum_or_a_gap_is_not_joined() -> None:
    pieces = offload.cut(long_frame(random.Random(1).randbytes(10_000), 1398))
    size = len(pieces[0])
    broken = [*pieces[:3], pieces[3][:-1] + bytes([pieces[3][-1] ^ 1]), *pieces[4:]]
    assert len(offload.join(Train(b"".join(broken), size))) == len(pieces)
    gap = pieces[:3] + pieces[4:]
    assert [frame.data for frame in offload.join(Train(b"".join(gap), size))] == gap
    swapped = [pieces[1], pieces[0], *pieces[2:]]
    assert [frame.data for frame in offload.join(Train(b"".join(swapped), size))] == swapped
    short = [*pieces[:3], pieces[-1]]
    assert len(offload.join(Train(b"".join(short), size))) == 4


@given(st.integers(2, 9), st.sampled_from([8, 500, 1398]), st.booleans(), st.data())
@settings(max_examples=80, deadline=None)
def test_a_train_with_any_bit_turned_is_not_joined(
    count: int, size: int, short: bool, data: st.DataObject
) -> None:
    frame = long_frame(random.Random(count).randbytes(count * size - short), size)
    (train,) = offload.trains(frame, vxlan.header(1))
    assert offload.join(train, vxlan.HEADER) == [frame]
    turned = bytearray(train.data)
    turned[data.draw(st.integers(0, len(turned) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert len(offload.join(Train(bytes(turned), train.size), vxlan.HEADER)) > 1


def test_trains_have_what_one_send_takes() -> None:
    prefix = vxlan.header(1)
    frame = long_frame(random.Random(2).randbytes(60_000), 536)
    found = offload.trains(frame, prefix)
    assert len(found) == 2
    for train in found:
        assert len(train.pieces) <= trains.MOST_PIECES
        assert len(train.data) <= trains.MOST_BYTES
        assert all(piece.startswith(prefix) for piece in train.pieces)
    back = [frame for train in found for frame in offload.join(train, len(prefix))]
    assert [len(one.data) for one in back] == [54 + 64 * 536, 54 + 60_000 - 64 * 536]
    assert b"".join(one.data[54:] for one in back) == frame.data[54:]


def test_partial_checksums_are_completed() -> None:
    frame = long_frame(b"hello", 0)
    assert offload.cut(frame) == [offload.complete(frame)]
    assert read(offload.complete(frame))[1].payload == b"hello"
    datagram = udp.build(ONE, TWO, 1, 2, b"x")
    packet = ipv4.header(ONE, TWO, ipv4.UDP, len(datagram)) + datagram
    data = ethernet.build(mac.of_address(TWO), mac.of_address(ONE), ethernet.IPV4, packet)
    assert offload.trains(Frame(data), b"head") == [Train(b"head" + data, len(data) + 4)]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([100], [[100]]),
        ([100, 100, 60, 60], [[100, 100, 60], [60]]),
        ([60, 100, 100], [[60], [100, 100]]),
        ([10] * 130, [[10] * 64, [10] * 64, [10] * 2]),
        ([60_000, 60_000], [[60_000], [60_000]]),
        ([50, 0, 0], [[50], [0], [0]]),
    ],
)
def test_datagrams_are_coupled_in_their_order(sizes: list[int], expected: list[list[int]]) -> None:
    datagrams = [random.Random(at).randbytes(size) for at, size in enumerate(sizes)]
    found = trains.couple(datagrams)
    assert [piece for train in found for piece in train.pieces] == datagrams
    assert [[len(piece) for piece in train.pieces] for train in found] == expected


def test_what_a_sender_left_to_a_card_is_seen() -> None:
    long = long_frame(random.Random(4).randbytes(5000), 0)
    assert offload.unfinished(long.data, 1450) == Frame(long.data, 1410, 34, tcp.CHECKSUM)
    short = long_frame(b"hello", 0)
    assert offload.unfinished(short.data, 1450) == Frame(short.data, 0, 34, tcp.CHECKSUM)
    finished = offload.complete(short)
    assert offload.unfinished(finished, 1450) == Frame(finished)
    for length in range(len(finished)):
        offload.unfinished(finished[:length], 1450)


def test_datagrams_that_were_sent_at_once_are_cut() -> None:
    payload = random.Random(5).randbytes(2500)
    body = udp.build(ONE, TWO, 7, 9, payload)
    packet = ipv4.header(ONE, TWO, ipv4.UDP, len(body), identification=0xFFFF) + body
    data = ethernet.build(mac.of_address(TWO), mac.of_address(ONE), ethernet.IPV4, packet)
    cut = offload.datagrams(Frame(data, 1000, 34, udp.CHECKSUM))
    got = b""
    for number, one in enumerate(cut):
        header = ipv4.parse(one)
        assert header is not None
        assert header.identification == 0xFFFF + number & 0xFFFF
        datagram = udp.parse(one, header.payload, header.end)
        assert datagram is not None
        assert datagram[:2] == (7, 9)
        assert datagram.checksum
        assert udp.valid(one, ONE, TWO, datagram)
        got += one[datagram.payload : datagram.end]
    assert len(cut) == 3
    assert got == payload
    assert offload.datagrams(long_frame(payload, 1000)) == []
