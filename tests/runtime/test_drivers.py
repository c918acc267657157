"""What holds for containers of both drivers: emulated ones, and processes of Linux.

The oci half needs root and crun or runc, and is skipped, with the reason, where they are not.
"""

import asyncio

import driverworld
import pytest
from driverworld import World

from cluster.aio import rpc, tasks
from cluster.pb.cluster.v1 import streaming_pb2 as streams
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import endings


@pytest.fixture(params=["sim", "oci"])
def kind(request):
    lacking = driverworld.lacking() if request.param == "oci" else ""
    if lacking:
        pytest.skip(lacking)
    return request.param


@pytest.fixture
def play(kind, tmp_path):
    """Runs a story in a world of its own."""

    def run(story, **config):
        async def main():
            world = World(kind, tmp_path)
            await world.open(**config)
            try:
                return await story(world)
            finally:
                await world.end()

        return asyncio.run(main())

    return run


def test_a_container_ends_with_the_code_of_its_program_and_its_log_is_kept(play):
    async def story(world):
        return await world.run("c", "sh", "-c", "echo out; echo err >&2; exit 3")

    code, log = play(story)
    assert code == 3
    assert sorted(log) == ["stderr err", "stdout out"]


def test_a_program_that_is_not_there_is_told_of_as_runc_does(play):
    async def story(world):
        made = await world.make("c", "sh", "-c", "nosuch; echo $?")
        await world.cri.start_container(pb.StartContainerRequest(container_id=made))
        await world.ended(made)
        return await world.log(made)

    log = play(story)
    assert log[-1] == "stdout 127"
    assert "not found" in log[0]


_BEGUN = "runc create failed: unable to start container process: "


@pytest.mark.parametrize(
    ("command", "config", "why"),
    [
        (["/etc/passwd"], {}, 'exec: "/etc/passwd": permission denied'),
        (["/no/such"], {}, 'exec: "/no/such": stat /no/such: no such file or directory'),
        (["/etc/passwd/x"], {}, 'exec: "/etc/passwd/x": stat /etc/passwd/x: not a directory'),
        (["sh", "-c", "echo no"], {"working_dir": "/etc/passwd"},
         "error during container init: mkdir /etc/passwd: not a directory"),
        (["sleep", "60"], {"working_dir": "/etc/passwd"},
         "error during container init: mkdir /etc/passwd: not a directory"),
    ],
)  # fmt: skip
def test_what_cannot_begin_says_why_in_the_words_of_runc(play, command, config, why):
    async def story(world):
        made = await world.make("c", *command, **config)
        with pytest.raises(rpc.Failure) as failed:
            await world.cri.start_container(pb.StartContainerRequest(container_id=made))
        status = await world.status(made)
        executed = ""
        if not config:
            other = await world.begin("d", "sleep", "60")
            with pytest.raises(rpc.Failure) as refused:
                await world.exec(other, *command)
            executed = refused.value.message
        return failed.value.message, status, executed

    said, status, executed = play(story)
    assert said.endswith(f"{_BEGUN}{why}: unknown")
    assert (status.state, status.exit_code, status.reason) == (
        pb.CONTAINER_EXITED, 128, "StartError",
    )  # fmt: skip
    begun = _BEGUN.replace("runc create", "exec")
    assert config or executed.endswith(f"{begun}{why}: unknown")


def test_a_container_has_its_variables_name_and_directory(play):
    async def story(world):
        pair = [pb.KeyValue(key="WHO", value="me")]
        return await world.run(
            "c", "sh", "-c", "echo $WHO; hostname; pwd", envs=pair, working_dir="/tmp"
        )

    assert play(story) == (0, ["stdout me", "stdout p", "stdout /tmp"])


def test_stopping_asks_first_and_kills_when_the_grace_is_over(play):
    async def story(world):
        heeds = 'trap "exit 5" TERM; echo up; while :; do sleep 0.05; done'
        deaf = 'trap "" TERM; echo up; while :; do sleep 0.05; done'
        first, second = [await world.begin(name, "sh", "-c", text)
                         for name, text in (("a", heeds), ("b", deaf))]  # fmt: skip
        await world.said(first, "stdout up")
        await world.said(second, "stdout up")
        return [(await world.stop(first, 10)).exit_code, (await world.stop(second, 1)).exit_code]

    assert play(story) == [5, 137]


