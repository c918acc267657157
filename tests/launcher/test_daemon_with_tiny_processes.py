"""The daemon, its zygote and its control service, with tiny processes instead of a cluster."""

import asyncio
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from cluster.launcher import controlling, launching, processes, state
from cluster.pb.cluster.v1 import control_pb2 as pb

PROGRAM = Path(__file__).with_name("tinyprogram.py")
SUPERVISE = (sys.executable, str(PROGRAM), "supervise")
DEADLINE = 20.0


@asynccontextmanager
async def daemon(
    path: Path, *made: processes.Process
) -> AsyncIterator[tuple[state.Folder, controlling.Remote]]:
    folder = state.Folder(path / "tiny")
    folder.prepare()
    plan = processes.Plan("tiny", str(folder.socket("control")), str(folder.socket("notify")), made)
    with launching.Launch(folder, SUPERVISE) as launch:
        folder.plan.write_bytes(plan.encode())
        launch.go()
        launch.wait_up(DEADLINE)
    supervisor = state.holder(folder)
    assert supervisor is not None
    family = psutil.Process(supervisor)
    everybody = [family]
    try:
        async with controlling.connect(Path(plan.control)) as remote:
            yield folder, remote
            everybody = [family, *family.children(recursive=True)]
            if family.is_running() and family.status() != psutil.STATUS_ZOMBIE:
                await remote.shut_down()
    finally:
        _, alive = psutil.wait_procs(everybody, timeout=DEADLINE)
        for process in alive:
            process.kill()
    assert alive == []
    assert not folder.processes.exists()


def process(path: Path, name: str, *argv: str, component: str = "") -> processes.Process:
    return processes.Process(name, component or name, argv, str(path / f"{name}.log"))


async def until(remote: controlling.Remote, reached: Callable[[dict[str, Any]], bool]) -> None:
    known: dict[str, Any] = {}
    async with asyncio.timeout(DEADLINE):
        async for changed in remote.watch():
            known |= {each.name: each for each in changed}
            if reached(known):
                return


async def written(folder: state.Folder, *names: str) -> dict[str, state.Running]:
    """What is written down, as soon as these are: that a process runs may be told before."""
    async with asyncio.timeout(DEADLINE):
        while not (found := state.recorded(folder)).keys() >= set(names):
            await asyncio.sleep(0)
        return found


def is_in(name: str, phase: Any) -> Callable[[dict[str, Any]], bool]:
    return lambda known: known[name].phase == phase


