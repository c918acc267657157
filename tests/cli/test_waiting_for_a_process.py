"""`kubemu start` and `restart` answer once the process says that it is ready."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from cluster.aio import virtual
from cluster.cli.commands import control
from cluster.pb.cluster.v1 import control_pb2 as pb

Process = pb.Process


def process(phase: int, pid: int = 7, **more: str) -> pb.Process:
    return Process(name="kubelet-node-1", phase=phase, pid=pid, **more)


class Supervisor:
    """Tells what became of a process, second by second."""

    def __init__(self, *story: pb.Process) -> None:
        self._story = story

    async def watch(self) -> AsyncIterator[list[pb.Process]]:
        yield [Process(name="apiserver", phase=Process.RUNNING, pid=1)]
        for each in self._story:
            await asyncio.sleep(1)
            yield [each]
        await asyncio.get_running_loop().create_future()


def waited(*story: pb.Process) -> tuple[pb.Process, float]:
    async def scenario() -> tuple[pb.Process, float]:
        begun = process(Process.STARTING)
        found = await control.until_ready(Supervisor(*story), begun, 30.0)
        return found, asyncio.get_running_loop().time()

    return virtual.run(scenario())


def test_it_waits_until_it_is_ready() -> None:
    found, took = waited(process(Process.STARTING), process(Process.RUNNING))
    assert (found.phase, took) == (Process.RUNNING, 2.0)


def test_what_dies_and_comes_back_is_waited_for() -> None:
    found, took = waited(
        process(Process.BACKOFF, 0), process(Process.STARTING, 8), process(Process.RUNNING, 8)
    )
    assert (found.pid, took) == (8, 3.0)


def test_it_says_what_it_hears_of_one_that_does_not_become_ready() -> None:
    with pytest.raises(control.NotReady) as caught:
        waited(process(Process.BACKOFF, 0, last_exit="exit code 1", status="no certificate"))
    assert str(caught.value) == (
        "kubelet-node-1 is not ready after 30 s (exit code 1; no certificate); it goes on starting"
    )


def test_it_does_not_wait_for_what_somebody_stops_meanwhile() -> None:
    with pytest.raises(control.NotReady) as caught:
        waited(process(Process.STOPPED, 0))
    assert str(caught.value) == "kubelet-node-1 was stopped meanwhile"