@pytest.mark.parametrize("slow", [False, True])
def test_who_follows_hears_what_a_removed_container_said_last(play, tmp_path, slow):
    async def story(world):
        says = "trap 'echo last; echo words; exit' TERM; echo up; while :; do sleep 0.02; done"
        made = await world.begin("c", "sh", "-c", says)
        up, removed = asyncio.Event(), asyncio.Event()

        async def follow():
            found = b""
            while True:
                asked = streams.ReadLogRequest(
                    container_id=made, offset=len(found), limit=60, wait_seconds=30
                )
                part = await world.cri.read_log(asked)
                assert part.offset == len(found)
                found += part.data
                if b"up" in found:
                    up.set()
                if part.ended and not part.data:
                    return [line.rpartition(b" ")[2] for line in found.splitlines()]
                if slow and up.is_set():
                    await removed.wait()

        async with asyncio.timeout(driverworld.DEADLINE), tasks.Group("follower") as group:
            following = group.spawn(follow(), "follow")
            await up.wait()
            await world.stop(made, 10)
            await world.cri.remove_container(pb.RemoveContainerRequest(container_id=made))
            left = [path for path in tmp_path.glob("logs-p/**/*") if path.is_file()]
            removed.set()
            return left, await following

    assert play(story) == ([], [b"up", b"last", b"words"])


def test_a_command_is_run_in_a_container(play):
    async def story(world):
        made = await world.begin("c", "sleep", "60")
        found = await world.exec(made, "sh", "-c", "echo out; echo err >&2; exit 4")
        return found.exit_code, found.stdout, found.stderr

    assert play(story) == (4, b"out\n", b"err\n")


def test_a_command_that_is_not_there_and_one_that_takes_too_long_fail(play):
    async def story(world):
        made = await world.begin("c", "sh", "-c", "while :; do sleep 0.1; done")
        with pytest.raises(rpc.Failure) as absent:
            await world.exec(made, "nosuch")
        with pytest.raises(rpc.Failure) as slow:
            await world.exec(made, "sleep", "5", timeout=1)
        return absent.value.message, slow.value.code, slow.value.message

    absent, code, slow = play(story)
    assert absent == (
        "failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: "
        'unable to start container process: exec: "nosuch": executable file not found in $PATH: '
        "unknown"
    )
    assert (code, slow) == ("DEADLINE_EXCEEDED", "command ['sleep', '5'] timed out after 1s")


def test_a_session_has_input_output_and_an_end(play):
    async def story(world):
        made = await world.begin("c", "sleep", "60")
        command = ["sh", "-c", "cat; echo done >&2; exit 6"]
        return await world.session(made, command, [b"one\n", b"two\n"], stderr=True)

    assert play(story) == (b"one\ntwo\n", b"done\n", 6, "")


def test_a_session_may_have_a_terminal(play):
    async def story(world):
        made = await world.begin("c", "sleep", "60")
        return await world.session(made, ["sh", "-c", "echo $TERM; exit 2"], [], tty=True)

    out, _, code, _ = play(story)
    assert (out, code) == (b"xterm\r\n", 2)


def test_what_a_session_cannot_run_is_told_at_its_end(play):
    async def story(world):
        made = await world.begin("c", "sleep", "60")
        return await world.session(made, ["nosuch"], [])

    _, _, code, error = play(story)
    assert code == 127
    assert 'exec: "nosuch": executable file not found in $PATH' in error


