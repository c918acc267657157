"""What goes wrong between the runtime and the shim, or in either, costs no container that lives."""

import asyncio
import errno
import os
import types

import driverworld
import pytest
from driverworld import World

from cluster.aio import rpc, tasks
from cluster.pb.cluster.v1 import streaming_pb2 as streams
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.oci import frames, link
from cluster.runtime.oci.shim import cgroups, containers, serving

real = pytest.mark.skipif(bool(driverworld.lacking()), reason=driverworld.lacking())


@pytest.fixture
def play(tmp_path):
    def run(story):
        async def main():
            world = World("oci", tmp_path)
            await world.open()
            try:
                return await story(world)
            finally:
                await world.end()

        return asyncio.run(main())

    return run


def full(*_args, **_more):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# ---- the connection by which ends are told ------------------------------------------------------


def test_who_takes_no_events_is_cut_off_instead_of_missing_some(monkeypatch, tmp_path):
    monkeypatch.setattr(serving, "_MAX_EVENTS", 3)

    class Containers:
        def __getattr__(self, name):
            return {} if name == "all" else None

    async def main():
        told = serving.Serving(Containers(), None, None, None, {})
        path = str(tmp_path / "s")
        async with await asyncio.start_unix_server(told.connected, path):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(frames.document({"do": "events"}))
            assert await frames.read_document(reader) == {"containers": []}
            for number in range(9):
                told.tell({"id": number})
            heard = []
            try:
                while (one := await frames.read_document(reader)) is not None:
                    heard.append(one["id"])
            except (OSError, frames.Broken):
                pass
            writer.close()
            await asyncio.wait_for(told.unwatched.wait(), driverworld.DEADLINE)
            return heard

    heard = asyncio.run(main())
    assert heard == list(range(len(heard)))
    assert len(heard) <= 3


@real
def test_a_broken_connection_is_made_again_and_ends_meanwhile_are_heard(play):
    async def story(world):
        runs = await world.begin("a", "sleep", "60")
        ends = await world.begin("b", "sh", "-c", "exit 9")
        later = await world.begin("c", "sh", "-c", "sleep 1; exit 8")
        ours = world.cri.driver.oci.link
        held, ours._listener = ours._listener, lambda _told: None  # what is told now is lost
        await asyncio.sleep(0.3)
        ours._listener = held
        before = ours._events
        before._transport.abort()
        ended = (await world.ended(ends)).exit_code, (await world.ended(later)).exit_code
        status = await world.status(runs)
        found = await world.exec(runs, "echo", "still")
        return ended, status.state, found.stdout, ours._events is not before

    assert play(story) == ((9, 8), pb.CONTAINER_RUNNING, b"still\n", True)


# ---- faults beside a container ------------------------------------------------------------------


def test_a_container_whose_log_cannot_be_written_goes_on_and_so_does_the_shim(tmp_path):
    """In this process: the shim's own container, with a log that fails."""

    async def main():
        end = asyncio.get_running_loop().create_future()
        told = []
        reaper = types.SimpleNamespace(end_of=lambda _pid: end)

        async def deleted(_id):
            return None

        program = types.SimpleNamespace(delete=deleted)
        found = containers.Container(
            "c" * 12, tmp_path, 0,
            types.SimpleNamespace(close=lambda: None),
            types.SimpleNamespace(write=full, close=full, kept=None),
            cgroups.Place(),
        )  # fmt: skip
        reader = asyncio.StreamReader()
        reader.feed_data(b"x\n")
        async with tasks.Group("shim") as group:
            ours = containers.Containers(
                tmp_path, program, reaper, None, group=group, now=lambda: 5.0, listener=told.append
            )
            heard = []

            async def attached(_kind, data):
                heard.append(data)

            found.listeners[attached] = None
            group.spawn(ours._live(found, [(frames.DATA, reader)]), "live")
            await asyncio.sleep(0.05)
            reader.feed_data(b"y\n")
            reader.feed_eof()
            await asyncio.sleep(0.05)
            end.set_result(7)
        return heard, [(one["code"], one["finished"]) for one in told]

    assert asyncio.run(main()) == ([b"x\n", b"y\n"], [(7, 5.0)])


