"""Emulated images: what a container gets of them, servers that sleep, and faults of programs."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from podworld import EPOCH, Node, OneImage, on_a_node

from cluster.aio import rpc
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.pb.cri.v1 import api_pb2 as cri
from cluster.runtime.emulated import catalog
from cluster.runtime.emulated.image import Image
from cluster.runtime.emulated.serving import server
from cluster.runtime.vos import accepting
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.sockets import Stream


@server(stop_code=7)
async def greeter(call: Call) -> int:
    """Greets who connects; says when it started, in its log."""
    await call.out(f"started {call.kernel.clock.now() - EPOCH:g} {call.kernel.image_tag}\n")
    listener = call.net.listen(int(call.env.get("PORT", "8000")))

    async def greet(stream: Stream) -> None:
        await call.out(f"greeted at {call.kernel.clock.now() - EPOCH:g}\n")
        await stream.send(f"hello from {call.kernel.hostname}\n".encode())

    await accepting.serve(listener, greet)
    return 0


@server()
async def idler(_call: Call) -> int:
    await asyncio.get_running_loop().create_future()
    return 0


@server()
async def late(call: Call) -> int:
    await asyncio.sleep(3)
    await accepting.serve(call.net.listen(8000), lambda stream: stream.send(b"late\n"))
    return 0


@server()
async def deaf(_call: Call) -> int:
    await asyncio.sleep(1e6)
    return 0


@server()
async def graceful(call: Call) -> int:
    ended = asyncio.Event()
    call.process.handlers[signal.SIGTERM] = lambda _number: ended.set()
    call.net.listen(8000)
    await ended.wait()
    await asyncio.sleep(2)
    await call.out("drained\n")
    return 3


async def show(call: Call) -> int:
    names = ("GREETING", "OWN")
    told = " ".join(f"{name}={call.env.get(name)}" for name in names)
    await call.out(f"{list(call.argv)} {call.cwd} {told}\n")
    await call.out(call.files.read("/app/data.txt").decode())
    return 0


async def broken(_call: Call) -> int:
    raise ZeroDivisionError


async def leaver(_call: Call) -> int:
    raise SystemExit(5)


IMAGES = [
    Image(
        names=("team/greeter",),
        entrypoint=("greeter",),
        ports=(8000,),
        stop_signal="SIGQUIT",
        programs={"greeter": greeter, "late": late, "deaf": deaf, "graceful": graceful},
    ),
    Image(names=("team/idler",), entrypoint=("/idler",), programs={"/idler": idler},
          userland=False),
    Image(
        names=("team/tools", "tools"),
        entrypoint=("/app/show",),
        cmd=("one", "two"),
        env={"GREETING": "hello", "OWN": "image"},
        working_dir="/app",
        files={"/app/data.txt": "data\n", "/empty/": "", "/run.sh": "#!/bin/sh\necho script $1\n"},
        programs={"/app/show": show, "broken": broken, "leaver": leaver},
    ),
]  # fmt: skip


@pytest.fixture(autouse=True)
def images(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    found = {name: image for image in IMAGES for name in image.names}
    monkeypatch.setattr(catalog, "_of_users", lambda: found)
    catalog.find.cache_clear()
    yield
    catalog.find.cache_clear()


def test_a_container_has_what_its_image_says_and_the_pod_does_not() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("a", "registry.example/team/tools:v1")
        assert (await node.ended(cid)).exit_code == 0
        first = "['/app/show', 'one', 'two'] /app GREETING=hello OWN=image"
        assert await node.said(cid) == [first, "data"]
        cid = await node.run("b", "tools", args=("x",), envs=[{"key": "OWN", "value": "pod"}],
                             working_dir="/tmp")  # fmt: skip
        await node.ended(cid)
        first = "['/app/show', 'x'] /tmp GREETING=hello OWN=pod"
        assert await node.said(cid) == [first, "data"]
        cid = await node.run("c", "tools", "sh", "-c", "pwd; ls -d /empty; /run.sh 1; which show")
        await node.ended(cid)
        assert await node.said(cid) == ["/app", "/empty", "script 1"]
        cid = await node.run("d", "tools", "/run.sh", "2")
        await node.ended(cid)
        assert await node.said(cid) == ["script 2"]

    on_a_node(story)


@pytest.mark.parametrize(
    ("image", "command", "why"),
    [
        ("team/tools", ["nope"], 'exec: "nope": executable file not found in $PATH'),
        ("team/tools", ["/nope"], 'exec: "/nope": stat /nope: no such file or directory'),
        ("team/tools", ["/app/data.txt"], 'exec: "/app/data.txt": permission denied'),
        ("team/tools", ["/app"], 'exec: "/app": is a directory'),
        ("busybox", ["/etc"], 'exec: "/etc": is a directory'),
        ("busybox", ["/etc/hosts/x"], 'exec: "/etc/hosts/x": stat /etc/hosts/x: not a directory'),
        ("team/idler", ["sh"], 'exec: "sh": executable file not found in $PATH'),
        ("busybox", ["nginx"], 'exec: "nginx": executable file not found in $PATH'),
        ("alpine", ["./app"], 'exec: "./app": stat ./app: no such file or directory'),
    ],
)
def test_a_command_that_a_known_image_does_not_have_fails(
    image: str, command: list[str], why: str
) -> None:
    async def story(node: Node) -> None:
        cid = await node.run("a", image, *command, start=False)
        with pytest.raises(rpc.Failure, match="unable to start container process") as caught:
            await node.cri.driver.start(node.record(cid))
        assert why in str(caught.value)
        status = await node.status(cid)
        assert (status.reason, status.exit_code) == ("StartError", 128)

    on_a_node(story)


def test_a_command_of_an_unknown_image_is_believed() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("a", "shop/cart", "./cart", ports=(8080,))
        assert "HTTP/1.1 200 OK" in await node.get("a", 8080)
        assert (await node.exec(cid, "./healthy")).exit_code == 0

    on_a_node(story)


@pytest.mark.parametrize(
    ("first", "code"), [("#!/bin/bash", 0), ("#!/usr/bin/env bash", 0), ("#!/bin/sh", 2)]
)
def test_a_script_is_run_by_the_shell_that_it_names(first: str, code: int) -> None:
    async def story(node: Node) -> None:
        cid = await node.run("a", "debian:12", "sleep", "100")
        await node.sh(cid, f"printf '{first}\\na=(x)\\n' >/s; chmod +x /s")
        assert (await node.exec(cid, "/s")).exit_code == code
        assert (await node.exec(cid, "sh", "-c", "/s")).exit_code == code

    on_a_node(story)


def _shares(path: str) -> list[cri.Mount]:
    return [cri.Mount(container_path=path, host_path="/var/lib/kubelet/pods/a/work")]


@pytest.mark.parametrize(("image", "brought"), [("pets/installer:1", True), ("busybox", False)])
def test_a_program_in_a_volume_is_believed_where_an_unknown_image_had_the_volume(
    image: str, brought: bool
) -> None:
    async def story(node: Node) -> None:
        first = await node.run("a", image, "true", name="install", mounts=_shares("/into"))
        await node.ended(first)
        command = ("/work/agent", "--verbose")
        if not brought:
            with pytest.raises(rpc.Failure, match="stat /work/agent: no such file or directory"):
                await node.run("a", "debian:12", *command, mounts=_shares("/work"), ports=(80,))
            return
        cid = await node.run("a", "debian:12", *command, mounts=_shares("/work"), ports=(80,))
        assert "HTTP/1.1 200 OK" in await node.get("a", 80)
        assert (await node.exec(cid, "/work/agentctl", "status")).exit_code == 0

    on_a_node(story)


def test_a_system_without_a_command_has_a_shell_that_reads_its_stdin() -> None:
    async def story(node: Node) -> None:
        assert (await node.ended(await node.run("a", "busybox"))).exit_code == 0
        cid = await node.run("b", "ubuntu", stdin=True, tty=True)
        await asyncio.sleep(60)
        assert node.record(cid).exit_code == 0
        assert "Ubuntu" in await node.sh(cid, "cat /etc/os-release")

    on_a_node(story)


@pytest.mark.parametrize("given", [("bash", "-c", "a=(x y); echo ${a[1]}"), ("-c", "echo y")])
def test_dockers_bash_runs_the_words_that_it_is_given(given: tuple[str, ...]) -> None:
    async def story(node: Node) -> None:
        cid = await node.run("a", "bash:5", args=given)
        assert (await node.ended(cid)).exit_code == 0
        assert await node.said(cid) == ["y"]

    on_a_node(story)


def test_a_server_sleeps_until_somebody_connects() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("greeter", "team/greeter:v3")
        await asyncio.sleep(100)
        assert node.record(cid).machine is None
        client = await node.run("client", "busybox", "sleep", "9999")
        said = await node.sh(client, f"nc {node.address('greeter')} 8000")
        assert said == "hello from greeter\n"
        assert await node.said(cid) == ["started 0 v3", "greeted at 100"]
        times = [line[:23] for line in await node.log(cid)]
        assert times == ["2026-01-01T00:00:00.000", "2026-01-01T00:01:40.000"]

    on_a_node(story)


def test_a_server_whose_volumes_cannot_be_made_refuses_who_connects() -> None:
    async def refused(_path: str) -> None:
        raise rpc.Failure("UNKNOWN", "failed to make the pod's volumes: no such thing")

    async def story(node: Node) -> None:
        node.cri.disk.on_demand(refused)
        await node.run("greeter", "team/greeter", mounts=_shares("/conf"))
        client = await node.run("client", "busybox", "sleep", "9999")
        with structlog.testing.capture_logs() as logs:
            said = await node.sh(client, f"nc {node.address('greeter')} 8000; echo $?")
        assert said.endswith("Connection refused\n1\n")
        assert [one["log_level"] for one in logs] == ["warning"]
        assert "no such thing" in logs[0]["error"]

    on_a_node(story)


def test_a_container_that_goes_while_its_volumes_are_made_is_not_made_anew() -> None:
    async def story(node: Node) -> None:
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def slow(_path: str) -> None:
            asked.set()
            await go_on.wait()

        node.cri.disk.on_demand(slow)
        cid = await node.run("a", "team/greeter", mounts=_shares("/conf"))
        record = node.record(cid)

        async def look() -> None:
            with pytest.raises(rpc.Failure, match="not found"):
                await node.sh(cid, "ls")

        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(look())
            await asked.wait()
            await node.cri.remove_container(cri.RemoveContainerRequest(container_id=cid))
            go_on.set()
        assert record.machine is None

    on_a_node(story)


@pytest.mark.parametrize("how", ["log", "exec", "attach", "forward"])
def test_a_server_wakes_when_somebody_looks(how: str) -> None:
    async def story(node: Node) -> None:
        cid = await node.run("greeter", "team/greeter")
        await asyncio.sleep(50)
        if how == "log":
            assert await node.said(cid) == ["started 0 latest"]
        elif how == "exec":
            assert "1 root      0:00 greeter" in await node.sh(cid, "ps")
        elif how == "attach":
            output = await node.cri.stream_attach(_attaching(cid))
            ended = asyncio.get_running_loop().time() + 1
            while not node.record(cid).machine and asyncio.get_running_loop().time() < ended:
                await asyncio.sleep(0.01)
            await output.aclose()  # type: ignore[attr-defined]
        else:
            outputs = await node.forward("greeter", 8000)
            assert b"".join(one.data for one in outputs) == b"hello from greeter\n"
        machine = node.record(cid).machine
        assert machine is not None
        assert machine.started

    on_a_node(story)


async def _attaching(cid: str) -> AsyncIterator[pb.StreamInput]:
    start = pb.StreamStart(stdout=True)
    start.container.container = cid
    yield pb.StreamInput(start=start)
    await asyncio.sleep(0.5)


def test_a_sleeping_server_ends_at_once_with_its_own_code() -> None:
    async def story(node: Node) -> None:
        loop = asyncio.get_running_loop()
        cid = await node.run("greeter", "team/greeter")
        begun = loop.time()
        assert (await node.stop(cid)).exit_code == 7
        assert loop.time() == begun
        assert node.record(cid).machine is None

    on_a_node(story)


def test_a_woken_server_ends_at_once_with_its_own_code() -> None:
    async def story(node: Node) -> None:
        loop = asyncio.get_running_loop()
        cid = await node.run("greeter", "team/greeter")
        await node.said(cid)
        begun = loop.time()
        assert (await node.stop(cid)).exit_code == 7
        assert loop.time() - begun < 1
        assert "refused" in await node.get("greeter", 8000)

    on_a_node(story)


def test_a_server_may_end_in_its_own_way() -> None:
    async def story(node: Node) -> None:
        loop = asyncio.get_running_loop()
        cid = await node.run("a", "team/greeter", "graceful",
                             annotations={"kubemu.dev/stop-signal": "SIGTERM"})  # fmt: skip
        await node.exec(cid, "true")
        begun = loop.time()
        status = await node.stop(cid)
        assert (status.exit_code, loop.time() - begun) == (3, pytest.approx(2, abs=0.1))
        assert await node.said(cid) == ["drained"]

    on_a_node(story)


def test_a_woken_server_that_heeds_nothing_is_killed_after_its_grace() -> None:
    async def story(node: Node) -> None:
        loop = asyncio.get_running_loop()
        cid = await node.run("a", "team/greeter", "sh", "-c", "trap : QUIT; deaf")
        await asyncio.sleep(1)
        begun = loop.time()
        assert (await node.stop(cid, grace=4)).exit_code == 137
        assert loop.time() - begun == pytest.approx(4)

    on_a_node(story)


def test_who_connects_waits_for_a_slow_start() -> None:
    async def story(node: Node) -> None:
        loop = asyncio.get_running_loop()
        await node.run("a", "team/greeter", "late")
        outputs = await node.forward("a", 8000)
        assert b"".join(one.data for one in outputs) == b"late\n"
        assert loop.time() == pytest.approx(3, abs=0.1)

    on_a_node(story)


def test_who_connects_to_one_who_never_listens_is_refused_in_time() -> None:
    async def story(node: Node) -> None:
        loop = asyncio.get_running_loop()
        await node.run("a", "team/greeter", "deaf")
        assert "refused" in await node.get("a", 8000)
        assert loop.time() == pytest.approx(10, abs=0.5)
        assert "refused" in await node.get("a", 8000)
        await node.run("b", "team/idler")
        begun = loop.time()
        assert "refused" in await node.get("b", 80)
        assert loop.time() - begun < 0.1

    on_a_node(story)


def test_ports_that_nobody_has_are_refused_in_a_pod_that_is_awake() -> None:
    async def story(node: Node) -> None:
        await node.run("a", "team/greeter")
        await node.run("a", "shop/cart", name="cart", ports=(9000,))
        assert "refused" in await node.get("a", 81)
        assert (await node.forward("a", 8000))[1].data == b"hello from a\n"
        assert "HTTP/1.1 200 OK" in await node.get("a", 9000)

    on_a_node(story)


def test_a_killed_container_closes_its_connections() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("a", "team/greeter", "sh", "-c", "nc -lk -p 8000")
        await asyncio.sleep(1)
        space = node.cri.driver.spaces.of(node.record(cid).sandbox)  # type: ignore[attr-defined]
        stream = await space.connect("127.0.0.1", 8000)
        await stream.send(b"x")
        await asyncio.sleep(1)
        await node.stop(cid, grace=0)
        assert await stream.receive() == b""
        stream.close()
        assert space.open_sockets() == []

    on_a_node(story)


@pytest.mark.parametrize(("command", "code"), [("broken", 139), ("leaver", 5)])
def test_faults_of_a_program_end_its_container_alone(command: str, code: int) -> None:
    async def story(node: Node) -> None:
        other = await node.run("other", "team/greeter")
        cid = await node.run("a", "team/tools", command)
        assert (await node.ended(cid)).exit_code == code
        assert await node.said(other) == ["started 0 latest"]

    on_a_node(story)


def built(command: list[str]) -> OneImage:
    """An image that was built upon team/tools, with a file of its own."""
    config = {
        "Labels": {"kubemu.dev/emulated": "docker.io/team/tools:latest"},
        "Env": ["GREETING=built"],
        "Cmd": command,
        "WorkingDir": "/app",
        "ExposedPorts": {"8080/tcp": {}},
    }
    return OneImage("localhost:5000/mine:v1", config, {"/app/data.txt": b"mine\n"})


def test_an_image_built_upon_an_emulated_one_runs_its_programs_on_its_own_files() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("a", "localhost:5000/mine:v1")
        await node.ended(cid)
        assert await node.said(cid) == [
            "['/app/show', 'mine'] /app GREETING=built OWN=None", "mine",
        ]  # fmt: skip
        assert await node.sh(await node.run("b", "localhost:5000/mine:v1", "sleep", "99"),
                             "cat /run.sh | wc -l") == "2\n"  # fmt: skip

    on_a_node(story, built(["/app/show", "mine"]))


@pytest.mark.parametrize(
    ("base", "tag", "command", "said"),
    [
        ("node:18", "v1", "node --version", "v18.20.8\n"),
        ("node:20-alpine", "22", "node --version", "v20.19.5\n"),
        ("alpine:3.18", "v2", "cat /etc/alpine-release", "3.18.0\n"),
    ],
)
def test_an_image_has_the_release_of_what_it_is_built_upon_and_not_of_its_own_tag(
    base: str, tag: str, command: str, said: str
) -> None:
    async def story(node: Node) -> None:
        cid = await node.run("a", f"localhost:5000/mine:{tag}", "sleep", "99")
        assert await node.sh(cid, command) == said

    config = {"Labels": {"kubemu.dev/emulated": f"docker.io/library/{base}"}}
    on_a_node(story, OneImage(f"localhost:5000/mine:{tag}", config, {}))


@pytest.mark.parametrize("command", [["./server"], ["sh", "-c", "exec ./server"], ["/app/x.sh"]])
def test_an_image_with_a_program_of_its_own_is_believed(command: list[str]) -> None:
    async def story(node: Node) -> None:
        await node.run("a", "localhost:5000/mine:v1")
        assert "HTTP/1.1 200 OK" in await node.get("a", 8080)

    on_a_node(story, built(command))


def test_an_image_needs_a_command() -> None:
    async def story(node: Node) -> None:
        with pytest.raises(rpc.Failure, match="no command specified"):
            await node.run("a", "team/nothing")

    catalog._of_users()["team/nothing"] = Image(names=("team/nothing",))  # type: ignore[index]
    try:
        on_a_node(story)
    finally:
        catalog._of_users().pop("team/nothing")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({"names": ()}, "an image needs a name"),
        ({"names": ("nginx:latest",)}, "is no repository path"),
        ({"names": ("x",), "files": {"etc/x": ""}}, "is no absolute path"),
        ({"names": ("x",), "ports": (0,)}, "is no port"),
    ],
)
def test_an_image_that_cannot_be_says_why(made: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Image(**made)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", sorted(catalog.BUILT_IN))
def test_every_built_in_image_is_where_the_catalog_says(path: str) -> None:
    found = catalog.find(path)
    assert found is not None
    assert path in found.names
    argv = (*found.entrypoint, *found.cmd)
    if not argv:
        # To be built upon: it has files, and nothing that could run.
        assert found.files
        assert not found.userland
        assert not found.programs
        return
    first = argv[0]
    from cluster.runtime.vos.kernel import lookup

    assert lookup(catalog.programs(found), first) is not None or first in found.files


def test_containers_that_only_sleep_import_no_userland() -> None:
    script = """
import sys
import cluster.runtime.service
from cluster.runtime.emulated import catalog
for name in ("library/busybox", "library/alpine", "pause", "curlimages/curl", "library/postgres",
             "library/mysql", "library/mongo", "library/rabbitmq", "polinux/stress",
             "library/memcached", "library/perl"):
    assert catalog.find(name)
print([name for name in sys.modules if name.startswith("cluster.runtime.vos.programs")])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
