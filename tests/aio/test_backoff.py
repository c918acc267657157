"""Backoff: growth, bounds, jitter."""

import asyncio
import random

import pytest

from cluster.aio import backoff, virtual


def test_delays_double_up_to_the_maximum_without_jitter():
    delays = backoff.Backoff(random.Random(1), initial=0.1, maximum=1.0, jitter=0)
    assert [delays.next() for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    delays.reset()
    assert delays.next() == 0.1


def test_jitter_stretches_by_at_most_its_share_and_repeats_with_the_seed():
    one = backoff.Backoff(random.Random(7), initial=1, maximum=1, jitter=0.5)
    two = backoff.Backoff(random.Random(7), initial=1, maximum=1, jitter=0.5)
    delays = [one.next() for _ in range(200)]
    assert all(1 <= delay < 1.5 for delay in delays)
    assert len(set(delays)) > 100
    assert delays == [two.next() for _ in range(200)]


def test_waiting_takes_the_delay():
    async def main():
        await backoff.Backoff(random.Random(1), initial=3, maximum=3, jitter=0).wait()
        return asyncio.get_running_loop().time()

    assert virtual.run(main()) == 3


@pytest.mark.parametrize(
    "bounds",
    [
        {"initial": 0, "maximum": 1},
        {"initial": 2, "maximum": 1},
        {"initial": 1, "maximum": 2, "factor": 0.5},
        {"initial": 1, "maximum": 2, "jitter": -1},
    ],
)
def test_bounds_out_of_order_are_refused(bounds):
    with pytest.raises(ValueError, match="a backoff needs"):
        backoff.Backoff(random.Random(1), **bounds)