def test_processes_run_are_stopped_started_and_say_what_they_do(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(tmp_path, process(tmp_path, "a", "wait")) as (folder, remote):
            await until(remote, is_in("a", pb.Process.RUNNING))
            (first,) = await remote.processes()
            assert (first.status, first.restarts) == ("waiting", 0)
            assert psutil.Process(first.pid).cmdline()[0].startswith("kubemu wait")
            assert state.recorded(folder)["a"].pid == first.pid
            assert all(state.alive(each) for each in state.recorded(folder).values())
            stopped = await remote.stop("a")
            assert (stopped.phase, stopped.last_exit) == (pb.Process.STOPPED, "killed by SIGTERM")
            assert not psutil.pid_exists(first.pid)
            again = await remote.start("a")
            assert again.pid not in (0, first.pid)
            assert (await remote.restart("a")).pid not in (0, again.pid)

    asyncio.run(story())


def test_a_killed_process_comes_back(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(tmp_path, process(tmp_path, "a", "wait")) as (_, remote):
            await until(remote, is_in("a", pb.Process.RUNNING))
            (before,) = await remote.processes()
            os.kill(before.pid, signal.SIGKILL)
            await until(
                remote,
                lambda known: known["a"].restarts == 1 and known["a"].phase == pb.Process.RUNNING,
            )
            (after,) = await remote.processes()
            assert after.last_exit == "killed by SIGKILL"
            assert after.pid != before.pid

    asyncio.run(story())


def test_without_fork_each_process_is_an_interpreter_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINY_WITHOUT_FORK", "1")

    async def story() -> None:
        made = (process(tmp_path, "a", "wait"), process(tmp_path, "b", "fail"))
        async with daemon(tmp_path, *made) as (folder, remote):
            await until(remote, is_in("a", pb.Process.RUNNING))
            a, _ = await remote.processes()
            assert psutil.Process(a.pid).ppid() == state.holder(folder)
            assert state.ZYGOTE not in state.recorded(folder)
            os.kill(a.pid, signal.SIGKILL)
            await until(
                remote,
                lambda known: known["a"].restarts == 1 and known["a"].phase == pb.Process.RUNNING,
            )
            await until(remote, lambda known: known["b"].last_exit == "exit code 3")
            assert (await remote.stop("a")).last_exit == "killed by SIGTERM"

    asyncio.run(story())


def test_one_that_will_not_end_is_ended_by_force(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(tmp_path, process(tmp_path, "a", "stubborn")) as (_, remote):
            await until(remote, is_in("a", pb.Process.RUNNING))
            assert (await remote.stop("a", grace=0.2)).last_exit == "killed by SIGKILL"

    asyncio.run(story())


def test_a_paused_process_hangs_until_it_is_resumed(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(tmp_path, process(tmp_path, "a", "wait")) as (_, remote):
            await until(remote, is_in("a", pb.Process.RUNNING))
            paused = await remote.pause("a")
            assert paused.paused
            assert await status_of(paused.pid, psutil.STATUS_STOPPED)
            assert not (await remote.resume("a")).paused
            assert await status_of(paused.pid, psutil.STATUS_SLEEPING)

    asyncio.run(story())


async def status_of(pid: int, status: str) -> bool:
    async with asyncio.timeout(DEADLINE):
        while psutil.Process(pid).status() != status:
            await asyncio.sleep(0.01)
    return True


def test_a_failing_process_is_tried_again_and_its_words_are_shown(tmp_path: Path) -> None:
    async def story() -> None:
        made = (process(tmp_path, "a", "fail"), process(tmp_path, "b", "crash"))
        async with daemon(tmp_path, *made) as (_, remote):
            await until(remote, lambda known: min(each.restarts for each in known.values()) > 1)
            a, b = await remote.processes()
            assert (a.last_exit, b.last_exit) == ("exit code 3", "exit code 1")
            assert "a fault of the process" in Path(b.log).read_text()

    asyncio.run(story())


def test_grpc_works_in_forked_processes(tmp_path: Path) -> None:
    async def story() -> None:
        made = [
            process(tmp_path, name, "converse", str(tmp_path / f"{name}.sock"), component="grpc")
            for name in ("a", "b", "c")
        ]
        async with daemon(tmp_path, *made) as (_, remote):
            await until(
                remote,
                lambda known: all(each.phase == pb.Process.RUNNING for each in known.values()),
            )
            assert [each.status for each in await remote.processes()] == ["health 1"] * 3
            await remote.restart("b")
            await until(remote, is_in("b", pb.Process.RUNNING))

    asyncio.run(story())


def test_what_a_process_said_before_it_was_stopped_is_not_said_of_it_later(tmp_path: Path) -> None:
    async def story() -> None:
        made = process(tmp_path, "a", "converse", str(tmp_path / "a.sock"), component="grpc")
        async with daemon(tmp_path, made) as (_, remote):
            await until(remote, is_in("a", pb.Process.RUNNING))
            assert (await remote.processes())[0].status == "health 1"
            assert (await remote.stop("a")).status == ""

    asyncio.run(story())


def test_a_zygote_that_dies_takes_no_process_with_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(tmp_path, process(tmp_path, "a", "wait")) as (folder, remote):
            await until(remote, is_in("a", pb.Process.RUNNING))
            (before,) = await remote.processes()
            zygote = psutil.Process(before.pid).parent()
            assert zygote is not None
            os.kill(zygote.pid, signal.SIGKILL)
            psutil.wait_procs([zygote], timeout=DEADLINE)
            (after,) = await remote.processes()
            assert after.pid == before.pid
            assert (await remote.restart("a")).pid != before.pid
            await until(remote, is_in("a", pb.Process.RUNNING))
            assert psutil.Process(state.recorded(folder)["a"].pid).ppid() != zygote.pid

    asyncio.run(story())


def test_a_supervisor_that_dies_leaves_no_process(tmp_path: Path) -> None:
    async def story() -> None:
        folder = state.Folder(tmp_path / "tiny")
        async with daemon(tmp_path, process(tmp_path, "a", "wait")) as (_, remote):
            await until(remote, is_in("a", pb.Process.RUNNING))
            (before,) = await remote.processes()
            everybody = await written(folder, state.SUPERVISOR, "a")
            others = [psutil.Process(each.pid) for each in everybody.values()][1:]
            os.kill(everybody[state.SUPERVISOR].pid, signal.SIGKILL)
            psutil.wait_procs(others, timeout=DEADLINE)
            assert not psutil.pid_exists(before.pid)
            assert state.leftovers(folder) == {}
            folder.processes.unlink()

    asyncio.run(story())


def test_processes_are_kept_running_where_nothing_can_be_written_down(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(tmp_path, process(tmp_path, "a", "wait")) as (folder, remote):
            await until(remote, is_in("a", pb.Process.RUNNING))
            folder.processes.unlink()
            folder.processes.mkdir()
            await remote.kill("a")
            await until(
                remote,
                lambda known: known["a"].restarts == 1 and known["a"].phase == pb.Process.RUNNING,
            )
            folder.processes.rmdir()
            assert (await remote.restart("a")).pid == state.recorded(folder)["a"].pid

    asyncio.run(story())


def test_a_supervisor_that_ends_meanwhile_is_told_of(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(tmp_path, process(tmp_path, "a", "wait")) as (folder, remote):
            watch = remote.watch()
            await anext(watch)
            supervisor = state.holder(folder) or 0
            os.kill(supervisor, signal.SIGTERM)
            with pytest.raises(controlling.Failed, match="supervisor does not answer"):
                async for _ in watch:
                    pass
            assert await status_of(supervisor, psutil.STATUS_ZOMBIE)

    asyncio.run(story())


def test_unknown_processes_and_impossible_demands_are_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(tmp_path, process(tmp_path, "a", "wait")) as (_, remote):
            with pytest.raises(controlling.Failed, match='no process "b"; there are a'):
                await remote.stop("b")
            await until(remote, is_in("a", pb.Process.RUNNING))
            with pytest.raises(controlling.Failed, match="a: it is running already"):
                await remote.start("a")
            await remote.stop("a")
            with pytest.raises(controlling.Failed, match="a: it does not run"):
                await remote.kill("a")

    asyncio.run(story())


def test_only_the_owner_reaches_the_control_service(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(tmp_path, process(tmp_path, "a", "wait")) as (folder, _):
            path = folder.socket("control")
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    asyncio.run(story())


def test_a_second_supervisor_of_a_cluster_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(tmp_path, process(tmp_path, "a", "wait")) as (folder, _):
            with launching.Launch(folder, SUPERVISE) as launch:
                launch.go()
                with pytest.raises(launching.NotStarted, match="tiny is running already"):
                    launch.wait_up(DEADLINE)

    asyncio.run(story())


def test_a_daemon_whose_starter_goes_away_goes_as_well(tmp_path: Path) -> None:
    folder = state.Folder(tmp_path / "tiny")
    folder.prepare()
    with launching.Launch(folder, SUPERVISE) as launch:
        child = launch._child
    assert child.wait(DEADLINE) == 0
    assert not folder.processes.exists()


def test_sockets_have_short_paths_wherever_the_state_is(tmp_path: Path) -> None:
    folder = state.Folder(tmp_path / ("deep" * 30) / "tiny")
    for name in ("control", "runtime-" + "n" * 200):
        with socket.socket(socket.AF_UNIX) as probe:
            folder.run.mkdir(parents=True, exist_ok=True)
            probe.bind(str(folder.socket(name)))
            folder.socket(name).unlink()
    folder.run.rmdir()
