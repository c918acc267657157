"""What is to be sent is there until it is dropped, at whatever place it is looked at."""

from hypothesis import given
from hypothesis import strategies as st

from cluster.network.stack.tcp.kept import Kept

_SIZES = st.sampled_from([1, 40, 1398, 16383, 16384, 61512, 65536, 200_000])


@given(
    st.lists(
        st.tuples(st.booleans(), _SIZES, st.booleans(), st.floats(0, 1), st.floats(0, 1)),
        max_size=30,
    )
)
def test_any_part_of_what_was_put_and_not_dropped_is_there(
    steps: list[tuple[bool, int, bool, float, float]],
) -> None:
    kept, awaited, count = Kept(), bytearray(), 0
    for putting, size, viewed, one, other in steps:
        if putting:
            count += 1
            data = (count.to_bytes(4, "big") * (size // 4 + 1))[:size]
            kept.put(memoryview(data) if viewed else data)
            awaited += data
        else:
            gone = min(size, len(awaited))
            kept.drop(gone)
            del awaited[:gone]
        assert kept.size == len(kept) == len(awaited)
        start, end = sorted((int(one * len(awaited)), int(other * len(awaited))))
        assert kept.part(start, end) == awaited[start:end]
    kept.clear()
    assert not kept.size
    assert not kept.part(0, 0)


def test_what_is_changed_by_its_owner_later_is_sent_as_it_was() -> None:
    kept, data = Kept(), bytearray(b"a" * 20_000)
    kept.put(memoryview(data))
    data[:] = b"b" * 20_000
    assert kept.part(0, 20_000) == b"a" * 20_000


def test_short_pieces_are_few() -> None:
    kept = Kept()
    for _ in range(100_000):
        kept.put(b"0123456789")
    assert len(kept._pieces) <= 1_000_000 // (48 << 10) + 1
    kept.drop(999_990)
    assert kept.part(0, 10) == b"0123456789"
    assert len(kept._pieces) == 1
