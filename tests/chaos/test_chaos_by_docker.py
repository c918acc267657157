"""How containers are hurt, and healed again whatever came between, by a docker that is none."""

import asyncio
import json
import os
from types import SimpleNamespace

import pytest

from cluster.aio import tasks, virtual
from cluster.chaos import acts, compose
from cluster.chaos import experiment as ex
from cluster.chaos.acts import Act, LinkState
from cluster.chaos.reaching import Doors
from cluster.chaos.world import Unable

KILL = Act("kill", "scheduler")
STOP = Act("stop", "scheduler")
FULL = ex.DiskFault(full=True)
ENDING = 10.0


class Docker:
    """A daemon: who runs, how each is set up, and what it was asked. `broken` are commands that
    fail, with what they complain of; a container takes a while to stop.
    """

    def __init__(self, configs=None):
        self.runs = dict.fromkeys(("scheduler", "runtime-1", *(configs or {})), True)
        self.configs = configs or {}
        self.asked, self.broken = [], {}
        self._ended = asyncio.Event()

    async def __call__(self, *arguments, given=b"", within=60.0):
        command, name = arguments[0], arguments[-1]
        if command == "ps":
            return b"\n".join(self._listed(name) for name in self.runs)
        if "{{json .Config}}" in arguments:
            return json.dumps(self.configs[name]).encode()
        if "{{.State.Running}}" in arguments:
            return b"true\n" if self.runs[name] else b"false\n"
        self.asked.append(" ".join(arguments[:2]))
        if command in self.broken:
            raise Unable(self.broken[command])
        return await self._carry_out(command, name, within)

    async def _carry_out(self, command, name, within):
        if command == "kill" and not self.runs[name]:
            raise Unable(f"docker: Cannot kill container: c: Container {name} is not running")
        if command == "wait":
            try:
                async with asyncio.timeout(within):
                    await self._ended.wait()
            except TimeoutError:
                raise compose.TooLong("docker wait took too long") from None
        elif command == "stop":
            await asyncio.sleep(ENDING)
        if command in ("kill", "stop"):
            self.runs[name] = False
            self._ended.set()
        elif command == "start":
            self.runs[name] = True
        return b""

    def _listed(self, name):
        labels = f"com.docker.compose.service={name},com.docker.compose.project=p"
        state = "running" if self.runs[name] else "exited"
        return json.dumps({"ID": name, "State": state, "Labels": labels}).encode()


def on(docker, story, doors=None):
    """Run a story of a world."""

    async def told():
        await story(compose.ComposeWorld("/p", None, doors or Doors()))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compose, "docker", docker)
        virtual.run(told())


def test_a_kill_that_came_to_its_end_leaves_nothing_to_undo():
    docker = Docker()

    async def story(world):
        await world.do(KILL)
        await world.do(acts.undoing(KILL))
        assert docker.asked == ["kill scheduler", "start scheduler"]

    on(docker, story)


def test_who_was_killed_and_could_not_be_started_is_started_later():
    docker = Docker()
    docker.broken["start"] = "docker: port is already allocated"

    async def story(world):
        with pytest.raises(Unable, match="already allocated"):
            await world.do(KILL)
        docker.broken.clear()
        await world.do(acts.undoing(KILL))
        assert docker.runs["scheduler"]

    on(docker, story)


def test_who_was_killed_before_a_crash_is_started_by_whoever_heals():
    docker = Docker()
    docker.runs["scheduler"] = False

    async def story(world):
        await world.do(acts.read(acts.document(acts.undoing(KILL))))
        assert docker.runs["scheduler"]

    on(docker, story)


def test_who_was_stopped_is_not_started_by_a_kill_that_found_nobody():
    docker = Docker()

    async def story(world):
        await world.do(STOP)
        with pytest.raises(Unable, match="is not running"):
            await world.do(KILL)
        await world.do(acts.undoing(KILL))
        assert not docker.runs["scheduler"]
        await world.do(acts.undoing(STOP))
        assert docker.runs["scheduler"]

    on(docker, story)


def test_what_undoes_an_act_waits_for_its_end():
    docker = Docker()

    async def story(world):
        async with tasks.Group("story") as group:
            group.spawn(world.do(STOP), "stop")
            await asyncio.sleep(ENDING / 2)
            await world.do(acts.undoing(STOP))
        assert docker.runs["scheduler"]
        assert docker.asked == ["stop scheduler", "start scheduler"]

    on(docker, story)


def test_who_still_runs_may_be_about_to_end_by_a_command_of_before():
    docker = Docker()

    async def story(world):
        async with tasks.Group("story") as group:
            group.spawn(docker("stop", "scheduler"), "of who was killed")
            await asyncio.sleep(ENDING / 2)
            await world.do(acts.undoing(STOP))
            assert docker.runs["scheduler"]
            assert docker.asked == [
                "stop scheduler",
                *["start scheduler", "wait scheduler"],
                "start scheduler",
            ]

    on(docker, story)


def test_who_was_never_stopped_is_left_as_it_is():
    docker = Docker()

    async def story(world):
        await world.do(acts.undoing(STOP))
        assert docker.asked == ["start scheduler", "wait scheduler"]

    on(docker, story)


def config(*environment, command=("apiserver",)):
    return {"Env": ["PATH=/usr/bin", *environment], "Cmd": list(command)}


