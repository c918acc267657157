"""What arrived is given out in order, whole, and costs about what it is."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from cluster.network.stack.tcp.arrived import Arrived

_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from([1, 2, 900, 1023, 1024, 1398, 16384, 61512])),
        st.tuples(st.just("take"), st.sampled_from([1, 3, 1000, 16384, 16385, 65536, 1 << 20])),
        st.tuples(st.just("clear"), st.just(0)),
    ),
    max_size=40,
)


@given(_STEPS)
def test_bytes_come_out_in_the_order_in_which_they_came(steps: list[tuple[str, int]]) -> None:
    arrived, awaited, count = Arrived(), bytearray(), 0
    for step, size in steps:
        if step == "put":
            count += 1
            data = (count.to_bytes(4, "big") * (size // 4 + 1))[:size]
            arrived.put(data)
            awaited += data
        elif step == "take":
            taken = arrived.take(size)
            assert type(taken) is bytes
            assert len(taken) <= size
            assert bool(taken) == bool(awaited)
            assert taken == awaited[: len(taken)]
            del awaited[: len(taken)]
        else:
            arrived.clear()
            awaited.clear()
        assert arrived.size == len(arrived) == len(awaited)
    while awaited:
        taken = arrived.take(1 << 20)
        assert taken
        assert taken == awaited[: len(taken)]
        del awaited[: len(taken)]
    assert not arrived.take(1)


def test_short_messages_that_came_one_by_one_are_had_at_once() -> None:
    arrived = Arrived()
    for _ in range(3):
        arrived.put(b"abc")
    arrived.put(bytes(2000))
    assert arrived.take(65536) == b"abcabcabc" + bytes(2000)


def test_a_long_segment_is_had_without_a_copy() -> None:
    arrived, data = Arrived(), bytes(50_000)
    arrived.put(data)
    arrived.put(b"more")
    assert arrived.take(1 << 20) is data
    assert arrived.take(1 << 20) == b"more"


def test_single_bytes_cost_hardly_more_than_bytes() -> None:
    arrived = Arrived()
    for _ in range(100_000):
        arrived.put(b"x")
    held = sum(sys.getsizeof(piece) for piece in arrived._pieces)
    assert held < 150_000
    arrived.take(1)
    for _ in range(1000):
        arrived.put(b"x")
    assert len(arrived._pieces) < 110