def test_volumes_are_shared_and_read_only_ones_are_not_written(play, tmp_path):
    folder = tmp_path / "volume"
    folder.mkdir()
    (folder / "given").write_text("from outside\n")

    async def story(world):
        mounts = [
            pb.Mount(container_path="/data", host_path=str(folder)),
            pb.Mount(container_path="/fixed", host_path=str(folder), readonly=True),
        ]
        script = "cat /data/given; echo made > /data/made; touch /fixed/no || echo kept"
        return await world.run("c", "sh", "-c", script, mounts=mounts)

    code, log = play(story)
    assert code == 0
    assert "stdout from outside" in log
    assert "stdout kept" in log
    assert (folder / "made").read_text() == "made\n"
    assert not (folder / "no").exists()


def test_a_read_only_root_is_not_written(play):
    async def story(world):
        linux = pb.LinuxContainerConfig()
        linux.security_context.readonly_rootfs = True
        linux.security_context.namespace_options.pid = pb.CONTAINER
        return await world.run("c", "sh", "-c", "touch /x || echo kept", linux=linux)

    assert "stdout kept" in play(story)[1]


def test_the_resolver_of_the_pod_is_found(play):
    async def story(world):
        return await world.run("c", "cat", "/etc/resolv.conf")

    assert play(story)[1] == ["stdout search svc.cluster.local", "stdout nameserver 10.96.0.10"]


def test_last_words_are_in_the_status(play):
    async def story(world):
        made = await world.begin("c", "sh", "-c", "echo -n farewell > /dev/termination-log; exit 1")
        return (await world.ended(made)).message

    assert play(story) == "farewell"


def test_a_failure_without_last_words_shows_the_end_of_the_log(play):
    async def story(world):
        said = {endings.MESSAGE_POLICY: "FallbackToLogsOnError"}
        made = await world.begin("c", "sh", "-c", "echo it broke; exit 1", annotations=said)
        return (await world.ended(made)).message

    assert play(story) == "it broke\n"


def test_a_container_is_made_again_beside_the_one_that_ended(play):
    async def story(world):
        first = await world.begin("c", "sh", "-c", "echo one")
        await world.ended(first)
        second = await world.begin("c", "sh", "-c", "echo two", attempt=1)
        await world.ended(second)
        return await world.log(first), await world.log(second)

    assert play(story) == (["stdout one"], ["stdout two"])


def test_a_sandbox_that_is_stopped_ends_what_runs_in_it(play):
    async def story(world):
        made = await world.begin("c", "sleep", "60")
        await world.cri.stop_pod_sandbox(pb.StopPodSandboxRequest(pod_sandbox_id=world.sandbox))
        status = await world.status(made)
        with pytest.raises(rpc.Failure):
            await world.make("d", "sleep", "1")
        request = pb.RemovePodSandboxRequest(pod_sandbox_id=world.sandbox)
        await world.cri.remove_pod_sandbox(request)
        left = await world.cri.list_containers(pb.ListContainersRequest())
        return status.state, status.exit_code, len(left.containers)

    assert play(story) == (pb.CONTAINER_EXITED, 137, 0)


def test_a_running_container_uses_something(play):
    async def story(world):
        await world.begin("c", "sh", "-c", "while :; do sleep 0.01; done")
        async with asyncio.timeout(driverworld.DEADLINE):
            while True:
                answer = await world.cri.list_container_stats(pb.ListContainerStatsRequest())
                (found,) = answer.stats
                if found.cpu.usage_core_nano_seconds.value:
                    return found
                await asyncio.sleep(0.01)

    stats = play(story)
    assert stats.attributes.metadata.name == "c"
    assert stats.memory.working_set_bytes.value > 0


@pytest.mark.parametrize("tty", [False, True])
def test_who_is_attached_goes_with_his_input_and_the_container_waits_for_the_next(play, tty):
    async def story(world):
        script = "while read line; do echo got $line; done; echo over"
        made = await world.begin("c", "sh", "-c", script, stdin=True, tty=tty)
        endings = []
        for word in ("one", "two"):
            endings.append(await world.attached(made, f"{word}\n".encode()))
            await world.said(made, f"stdout got {word}")
        running = (await world.status(made)).state == pb.CONTAINER_RUNNING
        await world.stop(made, 0)
        return endings, running

    assert play(story) == ([[0], [0]], True)