@pytest.mark.parametrize(
    ("set_up", "sqlite"),
    [
        (config(), True),
        (config("KUBEMU_STORAGE_BACKEND="), True),
        (config("KUBEMU_STORAGE_BACKEND=sqlite"), True),
        (config("KUBEMU_STORAGE_BACKEND=etcd"), False),
        (config("KUBEMU_STORAGE_BACKEND=sqlite", command=["--storage-backend=memory"]), False),
        ({"Env": None, "Cmd": None}, True),
    ],
)
def test_only_stores_in_sqlite_have_a_bad_disk(set_up, sqlite):
    async def story(world):
        await world.members()
        lacks = world.lacks(Act("disk", "apiserver", "f", 9.0, disk=FULL))
        assert ("no file of SQLite" in lacks) == (not sqlite)
        assert bool(lacks) == (not sqlite)

    on(Docker({"apiserver": set_up}), story, Doors({"apiserver": ""}))


@pytest.mark.parametrize("name", ["kubelet-1", "etcd-1", "apiserver-2"])
@pytest.mark.parametrize(
    ("op", "more"), [("faults", {"api": ex.ApiFault(code=503)}), ("disk", {"disk": FULL})]
)
def test_only_api_servers_that_the_kubeconfig_names_have_faults(op, more, name):
    world = compose.ComposeWorld("/p", None, Doors({"apiserver": ""}))
    said = world.lacks(Act(op, name, "f", 9.0, **more))
    assert said == f"{name} is no API server that can be reached: there is apiserver"


@pytest.mark.parametrize(
    "act",
    [
        Act("faults", "apiserver-2", "f"),
        Act("links", "node-9", links=(LinkState("node-1", cut=False),)),
        Act("start", "kubelet-9"),
        Act("resume", "kubelet-9"),
        Act("slow", "kubelet-9"),
        acts.undoing(Act("kill", "kubelet-9")),
    ],
    ids=str,
)
def test_there_is_nothing_to_be_undone_where_nobody_is(act):
    on(Docker(), lambda world: world.do(act))


@pytest.mark.parametrize(
    "act", [Act("stop", "x"), Act("links", "node-9", links=(LinkState("a", cut=True),))]
)
def test_nobody_cannot_be_hurt(act):
    async def story(world):
        with pytest.raises(Unable, match="there is no service"):
            await world.do(act)

    on(Docker(), story)


def test_a_machine_that_is_down_has_no_links_to_be_healed():
    docker = Docker()
    docker.broken["exec"] = "docker: Error response from daemon: container c is not running"

    async def story(world):
        await world.do(Act("links", "node-1", links=(LinkState("node-2", cut=False),)))
        with pytest.raises(Unable, match="is not running"):
            await world.do(Act("links", "node-1", links=(LinkState("node-2", cut=True),)))

    on(docker, story)


# ---- the command itself ----------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, monkeypatch):
    """A docker command that says its pid, and ends when it is let go."""
    script, started, leave = tmp_path / "docker", tmp_path / "started", tmp_path / "leave"
    os.mkfifo(started)
    os.mkfifo(leave)
    script.write_text(f'#!/bin/sh\necho $$ > {started}\nread line < {leave}\necho "$1 $line"\n')
    script.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    begin, begun = asyncio.create_subprocess_exec, []

    async def made(*arguments, **settings):
        begun.append(await begin(*arguments, **settings))
        return begun[-1]

    async def pid():
        return int((await asyncio.to_thread(started.read_text)).strip())

    monkeypatch.setattr(asyncio, "create_subprocess_exec", made)
    return SimpleNamespace(pid=pid, let_go=lambda: leave.write_text("done\n"), begun=begun)


def test_a_command_says_what_it_has_to_say(command):
    async def story():
        async with tasks.Group("story") as group:
            running = group.spawn(compose.docker("stop", "c"), "docker")
            pid = await command.pid()
            assert os.getsid(pid) == pid  # Ctrl-C in the terminal is not for it
            command.let_go()
            assert await running == b"stop done\n"

    asyncio.run(story())


def test_a_command_that_nobody_waits_for_comes_to_its_end_first(command):
    async def story():
        async with tasks.Group("story") as group:
            running = group.spawn(compose.docker("stop", "c"), "docker")
            await command.pid()
            for _ in range(2):
                running.cancel()
                for _ in range(5):
                    await asyncio.sleep(0)
            assert not running.done()
            command.let_go()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert [one.returncode for one in command.begun] == [0]

    asyncio.run(story())


def test_a_command_that_does_not_end_is_ended(command):
    async def story():
        with pytest.raises(compose.TooLong, match=r"docker stop c took longer than 0\.3 s"):
            await compose.docker("stop", "c", within=0.3)
        assert all(one.returncode for one in command.begun)

    asyncio.run(story())


def test_nor_is_one_waited_for_for_ever_that_nobody_wants(command):
    async def story():
        async with tasks.Group("story") as group:
            running = group.spawn(compose.docker("stop", "c", within=0.3), "docker")
            await asyncio.sleep(0)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        assert all(one.returncode for one in command.begun)

    asyncio.run(story())


def test_a_machine_without_docker_is_told_of(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unable, match="there is no docker command on this machine"):
        asyncio.run(compose.docker("ps"))
