"""exec, attach, port-forward and logs of the runtime's service object, on virtual time."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from cluster.aio import clock, rpc, virtual
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.pb.cluster.v1 import streaming_pb2 as streams
from cluster.pb.cri.v1 import api_pb2 as cri
from cluster.runtime.config import Config
from cluster.runtime.service import CriService

EPOCH = 1_767_225_600.0
PORTS = '[{"containerPort": 8080, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]'


class Node:
    """A runtime with one sandbox."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        config = Config(pod_cidr="10.244.1.0/24")
        self.cri = CriService(config, clock=clock.LoopClock(loop, EPOCH), random=random.Random(1))
        self.sandbox = ""

    async def start(self, *command: str, image: str = "example/web", **config: Any) -> str:
        """A running container."""
        self.sandbox = (
            await self.cri.run_pod_sandbox(
                cri.RunPodSandboxRequest(
                    config=cri.PodSandboxConfig(
                        metadata=cri.PodSandboxMetadata(name="web-0", namespace="d", uid="u"),
                        hostname="web-0",
                        log_directory="/logs/d_web-0_u",
                    )
                )
            )
        ).pod_sandbox_id
        await self.cri.pull_image(cri.PullImageRequest(image=cri.ImageSpec(image=image)))
        made = cri.ContainerConfig(
            metadata=cri.ContainerMetadata(name="web"),
            image=cri.ImageSpec(image=image),
            command=command,
            annotations={"io.kubernetes.container.ports": PORTS},
            log_path="web/0.log",
            **config,
        )
        request = cri.CreateContainerRequest(pod_sandbox_id=self.sandbox, config=made)
        cid = (await self.cri.create_container(request)).container_id
        await self.cri.start_container(cri.StartContainerRequest(container_id=cid))
        return str(cid)

    async def status(self, cid: str) -> cri.ContainerStatus:
        request = cri.ContainerStatusRequest(container_id=cid)
        return (await self.cri.container_status(request)).status

    async def log(self, cid: str) -> str:
        """The lines of a container's log, without their times."""
        answer = await self.cri.read_log(streams.ReadLogRequest(container_id=cid))
        lines = answer.data.decode().splitlines()
        return "".join(f"{line.partition(' ')[2]}\n" for line in lines)


def on_a_node(story: Callable[[Node], Awaitable[None]]) -> None:
    async def main() -> None:
        node = Node()
        try:
            await story(node)
        finally:
            node.cri.close()
            await asyncio.sleep(0)

    virtual.run(main())


class Client:
    """Sends inputs when the test says so, and collects outputs."""

    def __init__(self, cid: str, *command: str, **start: Any) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        ref = pb.ContainerRef(container=cid)
        flags = {"stdout": True, "stderr": True} | start
        self.send(start=pb.StreamStart(container=ref, command=command, **flags))
        self.out = self.err = ""
        self.exit: pb.Exit | None = None
        self.task: asyncio.Task[None] | None = None

    def send(self, **fields: Any) -> None:
        self._queue.put_nowait(pb.StreamInput(**fields))

    async def inputs(self) -> AsyncIterator[pb.StreamInput]:
        while (one := await self._queue.get()) is not None:
            yield one

    async def run(self, call: Any) -> "Client":
        async for output in await call(self.inputs()):
            self.out += output.stdout.decode()
            self.err += output.stderr.decode()
            if output.HasField("exit"):
                self.exit = output.exit
        return self


async def execute(node: Node, cid: str, *command: str, **start: Any) -> Client:
    return await Client(cid, *command, **start).run(node.cri.stream_exec)


def test_a_command_is_run_and_its_code_told() -> None:
    async def story(node: Node) -> None:
        cid = await node.start()
        found = await execute(node, cid, "sh", "-c", "echo out; echo err >&2; exit 3")
        assert (found.out, found.err) == ("out\n", "err\n")
        assert found.exit == pb.Exit(code=3)

    on_a_node(story)


def test_a_program_that_is_not_there_is_told_as_runc_does() -> None:
    async def story(node: Node) -> None:
        cid = await node.start()
        missing = await execute(node, cid, "foo")
        assert missing.exit is not None
        assert missing.exit.code == 127
        assert missing.exit.error.endswith(
            'exec failed: unable to start container process: exec: "foo": executable file not '
            "found in $PATH: unknown"
        )
        path = await execute(node, cid, "/bin/foo")
        assert path.exit is not None
        assert 'exec: "/bin/foo": stat /bin/foo: no such file or directory' in path.exit.error

    on_a_node(story)


