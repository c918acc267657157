"""Rewritten packets are those that would have been built, to the last bit of their checksums."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from natworld import (
    ACK,
    NODE,
    POD,
    Node,
    backend,
    carried,
    check,
    echo_frame,
    entry,
    framed,
    parsed,
    seen,
    tcp_frame,
    udp_frame,
)  # fmt: skip

from cluster.network.stack.nat import packet as packets
from cluster.network.stack.nat.packet import inverse
from cluster.network.stack.nat.rewrite import Rewrite, between
from cluster.network.wire import addresses, ipv4
from cluster.network.wire.frame import Frame

words = st.integers(0, 65535)
longs = st.integers(0, 0xFFFFFFFF)
ends = st.tuples(longs, words, longs, words)
_text = addresses.text


def _changed(frame: Frame, new: tuple[int, int, int, int]) -> Frame:
    packet = parsed(frame)
    packet.change = Rewrite(packet.key, (*new, packet.protocol))
    return carried(packet)


@given(ends, ends, st.binary(max_size=40), st.booleans())
def test_tcp(old: tuple[int, ...], new: tuple[int, ...], payload: bytes, partial: bool) -> None:
    made = [
        tcp_frame((_text(one[0]), one[1]), (_text(one[2]), one[3]), ACK, payload, partial=partial)
        for one in (old, new)
    ]
    found = _changed(made[0], new)  # type: ignore[arg-type]
    seen(found)
    assert found.data[26:50] == made[1].data[26:50]
    assert found.data[52:] == made[1].data[52:]
    assert _equal(found.data, made[1].data, 50)
    assert _equal(found.data, made[1].data, 24)


@given(ends, ends, st.binary(max_size=40), st.booleans())
def test_udp(old: tuple[int, ...], new: tuple[int, ...], payload: bytes, unsummed: bool) -> None:
    made = [
        udp_frame((_text(one[0]), one[1]), (_text(one[2]), one[3]), payload, unsummed=unsummed)
        for one in (old, new)
    ]
    found = _changed(made[0], new)  # type: ignore[arg-type]
    seen(found)
    assert found.data == made[1].data, "a checksum of 0 stays none, and none becomes 0"


@given(longs, longs, words, longs, longs, words, st.booleans())
def test_echoes(a: int, b: int, one: int, c: int, d: int, other: int, answer: bool) -> None:
    frame = echo_frame(_text(a), _text(b), one, answer=answer)
    found = _changed(frame, (c, other, d, 0 if answer else 8))
    seen(found)
    assert found.data[26:36] == echo_frame(_text(c), _text(d), other, answer=answer).data[26:36]
    assert found.data[38:40] == other.to_bytes(2, "big")


def _equal(one: bytes, other: bytes, at: int) -> bool:
    """Whether checksums mean the same (0 and 0xFFFF do)."""
    return (
        int.from_bytes(one[at : at + 2], "big") % 0xFFFF
        == int.from_bytes(other[at : at + 2], "big") % 0xFFFF
    )


def test_nothing_changes_where_the_keys_are_the_same() -> None:
    key = (1, 2, 3, 4, 6)
    assert between(key, key) is None
    assert between(key, inverse(key)) is not None
    assert inverse(inverse((1, 7, 3, 8, 1))) == (1, 7, 3, 8, 1)


def test_a_large_segment_with_a_partial_checksum_is_translated_whole() -> None:
    node = Node()
    node.serve(entry(backend("10.244.2.9")))
    node.connects((POD, 5000), ("10.96.0.10", 80))
    large = tcp_frame((POD, 5000), ("10.96.0.10", 80), ACK, bytes(60000), partial=True,
                      gso_size=1398)  # fmt: skip
    out = node.passes(large)
    assert isinstance(out, Frame)
    assert seen(out).destination == ("10.244.2.9", 8080)
    assert (out.gso_size, out.csum_start, len(out.data)) == (1398, 34, len(large.data))


def _hostile(draw: random.Random) -> bytes:
    """An IPv4 packet of nonsense, mostly of a protocol that is looked into."""
    protocol = draw.choice((1, 1, 1, 6, 17, 47))
    body = bytearray(draw.randbytes(draw.choice((0, 4, 7, 8, 20, 28, 36, 60))))
    if protocol == 1 and len(body) >= 28:
        body[0] = draw.choice((0, 3, 4, 5, 8, 11, 12, 13))
        body[8] = draw.choice((0x45, 0x46, 0x4F, 0x44, 0x65))
        body[14:16] = b"\0\0" if draw.random() < 0.8 else draw.randbytes(2)
        body[17] = draw.choice((1, 6, 17, 47))
        inner = draw.choice(((POD, NODE), (NODE, POD), ("10.244.2.9", POD), (POD, "10.244.2.9")))
        body[20:28] = b"".join(addresses.pack(addresses.parse(one)) for one in inner)
    places = (POD, NODE, "10.96.0.10", "10.244.2.9", "192.0.2.1", "255.255.255.255", "0.0.0.0")
    return framed(draw.choice(places), draw.choice(places), protocol, bytes(body)).data


def _storm(count: int, seed: int) -> None:
    node = Node(connections=500)
    node.serve(entry(backend("10.244.2.9"), protocol=17), entry(backend(POD), key="default/b"))
    draw = random.Random(seed)
    passed = 0
    for number in range(count):
        frame = Frame(_hostile(draw))
        header = ipv4.parse(frame.data)
        assert header is not None
        if packets.parse(frame, header) is None:
            continue
        node.now += 0.01
        found = node.passes(frame, own=draw.random() < 0.2)
        if isinstance(found, Frame):
            passed += 1
            assert len(found.data) == len(frame.data)
        if number % 100 == 0:
            node.nat.tick(node.now)
    check(node.nat)
    assert passed > count // 20
    assert len(node.nat.conntrack) <= 500


def test_hostile_packets_never_raise_and_take_no_more_room() -> None:
    _storm(20_000, 3)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_hostile_packets_never_raise() -> None:
    _storm(5_000_000, 4)
