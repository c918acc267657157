"""Fragments become the packet that they were, whatever their order, and hostile ones nothing."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.network.stack.reassembly import Reassembly
from cluster.network.wire import ipv4

LINK = bytes(range(12)) + b"\x08\x00"
OPTIONS = b"\x94\x04\x00\x00"
"""Router alert, which every fragment repeats."""


def packet(body: bytes, *, identification: int = 7, options: bytes = b"") -> bytes:
    head = ipv4.header(
        1, 2, 17, len(body), identification=identification, fragment=0, options=options
    )
    return head + body


def add(held: Reassembly, fragment: bytes, now: float = 0.0) -> bytes | None:
    header = ipv4.parse(LINK + fragment)
    assert header is not None
    return held.add(now, LINK + fragment, header)


@given(
    st.binary(min_size=1, max_size=5000),
    st.integers(68, 1500),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_any_order_and_repetition_gives_the_packet(
    body: bytes, mtu: int, order: random.Random, marked: bool
) -> None:
    held = Reassembly()
    whole = packet(body, options=OPTIONS if marked else b"")
    pieces = ipv4.fragments(whole, mtu)
    if len(pieces) == 1:
        return
    order.shuffle(pieces)
    came = [found for piece in pieces for found in (add(held, piece),) if found is not None]
    assert came == [LINK + whole]
    assert held.deadline is None
    last = pieces.pop()
    for piece in pieces + pieces:
        assert add(held, piece) is None
    assert add(held, last) == LINK + whole


def test_fragments_of_fragments_come_together() -> None:
    held = Reassembly()
    whole = packet(bytes(range(256)) * 10)
    pieces = [
        small for piece in ipv4.fragments(whole, 1000) for small in ipv4.fragments(piece, 300)
    ]
    assert [add(held, piece) for piece in pieces][-1] == LINK + whole


def _piece(start: int, body: bytes, *, more: bool = True, identification: int = 7) -> bytes:
    flags = (ipv4.MORE_FRAGMENTS if more else 0) | start >> 3
    return ipv4.header(1, 2, 17, len(body), identification=identification, fragment=flags) + body


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(_piece(8, bytes(16)), id="reaches into a known piece from behind"),
        pytest.param(_piece(0, bytes(32)), id="covers it"),
        pytest.param(_piece(0, b"other..."), id="the same place, other bytes"),
        pytest.param(_piece(8, b"x", more=False), id="ends before what is known"),
        pytest.param(_piece(64, b"123456"), id="no multiple of eight"),
        pytest.param(_piece(64, b""), id="empty"),
    ],
)
def test_what_does_not_fit_spoils_the_packet(second: bytes) -> None:
    held = Reassembly()
    assert add(held, _piece(0, bytes(8))) is None
    assert add(held, _piece(16, bytes(8))) is None
    assert add(held, second) is None
    assert (held.failed, held.deadline) == (1, None)
    assert add(held, _piece(24, bytes(3), more=False)) is None, "it begins anew"


def test_one_that_is_not_whole_in_time_is_given_up() -> None:
    held = Reassembly()
    first = _piece(0, b"12345678")
    add(held, first, now=10)
    add(held, _piece(8, bytes(8), identification=8), now=12)
    assert held.deadline == 40
    assert held.tick(39.9) == []
    assert held.tick(40) == [LINK + first]
    assert held.tick(50) == [], "nobody is told where the first piece is missing"
    assert (held.failed, held.deadline) == (2, None)


def test_memory_is_bounded() -> None:
    held = Reassembly(largest=10_000)
    for identification in range(1000):
        add(held, _piece(0, bytes(1000), identification=identification))
    assert held.failed == 1000 - 10_000 // 1128
    assert add(held, _piece(1000, b"end", more=False, identification=999)) is not None
    assert add(held, _piece(1000, b"end", more=False, identification=1)) is None


def test_a_packet_larger_than_the_memory_is_none() -> None:
    held = Reassembly(largest=1000)
    pieces = ipv4.fragments(packet(bytes(2000)), 1500)
    assert [add(held, piece) for piece in pieces] == [None] * len(pieces)
    assert (held.failed, held.tick(100)) == (1, [])


def test_a_packet_that_would_be_too_long_is_none() -> None:
    held = Reassembly()
    wide = ipv4.header(
        1, 2, 17, 8, identification=7, fragment=ipv4.MORE_FRAGMENTS, options=OPTIONS * 5
    )
    assert add(held, wide + bytes(8)) is None
    for start in range(8, 65504, 8 * 1024):
        add(held, _piece(start, bytes(min(8192, 65504 - start))))
    assert add(held, _piece(65504, bytes(11), more=False)) is None
    assert held.failed == 1


def test_hostile_fragments_never_raise_and_take_no_more_room() -> None:
    held, draw = Reassembly(largest=100_000), random.Random(5)
    whole = 0
    for number in range(10_000):
        start = draw.choice((0, 8, 16, 24, 1024, 65504)) + draw.choice((0, 0, 8))
        body = bytes(draw.choice((0, 1, 7, 8, 8, 16, 24, 1000)))
        piece = _piece(start, body, more=draw.random() < 0.7, identification=draw.randrange(50))
        header = ipv4.parse(LINK + piece)
        if header is None:
            continue
        whole += held.add(number / 100, LINK + piece, header) is not None
        if number % 50 == 0:
            held.tick(number / 100)
        assert held._held <= 100_000
    assert whole > 50
    held.tick(1e6)
    assert (held._held, held.deadline) == (0, None)
