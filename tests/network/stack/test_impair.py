"""Links that are late, lossy, out of order, slow or cut."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.network.stack.impair import Impairment, Link

shares = st.floats(0, 1)
impairments = st.builds(
    Impairment,
    delay=st.floats(0, 2),
    jitter=st.floats(0, 1),
    loss=shares,
    duplicate=shares,
    reorder=shares,
    rate=st.sampled_from([0.0, 8000.0, 1e9]),
    limit=st.integers(1, 20),
)


def passed(link: Link[int], offers: list[tuple[float, int]], size: int = 100):
    """When which packet passed."""
    seen: list[tuple[float, int]] = []

    def until(now: float) -> None:
        while link.deadline is not None and link.deadline <= now:
            at = link.deadline
            seen.extend((at, packet) for packet in link.tick(at))

    for now, packet in offers:
        until(now)
        seen.extend((now, out) for out in link.offer(now, packet, size))
    until(float("inf"))
    return seen


def burst(count: int) -> list[tuple[float, int]]:
    return [(number / 1000, number) for number in range(count)]


@given(impairments, st.integers(0, 99))
@settings(max_examples=60)
def test_every_packet_is_accounted_for_and_the_seed_decides(how: Impairment, seed: int) -> None:
    link: Link[int] = Link(random.Random(seed), how)
    seen = passed(link, burst(60))
    counters = link.counters
    assert counters.passed == len(seen)
    assert 60 + counters.duplicated == len(seen) + counters.lost + counters.overflowed
    assert all(at >= packet / 1000 for at, packet in seen)
    assert seen == passed(Link(random.Random(seed), how), burst(60))


def test_a_link_without_impairment_passes_all_at_once() -> None:
    assert passed(Link(random.Random(1)), burst(5)) == burst(5)
    assert not Impairment(limit=3)


def test_delay_keeps_the_order_and_jitter_does_not() -> None:
    late = passed(Link(random.Random(1), Impairment(delay=0.5)), burst(50))
    assert late == [(at + 0.5, packet) for at, packet in burst(50)]
    shaken = passed(Link(random.Random(1), Impairment(delay=0.5, jitter=0.1)), burst(50))
    assert [packet for _, packet in shaken] != list(range(50))
    assert all(0.4 <= at - packet / 1000 <= 0.6 for at, packet in shaken)


def test_loss_takes_its_share() -> None:
    link: Link[int] = Link(random.Random(5), Impairment(loss=0.05))
    assert 130 <= 4000 - len(passed(link, burst(4000))) <= 270


@pytest.mark.parametrize("delay", [0.0, 0.05])
def test_reordered_packets_overtake_or_fall_behind(delay: float) -> None:
    link: Link[int] = Link(random.Random(5), Impairment(delay=delay, reorder=0.1))
    order = [
        packet for _, packet in passed(link, [(number / 3000, number) for number in range(90)])
    ]
    assert sorted(order) == list(range(90))
    assert order != list(range(90))


def test_a_rate_spaces_packets_and_a_full_link_loses() -> None:
    link: Link[int] = Link(random.Random(1), Impairment(rate=8000, limit=3))
    seen = passed(link, [(0.0, number) for number in range(10)], size=1000)
    assert seen == [(1.0, 0), (2.0, 1), (3.0, 2)]
    assert link.counters.overflowed == 7


def test_a_cut_link_passes_nothing_not_even_what_was_under_way() -> None:
    link: Link[int] = Link(random.Random(1), Impairment(delay=1))
    assert link.offer(0, 1, 1) == []
    link.impairment = Impairment(cut=True)
    assert link.offer(0.5, 2, 1) == []
    assert link.deadline is None
    assert link.counters.cut == 2
    link.impairment = Impairment()
    assert link.offer(3, 3, 1) == [3]


@pytest.mark.parametrize(
    "wrong",
    [{"loss": 1.1}, {"delay": -1}, {"rate": float("inf")}, {"limit": 0}, {"jitter": float("nan")}],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Impairment(**wrong)
