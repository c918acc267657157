"""What is done to a cluster of `kubemu up`: by the supervisor's own answers, without processes."""

import asyncio
from types import SimpleNamespace

import grpc
import pytest

from cluster.aio import tasks, virtual
from cluster.aio.clock import SystemClock
from cluster.chaos.acts import Act
from cluster.chaos.local import LocalWorld
from cluster.chaos.reaching import Doors
from cluster.launcher import processes
from cluster.launcher.control import Control
from cluster.launcher.supervisor import Supervisor

PID = 7


class Stub:
    """Calls the control service of a supervisor, whose processes are numbers."""

    def __init__(self):
        self.spawned, self.signals = [], []
        made = processes.Process("kubelet-node-1", "kubelet", (), "")
        plan = processes.Plan("one", "", "", (made,))
        spawner = SimpleNamespace(
            spawn=lambda process, _notify: self.spawned.append(process.name),
            signal=lambda pid, number: self.signals.append((pid, number)),
        )
        self.supervisor = Supervisor(plan, spawner, clock=SystemClock())
        self._control = Control(self.supervisor)

    def __getattr__(self, method):
        return lambda request, timeout: getattr(self._control, method)(request, self)

    async def abort(self, code, details):
        nothing = grpc.aio.Metadata()
        raise grpc.aio.AioRpcError(code, nothing, nothing, details)


def on_a_supervisor(story):
    """Run a story of a world and its supervisor, with one process that runs."""

    async def told():
        stub = Stub()
        stub.supervisor.start("kubelet-node-1")
        stub.supervisor.spawned("kubelet-node-1", PID)
        world = LocalWorld("one", None, stub, Doors(), clocks={}, disks=())
        async with tasks.Group("story") as group:
            await story(world, stub, group)

    virtual.run(told())


async def settled():
    """All that can go on without anything from outside has gone on."""
    await asyncio.sleep(0.01)


def test_one_that_is_undone_while_it_stops_is_started_when_it_has_ended():
    async def story(world, stub, group):
        stopping = group.spawn(world.do(Act("stop", "kubelet-node-1")), "stop")
        await settled()
        stopping.cancel()
        starting = group.spawn(world.do(Act("start", "kubelet-node-1")), "start")
        await settled()
        stub.supervisor.exited(PID, 0)
        assert stub.spawned == ["kubelet-node-1"] * 2
        stub.supervisor.spawned("kubelet-node-1", PID + 1)
        await starting

    on_a_supervisor(story)


@pytest.mark.parametrize("ready", [False, True])
def test_one_that_runs_is_started_already(ready):
    async def story(world, stub, _group):
        if ready:
            stub.supervisor._watched["kubelet-node-1"].life.ready(0.0)
        await world.do(Act("start", "kubelet-node-1"))
        assert stub.spawned == ["kubelet-node-1"]

    on_a_supervisor(story)
