"""What an experiment of chaos did is undone: after it was done, and when nobody else does it."""

import asyncio

import pytest

from cluster.aio import tasks
from cluster.chaos import acts, observing, reading, report
from cluster.chaos.acts import Act
from cluster.chaos.journal import File
from cluster.chaos.running import Run
from cluster.lab import chaos
from cluster.lab.lab import Lab

HEAD = """
apiVersion: kubemu.dev/v1alpha1
kind: Experiment
name: undoing
steadyState: {for: 0s}
faults:
"""
STOP = "- {at: 1s, for: 10m, do: stop, target: {process: scheduler}}\n"
LOAD = "- {at: 2s, for: 10m, do: load, watches: 1}\n"


class Watched(chaos.LabWorld):
    """Writes down what was done to it, and when."""

    def __init__(self, cluster) -> None:
        super().__init__(cluster)
        self.begun: list[str] = []
        self.done: list[str] = []

    async def do(self, act: Act) -> None:
        self.begun.append(f"{act}")
        await self.carry_out(act)
        self.done.append(f"{act}")

    async def carry_out(self, act: Act) -> None:
        await super().do(act)


class Far(Watched):
    """It takes a while to do what it was asked, and does it though nobody waits any more."""

    def __init__(self, cluster, group: tasks.Group) -> None:
        super().__init__(cluster)
        self._group = group

    async def carry_out(self, act: Act) -> None:
        await asyncio.shield(self._group.spawn(self._later(act), f"{act}"))

    async def _later(self, act: Act) -> None:
        await asyncio.sleep(3.0)
        await super().carry_out(act)


class Deaf(Watched):
    """Never gets done with stopping anything."""

    async def carry_out(self, act: Act) -> None:
        if act.op == "stop":
            await asyncio.Event().wait()
        await super().carry_out(act)


class Broken(Watched):
    """Has a fault of its own."""

    async def carry_out(self, act: Act) -> None:
        if act.op == "restart":
            raise RuntimeError("a fault in the code")
        await asyncio.sleep(0.1)
        await super().carry_out(act)


async def interrupted(cluster, world: Watched) -> report.Outcome:
    """A run that is interrupted a second after it began to stop the scheduler."""
    one = Run(reading.parse(HEAD + STOP, "stop.yaml"), world, clock=cluster.clock)
    async with tasks.Group("test") as group:
        running = group.spawn(one.run(), "run")
        while not world.begun:
            await asyncio.sleep(0.1)
        await asyncio.sleep(1.0)
        one.interrupt()
        return await running


async def scheduler_runs(world: Watched) -> bool:
    return [one.running for one in await world.members() if one.name == "scheduler"] == [True]


def test_what_is_being_done_when_it_is_interrupted_is_undone_after_it_is_done() -> None:
    async def story(cluster):
        async with tasks.Group("far") as group:
            world = Far(cluster, group)
            found = await interrupted(cluster, world)
            assert world.done == ["stop scheduler", "start scheduler"]
            assert await scheduler_runs(world)
            return report.document(found)

    found = Lab(seed=1, nodes=1).run(story)
    assert (found["verdict"], found["reasons"]) == ("aborted", ["interrupted"])
    assert found["notes"] == []


def test_what_never_gets_done_is_undone_all_the_same_and_told() -> None:
    async def story(cluster):
        world = Deaf(cluster)
        found = await interrupted(cluster, world)
        assert world.done == ["start scheduler"]
        return report.document(found)

    found = Lab(seed=1, nodes=1).run(story)
    assert found["notes"] == [
        "stop scheduler was not done within 60 s, and then undone: it may be done yet"
    ]


def test_what_was_done_is_undone_where_the_run_itself_fails() -> None:
    restart = "- {at: 2s, do: restart, target: {node: node-1, only: kubelet}}\n"

    async def story(cluster):
        world = Broken(cluster)
        made = reading.parse(HEAD + STOP + restart, "restart.yaml")
        with pytest.raises(RuntimeError, match="a fault in the code"):
            await Run(made, world, clock=cluster.clock).run()
        assert world.done == ["stop scheduler", "start kubelet-node-1", "start scheduler"]
        assert await scheduler_runs(world)

    Lab(seed=1, nodes=1).run(story)


