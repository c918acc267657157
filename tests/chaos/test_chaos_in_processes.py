"""What is done to a cluster of `kubemu up`: by the supervisor's own answers, without processes."""

import asyncio
from types import SimpleNamespace

import grpc
import pytest

from cluster.aio import tasks, virtual
from cluster.aio.clock import SystemClock
from cluster.chaos import acts
from cluster.chaos import experiment as ex
from cluster.chaos.acts import Act, LinkState
from cluster.chaos.local import LocalWorld
from cluster.chaos.reaching import Doors
from cluster.chaos.world import Unable
from cluster.launcher import processes
from cluster.launcher.control import Control
from cluster.launcher.supervisor import Supervisor

PID = 7
CUT = (LinkState("node-2", cut=True),)
WHOLE = (LinkState("node-2", cut=False),)
DOORS = Doors({"apiserver": ""}, None, {"node-1": ""})


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


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (
            Act("faults", "kubelet-1", "f", 9.0, api=ex.ApiFault(code=503)),
            "kubelet-1 is no API server that can be reached: there is apiserver",
        ),
        (
            Act("disk", "etcd-1", "f", 9.0, disk=ex.DiskFault(full=True)),
            "etcd-1 is no API server that can be reached",
        ),
        (Act("links", "node-2", links=CUT), "node node-2 has no network of its own"),
        (Act("skew", "apiserver", offset=5.0), "apiserver has no clock of its own"),
        (
            Act("disk", "apiserver", "f", 9.0, disk=ex.DiskFault(full=True)),
            "the store of apiserver is no file of SQLite",
        ),
    ],
)
def test_what_it_lacks_for_a_fault_is_known_before(act, said):
    assert LocalWorld("one", None, None, DOORS, clocks={}, disks=()).lacks(act).startswith(said)


def test_it_lacks_nothing_for_what_can_be_done():
    world = LocalWorld("one", None, None, DOORS, clocks={}, disks=["apiserver"])
    faults = Act("faults", "apiserver", "f", 9.0, api=ex.ApiFault(code=503))
    disk = Act("disk", "apiserver", "f", 9.0, disk=ex.DiskFault(full=True))
    for act in (faults, disk, Act("links", "node-1", links=CUT), Act("stop", "scheduler")):
        assert world.lacks(act) == ""


GONE = [
    Act("faults", "apiserver-2", "f"),
    Act("disk", "kubelet-node-3", "f"),
    Act("links", "node-3", links=WHOLE),
    Act("skew", "kubelet-node-3"),
    Act("start", "kubelet-node-3"),
    Act("resume", "kubelet-node-3"),
    Act("slow", "kubelet-node-3"),
]
HURT = [
    Act("faults", "apiserver-2", "f", 9.0, api=ex.ApiFault(code=503)),
    Act("disk", "kubelet-node-3", "f", 9.0, disk=ex.DiskFault(full=True)),
    Act("links", "node-3", links=CUT),
    Act("stop", "kubelet-node-3"),
    Act("pause", "kubelet-node-3"),
    Act("kill", "kubelet-node-3"),
    Act("slow", "kubelet-node-3", cpu=0.5, seconds=9.0),
]


@pytest.mark.parametrize("act", GONE, ids=str)
def test_there_is_nothing_to_be_undone_where_nobody_is(act):
    """Nothing can have been done to it, or it went with the cluster of before."""

    async def story(world, _stub, _group):
        await world.do(act)

    on_a_supervisor(story)


@pytest.mark.parametrize("act", HURT, ids=str)
def test_nobody_cannot_be_hurt(act):
    async def story(world, _stub, _group):
        with pytest.raises(Unable):
            await world.do(act)

    on_a_supervisor(story)


@pytest.mark.parametrize("op", ["kill", "restart"])
def test_who_was_killed_comes_back_at_the_time_of_the_supervisor(op):
    async def story(world, stub, _group):
        stub.supervisor.kill("kubelet-node-1")
        stub.supervisor.exited(PID, -9)
        await world.do(acts.undoing(Act(op, "kubelet-node-1")))
        assert stub.spawned == ["kubelet-node-1"]
        await asyncio.sleep(1.0)
        assert stub.spawned == ["kubelet-node-1"] * 2

    on_a_supervisor(story)
