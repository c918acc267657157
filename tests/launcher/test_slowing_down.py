"""Slow processes: stopped and continued in turn, and quick again whatever happens."""

import asyncio
import signal

import pytest

from cluster.aio import virtual
from cluster.launcher.lifecycle import Lifecycle, Policy
from cluster.launcher.slowing import Slowdown

STOP, CONT = signal.SIGSTOP, signal.SIGCONT


class World:
    """A process, and what it was sent with the time."""

    def __init__(self) -> None:
        self.life = Lifecycle(Policy())
        self.life.start(0.0)
        self.life.spawned(7, 0.0)
        self.sent: list[tuple[float, int, int]] = []
        self.over = 0

    def slow(self, cpu: float, seconds: float) -> Slowdown:
        return Slowdown(self.life, cpu, seconds, self.send, self.ended)

    def send(self, pid: int, number: int) -> None:
        self.sent.append((round(asyncio.get_running_loop().time(), 3), pid, number))

    def ended(self) -> None:
        self.over += 1


def test_it_runs_for_its_share_of_the_time_and_then_for_all_of_it() -> None:
    async def story() -> None:
        world = World()
        world.slow(0.2, 0.25)
        await asyncio.sleep(1.0)
        assert world.sent == [
            (0.0, 7, STOP), (0.08, 7, CONT), (0.1, 7, STOP), (0.18, 7, CONT), (0.2, 7, STOP),
            (0.28, 7, CONT),
        ]  # fmt: skip
        assert world.over == 1

    virtual.run(story())


def test_stopping_it_lets_the_process_go_at_once() -> None:
    async def story() -> None:
        world = World()
        slow = world.slow(0.5, 60.0)
        slow.stop()
        await asyncio.sleep(1.0)
        assert world.sent == [(0.0, 7, STOP), (0.0, 7, CONT)]

    virtual.run(story())


def test_one_that_hangs_on_purpose_is_left_alone() -> None:
    async def story() -> None:
        world = World()
        world.slow(0.5, 1.0)
        world.life.pause()
        await asyncio.sleep(2.0)
        assert world.sent == [(0.0, 7, STOP)]

    virtual.run(story())


def test_its_successor_is_slow_too_and_the_dead_gets_no_signal() -> None:
    async def story() -> None:
        world = World()
        world.slow(0.5, 0.3)
        world.life.exited(-9, 0.01)
        await asyncio.sleep(0.06)
        world.life.wake(10.0)
        world.life.spawned(8, 0.06)
        await asyncio.sleep(1.0)
        assert world.sent[0] == (0.0, 7, STOP)
        assert {pid for _, pid, _ in world.sent[1:]} == {8}
        assert world.sent[-1][2] == CONT

    virtual.run(story())


@pytest.mark.parametrize(("cpu", "seconds"), [(0.001, 1.0), (0.999, 1.0), (0.5, 0.0), (0.5, 1e5)])
def test_what_is_no_slowness_is_refused(cpu: float, seconds: float) -> None:
    async def story() -> None:
        with pytest.raises(ValueError, match="it can"):
            World().slow(cpu, seconds)

    virtual.run(story())