TWICE = """
- {at: 1s, for: 20s, do: stop, target: {process: scheduler}}
- {at: 11s, for: 20s, do: stop, target: {process: scheduler}}
- {at: 2s, for: 10s, do: partition, sides: [{node: node-1}]}
- {at: 7s, for: 10s, do: partition, sides: [{node: node-1}]}
"""


def test_what_two_faults_do_to_the_same_one_is_undone_at_the_end_of_the_last() -> None:
    class Timed(Watched):
        """Knows when the scheduler was started, and when links were mended."""

        async def carry_out(self, act: Act) -> None:
            if act.op == "start" or (act.op == "links" and not act.links[0].cut):
                times.append((round(cluster_now(), 1) - zero[0], f"{act}"))
            await super().carry_out(act)

    times: list[tuple[float, str]] = []
    zero: list[float] = []

    def cluster_now() -> float:
        return asyncio.get_running_loop().time()

    async def story(cluster):
        zero.append(round(cluster.now(), 1))
        made = reading.parse(HEAD + TWICE, "twice.yaml")
        return report.document(await Run(made, Timed(cluster), clock=cluster.clock).run())

    found = Lab(seed=1, nodes=2).run(story)
    assert found["verdict"] == "passed"
    assert times == [
        (pytest.approx(17.0, abs=0.2), "links node-1"),
        (pytest.approx(17.0, abs=0.2), "links node-2"),
        (pytest.approx(31.0, abs=0.2), "start scheduler"),
    ]
    ends = {one["subject"]: one["at"] for one in found["events"] if one["kind"] == "undone"}
    assert ends == {
        "fault 1": pytest.approx(21.0, abs=0.1), "fault 2": pytest.approx(31.0, abs=0.1),
        "fault 3": pytest.approx(12.0, abs=0.1), "fault 4": pytest.approx(17.0, abs=0.1),
    }  # fmt: skip


SLOW_TWICE = """
- {at: 1s, for: 20s, do: slow, target: {process: scheduler}, cpu: 10%}
- {at: 11s, for: 9500ms, do: slow, target: {process: scheduler}, cpu: 50%}
"""


def test_what_ends_while_it_is_made_as_it_was_is_undone_all_the_same() -> None:
    class Slow(Watched):
        """Slows nothing down, and takes a second for it."""

        def lacks(self, _act: Act) -> str:
            return ""

        async def carry_out(self, act: Act) -> None:
            shares.append(act.cpu)
            await asyncio.sleep(1.0)

    shares: list[float] = []

    async def story(cluster):
        made = reading.parse(HEAD + SLOW_TWICE, "slow-twice.yaml")
        return report.document(await Run(made, Slow(cluster), clock=cluster.clock).run())

    found = Lab(seed=1, nodes=1).run(story)
    assert found["verdict"] == "passed"
    assert shares == [0.1, 0.5, 0.1, 1.0]


def test_a_cluster_that_is_taken_down_ends_the_experiment(tmp_path):
    path = tmp_path / "journal.json"

    async def story(cluster):
        world, mine = Watched(cluster), File(path)
        made = reading.parse(HEAD + STOP + LOAD, "stop.yaml")
        one = Run(made, world, clock=cluster.clock, journal=mine)
        async with tasks.Group("test") as group:
            running = group.spawn(one.run(), "run")
            await asyncio.sleep(5)  # virtual: both have begun
            other = File(path)
            other.write([act for act in other.read() if act.op in acts.OF_DATA])
            return await running, world

    seen, world = Lab(seed=1, nodes=1).run(story)
    assert seen.aborted.startswith("the cluster was taken down meanwhile")
    assert seen.seconds < 10
    assert not seen.notes
    assert [span.action for span in seen.spans] == ["stop", "load"]
    assert world.done == ["stop scheduler"]
    assert not path.exists()


def test_a_kill_is_told_as_begun_alone_though_something_would_undo_it():
    kill = "- {at: 1s, do: kill, target: {process: scheduler}}\n"

    async def story(cluster):
        world = Watched(cluster)
        made = reading.parse(HEAD + kill, "kill.yaml")
        return await Run(made, world, clock=cluster.clock).run(), await scheduler_runs(world)

    seen, runs = Lab(seed=1, nodes=1).run(story)
    assert runs
    assert [event.kind for event in seen.events if event.subject == "fault 1"] == [observing.BEGUN]
