"""What a supervisor makes of starts that come while a process, or the whole cluster, stops."""

import asyncio
from types import SimpleNamespace

import pytest

from cluster.aio import tasks, virtual
from cluster.aio.clock import SystemClock
from cluster.launcher import lifecycle, processes
from cluster.launcher.supervisor import Supervisor

NAME = "kubelet-node-1"
STOPPING = "the cluster is being stopped"


class Spawned:
    """Spawns numbers, and remembers what was asked for."""

    def __init__(self):
        self.names, self.signals = [], []

    def supervisor(self):
        made = processes.Process(NAME, "kubelet", (), "")
        spawner = SimpleNamespace(
            spawn=lambda process, _notify: self.names.append(process.name),
            signal=lambda pid, number: self.signals.append((pid, number)),
        )
        plan = processes.Plan("one", "", "", (made,))
        return Supervisor(plan, spawner, clock=SystemClock())


def on_one_that_runs(story):
    async def told():
        spawned = Spawned()
        supervisor = spawned.supervisor()
        supervisor.start(NAME)
        supervisor.spawned(NAME, 7)
        async with tasks.Group("story") as group:
            await story(supervisor, spawned, group)

    virtual.run(told())


def test_who_waits_for_one_that_stops_hears_of_its_new_life():
    async def story(supervisor, _spawned, group):
        stopped = group.spawn(supervisor.stop(NAME), "stop")
        await asyncio.sleep(0)
        supervisor.start(NAME)
        running = group.spawn(supervisor.running(NAME), "running")
        await asyncio.sleep(1)
        assert not running.done()
        supervisor.exited(7, 0)
        supervisor.spawned(NAME, 8)
        assert (await running).pid == 8
        await stopped

    on_one_that_runs(story)


def test_nothing_is_started_while_all_is_stopped():
    async def story(supervisor, spawned, group):
        stopping = group.spawn(supervisor.stop_all(), "stop all")
        await asyncio.sleep(0)
        with pytest.raises(lifecycle.Impossible, match=STOPPING):
            supervisor.start(NAME)
        with pytest.raises(lifecycle.Impossible, match=STOPPING):
            await supervisor.restart(NAME)
        supervisor.exited(7, 0)
        await stopping
        assert spawned.names == [NAME]

    on_one_that_runs(story)