def test_stdin_reaches_the_command_until_it_is_closed() -> None:
    async def story(node: Node) -> None:
        client = Client(await node.start(), "cat", stdin=True)
        client.send(stdin=b"one\n")
        client.send(stdin=b"two\n")
        client.send(stdin_closed=True)
        await client.run(node.cri.stream_exec)
        assert client.out == "one\ntwo\n"
        assert client.exit == pb.Exit(code=0)

    on_a_node(story)


def test_a_shell_at_a_terminal_prompts_echoes_and_is_interrupted() -> None:
    async def story(node: Node) -> None:
        client = Client(await node.start(), "sh", stdin=True, tty=True)
        running = asyncio.ensure_future(client.run(node.cri.stream_exec))  # noqa: TID251
        for typed in (b"cd /etc\r", b"stty size\r", b"sleep 100\r"):
            client.send(stdin=typed)
            client.send(resize=pb.TerminalSize(width=132, height=50))
            await asyncio.sleep(0.1)
        client.send(stdin=b"\x03")
        await asyncio.sleep(0.1)
        client.send(stdin=b"echo $?\r\x04")
        found = await running
        assert found.out == (
            "/ # cd /etc\r\n/etc # stty size\r\n50 132\r\n/etc # sleep 100\r\n^C\r\n"
            "/etc # echo $?\r\n130\r\n/etc # exit\r\n"
        )
        assert asyncio.get_running_loop().time() < 1

    on_a_node(story)


def test_a_command_that_nobody_listens_to_is_killed() -> None:
    async def story(node: Node) -> None:
        cid = await node.start()
        outputs = await node.cri.stream_exec(Client(cid, "yes").inputs())
        assert (await anext(outputs)).stdout.startswith(b"y\ny\n")
        kernel = node.cri.driver.machine(node.cri.driver.containers[cid]).kernel
        assert len(kernel.processes) == 1
        await outputs.aclose()  # type: ignore[attr-defined]
        await asyncio.sleep(0.1)
        assert not kernel.processes

    on_a_node(story)


def test_a_slow_reader_holds_the_command_back() -> None:
    async def story(node: Node) -> None:
        cid = await node.start()
        outputs = await node.cri.stream_exec(Client(cid, "yes").inputs())
        size = len((await anext(outputs)).stdout)
        await asyncio.sleep(60)
        machine = node.cri.driver.machine(node.cri.driver.containers[cid])
        steps = machine.kernel._steps
        await asyncio.sleep(60)
        assert machine.kernel._steps == steps
        assert size < 100_000
        await outputs.aclose()  # type: ignore[attr-defined]

    on_a_node(story)


def test_exec_in_a_container_that_has_ended_fails() -> None:
    async def story(node: Node) -> None:
        cid = await node.start("sh", "-c", "echo bye; exit 2")
        await asyncio.sleep(0.1)
        status = await node.status(cid)
        assert (status.state, status.exit_code, status.reason) == (2, 2, "Error")
        assert status.log_path == "/logs/d_web-0_u/web/0.log"
        with pytest.raises(rpc.Failure, match="container is in CONTAINER_EXITED state"):
            await execute(node, cid, "ls")
        assert await node.log(cid) == "stdout F bye\n"

    on_a_node(story)


def test_attach_shows_what_comes_and_feeds_stdin() -> None:
    async def story(node: Node) -> None:
        script = "while read x; do echo got $x; done; echo over; exit 5"
        cid = await node.start("sh", "-c", script, stdin=True, stdin_once=True)
        client = Client(cid, stdin=True)
        client.send(stdin=b"a\nb\n")
        client.send(stdin_closed=True)
        await client.run(node.cri.stream_attach)
        assert client.out == "got a\ngot b\nover\n"
        assert (await node.status(cid)).exit_code == 5
        assert await node.log(cid) == "stdout F got a\nstdout F got b\nstdout F over\n"

    on_a_node(story)


@pytest.mark.parametrize("tty", [False, True])
def test_the_end_of_a_clients_input_leaves_stdin_open_for_the_next(tty: bool) -> None:
    async def story(node: Node) -> None:
        script = "while read x; do echo got $x; done; echo over; exit 5"
        cid = await node.start("sh", "-c", script, stdin=True, tty=tty)
        for _ in range(2):
            client = Client(cid, stdin=True, tty=tty)
            client.send(stdin=b"a\n")
            client.send(stdin_closed=True)
            await client.run(node.cri.stream_attach)
            await asyncio.sleep(1)
            assert (await node.status(cid)).state == 1
        assert (await node.log(cid)).count("got a") == 2

    on_a_node(story)


def test_stdin_once_ends_with_the_one_who_was_attached() -> None:
    async def story(node: Node) -> None:
        cid = await node.start(image="busybox", stdin=True, stdin_once=True, tty=True)
        outputs = await node.cri.stream_attach(Client(cid, stdin=True, tty=True).inputs())
        waiting = asyncio.ensure_future(anext(outputs))  # noqa: TID251
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.sleep(0)
        await outputs.aclose()  # type: ignore[attr-defined]
        await asyncio.sleep(1)
        assert (await node.status(cid)).state == 2

    on_a_node(story)


