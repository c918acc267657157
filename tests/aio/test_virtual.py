"""Virtual time: it jumps, keeps order, and refuses what needs the real world."""

import asyncio

import pytest

from cluster.aio import clock, tasks, virtual


def test_time_jumps_to_the_next_timer():
    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.sleep(30 * 86400)
        return loop.time()

    assert virtual.run(main()) == 30 * 86400


def test_timers_of_one_moment_run_in_the_order_they_were_set():
    order = []

    async def main():
        loop = asyncio.get_running_loop()
        for number in range(50):
            loop.call_later(1, order.append, number)
        await asyncio.sleep(1)

    virtual.run(main())
    assert order == list(range(50))


def test_no_time_passes_while_there_is_work():
    async def main():
        for _ in range(1000):
            await asyncio.sleep(0)
        return asyncio.get_running_loop().time()

    assert virtual.run(main()) == 0


def test_a_short_timer_comes_before_a_long_one_that_was_set_earlier():
    order = []

    async def note(seconds):
        await asyncio.sleep(seconds)
        order.append(seconds)

    async def main():
        async with tasks.Group("g") as group:
            for seconds in (3.0, 0.1, 2.5, 86400 * 365, 0.1000001):
                group.spawn(note(seconds), "note")

    virtual.run(main())
    assert order == [0.1, 0.1000001, 2.5, 3.0, 86400 * 365]


def test_small_steps_late_in_a_long_run_are_exact_enough():
    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.sleep(86400 * 365)
        start = loop.time()
        for _ in range(10_000):
            await asyncio.sleep(0.005)
        return loop.time() - start

    assert virtual.run(main()) == pytest.approx(50, abs=0.001)


def test_a_program_that_waits_for_nothing_is_told_who_waits():
    async def waits():
        await asyncio.Event().wait()

    async def stuck():
        async with tasks.Group("kubelet") as group:
            group.spawn(waits(), "sync")

    with pytest.raises(virtual.Stuck, match="kubelet/sync"):
        virtual.run(stuck())


def test_threads_are_refused():
    async def main():
        await asyncio.to_thread(print)

    with pytest.raises(RuntimeError, match="no threads on virtual time"):
        virtual.run(main())


def test_what_the_main_coroutine_leaves_behind_is_cancelled_in_order_of_creation():
    log = []

    async def linger(number):
        try:
            await asyncio.sleep(1e9)
        finally:
            log.append(number)

    async def main():
        loop = asyncio.get_running_loop()
        main.kept = [loop.create_task(linger(number)) for number in range(100)]
        await asyncio.sleep(1)

    virtual.run(main())
    assert log == list(range(100))


def test_errors_and_results_come_through():
    async def fails():
        await asyncio.sleep(1)
        raise LookupError("main")

    with pytest.raises(LookupError, match="main"):
        virtual.run(fails())


def test_the_loop_clock_advances_with_virtual_time():
    async def main():
        wall = clock.LoopClock(asyncio.get_running_loop(), 1_800_000_000)
        await asyncio.sleep(2.5)
        return wall.now()

    assert virtual.run(main()) == 1_800_000_002.5


def test_a_deadline_fires_at_its_time():
    async def main():
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(40):
                await asyncio.Event().wait()
        return loop.time()

    assert virtual.run(main()) == 40


def test_many_cancelled_timers_are_thrown_out():
    async def main():
        loop = asyncio.get_running_loop()
        fired = []
        for number in range(1000):
            loop.call_later(5000 + number, fired.append, number)
        for _ in range(50_000):
            loop.call_later(1e6, fired.append, "never").cancel()
            assert len(loop._timers) < 2500
        await asyncio.sleep(7000)
        return fired

    assert virtual.run(main()) == list(range(1000))


def test_a_circle_in_which_no_time_passes_is_found(monkeypatch):
    monkeypatch.setattr(virtual, "MAX_TURNS", 1000)

    async def main():
        while True:
            await asyncio.sleep(0)

    with pytest.raises(virtual.Stuck, match="no time passes after 1000 turns"):
        virtual.run(main())