@real
def test_a_sandbox_whose_files_cannot_be_written_leaves_nothing(play, monkeypatch):
    async def story(world):
        driver = world.cri.driver.oci
        known = set(driver._pids)
        with monkeypatch.context() as patched:
            patched.setattr(driver._own, "write", full)
            with pytest.raises(rpc.Failure, match="No space left on device"):
                await world.box("q")
        left = set(driver._pids) - known
        folders = {path.name for path in (driver.folder / "containers").glob("*")}
        await world.box("q")  # its name is free again
        return left, folders == known

    assert play(story) == (set(), True)


@real
@pytest.mark.parametrize("fault", [rpc.Failure("UNAVAILABLE", "busy"), frames.Broken("cut")])
def test_a_shim_that_is_busy_once_still_has_the_log(play, monkeypatch, fault):
    async def story(world):
        made = await world.begin("c", "sh", "-c", "echo one; sleep 60")
        await world.said(made, "stdout one")
        driver = world.cri.driver.oci

        def busy(*_args, **_more):
            raise fault

        with monkeypatch.context() as patched:
            patched.setattr(driver.link, "stream", busy)
            with pytest.raises(rpc.Failure) as found:
                await world.cri.read_log(streams.ReadLogRequest(container_id=made))
        return found.value.code, await world.log(made), set(driver._forgotten)

    assert play(story) == ("UNAVAILABLE", ["stdout one"], set())


@real
def test_what_the_shim_has_not_is_forgotten_once_and_for_all(play, monkeypatch):
    async def story(world):
        made = await world.begin("c", "sh", "-c", "echo one; sleep 60")
        await world.said(made, "stdout one")
        driver = world.cri.driver.oci

        def refused(*_args, **_more):
            raise link.Refused("no such container here")

        monkeypatch.setattr(driver.link, "stream", refused)
        return await world.log(made), set(driver._forgotten) == {made}

    assert play(story) == (["stdout one"], True)


# ---- ends that do not come ----------------------------------------------------------------------


@real
def test_a_container_that_cannot_be_killed_is_told_of_and_nobody_waits_on(play, monkeypatch):
    async def story(world):
        made = await world.begin("c", "sleep", "60")
        driver = world.cri.driver.oci
        ask = driver.link.ask

        async def deaf(name, *args, **more):
            return {} if name == "kill" else await ask(name, *args, **more)

        with monkeypatch.context() as patched:
            patched.setattr(driver.link, "ask", deaf)
            patched.setattr("cluster.runtime.oci.driver._KILL_SECONDS", 0.1)
            with pytest.raises(rpc.Failure) as found:
                await world.stop(made, 0)
            waiting = driver.containers[made].waiters
        return found.value.code, waiting, (await world.stop(made, 0)).exit_code

    assert play(story) == ("DEADLINE_EXCEEDED", [], 137)


@real
def test_one_that_cannot_be_stopped_keeps_no_other_of_its_pod(play, monkeypatch):
    async def story(world):
        first = await world.begin("a", "sleep", "60")
        second = await world.begin("b", "sleep", "60")
        driver = world.cri.driver.oci
        stop = driver.stop

        async def failing(container, grace):
            if container.id == first:
                raise rpc.Failure("DEADLINE_EXCEEDED", "it stays")
            await asyncio.sleep(0.1)
            await stop(container, grace)

        with monkeypatch.context() as patched:
            patched.setattr(driver, "stop", failing)
            with pytest.raises(rpc.Failure, match="it stays"):
                await world.cri.stop_pod_sandbox(
                    pb.StopPodSandboxRequest(pod_sandbox_id=world.sandbox)
                )
            return [(await world.status(one)).state for one in (first, second)]

    assert play(story) == [pb.CONTAINER_RUNNING, pb.CONTAINER_EXITED]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"do": "nothing"}, "no request is called 'nothing'"),
        ({"do": "kill", "id": "x"}, "the shim failed: KeyError('signal')"),
        ({"do": "kill", "id": "x", "signal": 9}, "the shim failed: KeyError('inside')"),
    ],
)
def test_a_request_that_fails_says_how(asked, words, tmp_path):
    class Containers:
        def __getattr__(self, _name):
            return None

        async def kill(self, _id, _number):
            raise KeyError("inside")

    async def main():
        told = serving.Serving(Containers(), None, None, None, {})
        path = str(tmp_path / "s")
        async with await asyncio.start_unix_server(told.connected, path):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(frames.document(asked))
            found = await frames.read_document(reader)
            writer.close()
            return found

    assert asyncio.run(main()) == {"error": words}