async def forward(node: Node, port: int, data: bytes) -> list[pb.PortForwardOutput]:
    async def inputs() -> AsyncIterator[pb.PortForwardInput]:
        yield pb.PortForwardInput(start=pb.PortForwardStart(pod=node.sandbox, port=port))
        yield pb.PortForwardInput(data=data)
        yield pb.PortForwardInput(closed=True)

    return [one async for one in await node.cri.stream_port_forward(inputs())]


@pytest.mark.parametrize("image", ["nginx", "team/unknown", "pause"])
def test_who_sleeps_needs_a_working_directory_too(image: str) -> None:
    async def wrong(node: Node) -> None:
        with pytest.raises(rpc.Failure, match="mkdir /etc/passwd/x: not a directory: unknown"):
            await node.start(image=image, working_dir="/etc/passwd/x")

    async def right(node: Node) -> None:
        cid = await node.start(image=image, working_dir="/tmp")
        assert (await node.status(cid)).state == 1
        assert node.cri.driver.containers[cid].machine is None  # type: ignore[attr-defined]

    on_a_node(wrong)
    on_a_node(right)


def test_a_declared_port_is_served_and_noted_in_the_log() -> None:
    async def story(node: Node) -> None:
        cid = await node.start()
        found = await forward(node, 8080, b"GET /x HTTP/1.1\r\n\r\n")
        assert [one.WhichOneof("output") for one in found] == ["connected", "data", "closed"]
        assert b"web-0\nGET /x\n" in found[1].data
        assert await node.log(cid) == (
            'stdout F web: serving HTTP on 8080\nstdout F 127.0.0.1 "GET /x HTTP/1.1" 200 13\n'
        )

    on_a_node(story)


@pytest.mark.parametrize("port", [53, 81])
def test_other_ports_refuse(port: int) -> None:
    async def story(node: Node) -> None:
        await node.start()
        (found,) = await forward(node, port, b"")
        assert f"dial tcp4 127.0.0.1:{port}: connect: connection refused" in found.error

    on_a_node(story)


def test_exec_sync_waits_and_has_a_deadline() -> None:
    async def story(node: Node) -> None:
        cid = await node.start()
        request = cri.ExecSyncRequest(container_id=cid, cmd=["sh", "-c", "echo a; exit 1"])
        found = await node.cri.exec_sync(request)
        assert (found.stdout, found.exit_code) == (b"a\n", 1)
        with pytest.raises(rpc.Failure) as late:
            await node.cri.exec_sync(
                cri.ExecSyncRequest(container_id=cid, cmd=["sleep", "60"], timeout=2)
            )
        assert late.value.code == "DEADLINE_EXCEEDED"
        own = await node.cri.exec_sync(cri.ExecSyncRequest(container_id=cid, cmd=["foo"]))
        assert own.exit_code == 0, "an unknown image has what its probes call"

    on_a_node(story)


def test_exec_sync_finds_in_a_known_image_only_what_is_there() -> None:
    async def story(node: Node) -> None:
        cid = await node.start("sleep", "99", image="busybox")
        with pytest.raises(rpc.Failure, match="executable file not found"):
            await node.cri.exec_sync(cri.ExecSyncRequest(container_id=cid, cmd=["foo"]))

    on_a_node(story)


def test_a_script_heeds_sigterm_only_where_it_says_so() -> None:
    async def story(node: Node) -> None:
        loop = asyncio.get_running_loop()
        kind = await node.start("sh", "-c", "trap 'echo bye; exit 3' TERM; sleep 99 & wait")
        await asyncio.sleep(1)
        await node.cri.stop_container(cri.StopContainerRequest(container_id=kind, timeout=30))
        assert loop.time() < 2
        assert (await node.status(kind)).exit_code == 3
        assert await node.log(kind) == "stdout F bye\n"
        await node.cri.remove_pod_sandbox(cri.RemovePodSandboxRequest(pod_sandbox_id=node.sandbox))
        deaf = await node.start("sh", "-c", "echo up; sleep 99; echo no")
        begin = loop.time()
        await node.cri.stop_container(cri.StopContainerRequest(container_id=deaf, timeout=30))
        assert loop.time() - begin == pytest.approx(30, abs=0.1)
        assert (await node.status(deaf)).exit_code == 137

    on_a_node(story)


def test_a_container_at_rest_has_nothing_of_its_own() -> None:
    async def story(node: Node) -> None:
        cid = await node.start()
        container = node.cri.driver.containers[cid]
        assert container.machine is None
        assert container.log is None

    on_a_node(story)
