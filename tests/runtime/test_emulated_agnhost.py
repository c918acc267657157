"""agnhost: each of its servers and subcommands, as Kubernetes' tests call them."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from webworld import Box, World

from cluster.aio import virtual
from cluster.runtime.emulated import serving
from cluster.runtime.emulated.agnhost import IMAGES, agnhost
from cluster.runtime.emulated.web import client, golang
from cluster.runtime.vos.sockets import Endpoint

IMAGE = IMAGES[0]
TERM, INT = 15, 2


def serve(
    check: Callable[[World, Box], Awaitable[None]], *args: str,
    files: dict[str, str] | None = None, **env: str,
) -> Box:  # fmt: skip
    kept: list[Box] = []

    async def main() -> None:
        world = World()
        box = world.box(IMAGE, files=files, **env)
        kept.append(box)
        await box.begin(*args)
        await check(world, box)

    virtual.run(main())
    return kept[0]


def once(*args: str, files: dict[str, str] | None = None) -> tuple[str, str, int]:
    async def main() -> tuple[str, str, int]:
        found = await World().box(IMAGE, files=files).run("/agnhost", *args)
        return found.out, found.err, found.code

    return virtual.run(main())


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("/", 200, "NOW: 2026-01-01 00:00:00.100000000 +0000 UTC"),
        ("/hostname", 200, "web-0"), ("/hostName", 200, "web-0"), ("/healthz", 200, ""),
        ("/clientip", 200, "10.244.0.2:"), ("/echo?msg=a%20b", 200, "a b"),
        ("/echo?msg=x&code=404", 404, "x"),
        ("/echo?code=x", 200, 'argument \'code\' must be an integer or empty, got "x"\n'),
        ("/echo?code=9", 500, "invalid WriteHeader code"), ("/header?key=X-Own", 200, "7"),
        ("/shell?cmd=echo%20hi%3B%20exit%203", 200, '{"error":"exit status 3","output":"hi\\n"}'),
        ("/shell?shellCommand=hostname", 200, '{"output":"web-0\\n"}'),
        ("/redirect?location=/there&code=307", 307, ""),
        ("/exit?code=x", 200, "argument 'code' must be an integer [0-127] or empty"),
        ("/dial?host=127.0.0.1&port=8080&request=hostname", 200, '{"responses":["web-0"]}'),
        ("/dial?host=10.244.0.3&port=8081&request=hostname&protocol=udp&tries=2", 200,
         '{"responses":["web-0","web-0"]}'),
        ("/dial?host=127.0.0.1&port=9&request=hostname", 200,
         '{"errors":["Get \\"http://127.0.0.1:9/hostname\\": dial tcp 127.0.0.1:9: connect: '
         'connection refused"]}'),
        ("/dial?host=127.0.0.1&port=8080", 400, "request parameter not specified"),
        ("/dial?host=nowhere&port=80&request=x", 400, "host and/or port param are invalid"),
        ("/dial?host=127.0.0.1&port=8080&request=x&tries=q", 400, "tries parameter is invalid"),
    ],
)  # fmt: skip
def test_netexec_answers(target: str, status: int, text: str) -> None:
    async def check(world: World, box: Box) -> None:
        got = await world.get(box, target, port=8080, headers={"X-Own": "7"})
        assert (got.status, got.text[: len(text)]) == (status, text)

    serve(check, "netexec")


def test_netexec_hears_datagrams_takes_files_and_ends_as_told() -> None:
    async def check(world: World, box: Box) -> None:
        socket = world.client.datagrams()
        own = f"{world.client.addresses[0]}:{socket.local.port}"
        for said, answer in ((b"hostname", "web-0"), (b"echo Hi", "hi"), (b"clientip\n", own)):
            socket.send(said, Endpoint(box.address, 8081))
            async with asyncio.timeout(5):
                data, sender = await socket.receive()
            assert (data.decode(), sender.port) == (answer, 8081)
        form = (b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
                b"Content-Type: application/octet-stream\r\n\r\n\0data\r\n--B--\r\n")  # fmt: skip
        kind = {"Content-Type": "multipart/form-data; boundary=B"}
        got = await world.get(box, "/upload", port=8080, method="POST", headers=kind, body=form)
        assert got.status == 201
        path = json.loads(got.body)["output"]
        assert box.kernel.files.read(path) == b"\0data"
        none = await world.get(box, "/upload", port=8080, method="POST")
        assert none.text == '{"error":"Unable to upload file."}'
        assert box.main is not None
        done = await world.get(box, "/exit?code=7&timeout=1s&wait=2s", port=8080)
        assert done.status == 200
        assert await box.main.wait() == 7

    box = serve(check, "netexec")
    assert "Will begin shutdown in 2s, allowing 1s for connections to close" in box.errors
    assert "Started HTTP server on port 8080\n" in box.errors


def test_netexec_that_ends_at_once_answers_nothing() -> None:
    async def check(world: World, box: Box) -> None:
        with pytest.raises(client.Empty):
            await world.get(box, "/exit?code=3", port=8080)
        assert box.main is not None
        assert await box.main.wait() == 3

    serve(check, "netexec")


def test_servers_serve() -> None:
    async def hostname(world: World, box: Box) -> None:
        got = await world.get(box, port=9376)
        assert (got.text, got.headers.get("connection")) == ("web-0", "close")

    async def tcp(world: World, box: Box) -> None:
        stream = await world.client.connect(box.address, 80)
        assert await stream.receive() == b"web-0"
        assert await stream.receive() == b""

    async def ports(world: World, box: Box) -> None:
        assert (await world.get(box, port=81)).text == "one"
        got = await world.get(box, port=82, method="PUT")
        assert got.text == "two"

    async def files(world: World, box: Box) -> None:
        assert (await world.get(box, "/data/a.txt")).text == "A"
        assert '<a href="a.txt">a.txt</a>' in (await world.get(box, "/data/")).text
        assert (await world.get(box, "/none")).text == "404 page not found\n"

    async def reset(world: World, box: Box) -> None:
        stream = await world.client.connect(box.address, 8080)
        with pytest.raises(ConnectionResetError):
            await stream.receive()

    serve(hostname, "serve-hostname", "--close")
    serve(tcp, "serve-hostname", "--tcp", "--http=false", "--port", "80")
    serve(ports, "porter", SERVE_PORT_81="one", SERVE_PORT_82="two")
    serve(files, "test-webserver", files={"/data/a.txt": "A"})
    serve(reset, "tcp-reset")


def test_liveness_is_well_for_ten_seconds() -> None:
    async def check(world: World, box: Box) -> None:
        assert (await world.get(box, "/healthz", port=8080)).text == "ok"
        await asyncio.sleep(9)
        assert (await world.get(box, "/healthz", port=8080)).status == 200
        await asyncio.sleep(2)
        late = await world.get(box, "/healthz", port=8080)
        assert (late.status, late.text[:9]) == (500, "error: 11")

    serve(check, "liveness")


def test_the_guestbook_is_replicated() -> None:
    async def main() -> None:
        world = World()
        net = world.pod()
        primary = world.box(IMAGE, net=net, hostname="primary")
        await primary.begin("guestbook", "--http-port", "6379")
        hosts = {"/etc/hosts": f"127.0.0.1 localhost\n{primary.address} agnhost-primary\n"}
        replica = world.box(IMAGE, files=hosts, hostname="replica")
        await replica.begin("guestbook", "--replicaof", "agnhost-primary", "--http-port", "6379")
        both = hosts["/etc/hosts"] + f"{replica.address} agnhost-replica\n"
        front = world.box(IMAGE, files={"/etc/hosts": both}, hostname="front")
        await front.begin("guestbook", "--backend-port", "6379")
        put = await world.get(front, "/guestbook?cmd=set&key=messages&value=hi")
        assert put.text == '{"message":"Updated"}'
        got = await world.get(front, "/guestbook?cmd=get&key=messages")
        assert got.text == '{"data":"hi"}'
        assert (await world.get(front, "/guestbook?cmd=del")).status == 400
        assert "Registered to node: agnhost-primary" in replica.errors

    virtual.run(main())


RESOLV = "nameserver 10.96.0.10\nsearch a.svc.cluster.local svc.cluster.local\noptions ndots:5\n"


@pytest.mark.parametrize(
    ("args", "out", "err", "code"),
    [
        (("dns-suffix",), "a.svc.cluster.local,svc.cluster.local\n", "", 0),
        (("dns-server-list",), "10.96.0.10\n", "", 0),
        (("entrypoint-tester", "a", "b"), "[/agnhost entrypoint-tester a b]\n", "", 0),
        (("connect", "127.0.0.1:9"), "", "REFUSED\n", 1),
        (("connect", "nowhere:9"), "", "DNS: lookup nowhere: no such host\n", 1),
        (("connect", "127.0.0.1"), "", "UNKNOWN: address 127.0.0.1: missing port in address\n", 1),
        (("connect", "10.99.0.1:80"), "",
         "OTHER: dial tcp 10.99.0.1:80: connect: no route to host\n", 1),
        (("mounttest", "--file_mode=/t/f", "--file_content=/t/f"),
         'mode of file "/t/f": -rw-r--r--\ncontent of file "/t/f": x\n', "", 0),
        (("mounttest", "--new_file_0660=/t/n", "--file_perm=/t/n"),
         'content of file "/t/n": mount-tester new file\n\nperms of file "/t/n": -rw-rw----\n',
         "", 0),
        (("mounttest", "--file_content=/t/none"),
         'error reading file content for "/t/none": open /t/none: no such file or directory\n',
         "", 1),
        (("mounttest", "--file_content_in_loop=/t/f", "--retry_time=4",
          "--break_on_expected_content=false"), 'content of file "/t/f": x\n' * 2, "", 0),
        (("webhook",), "", 'Error: "webhook" is not built in the emulated agnhost\n'
         "Run 'app --help' for usage.\n", 1),
        (("nope",), "", 'Error: unknown command "nope" for "app"\n', 1),
        (("netexec", "--nope"), "", "Error: unknown flag: --nope\n", 1),
    ],
)  # fmt: skip
def test_a_subcommand_tells(args: tuple[str, ...], out: str, err: str, code: int) -> None:
    files = {"/etc/resolv.conf": RESOLV, "/t/f": "x", "/etc/hosts": "127.0.0.1 localhost\n"}
    if "nowhere:9" in args:
        del files["/etc/resolv.conf"]
    found = once(*args, files=files)
    assert (found[0], found[1][: len(err)], found[2]) == (out, err, code)


def test_logs_come_at_an_even_pace() -> None:
    async def main() -> tuple[str, float]:
        box = World().box(IMAGE)
        found = await box.run("agnhost", "logs-generator", "-t", "100", "--run-duration=10s")
        assert found.code == 0
        return found.err, found.seconds

    text, seconds = virtual.run(main())
    lines = text.splitlines()
    assert (len(lines), seconds) == (100, pytest.approx(10))
    assert [line.split("] ")[1].split()[0] for line in lines[:3]] == ["0", "1", "2"]
    assert lines[50].startswith("I0101 00:00:05.000000       1 logs_generator.go:76] 50 ")


def test_pause_ends_with_its_signal() -> None:
    async def check(_world: World, box: Box) -> None:
        assert await box.end(TERM) == 2

    box = serve(check)
    assert box.log == "Paused\nexiting 2\n"


@pytest.mark.parametrize(
    ("args", "code"),
    [("netexec", 2), ("pause", 2), ("mounttest --file_mode=/x", None), ("dns-suffix", None),
     ("", None), ("guestbook", 2), ("guestbook --replicaof x", None)],
)  # fmt: skip
def test_only_servers_sleep(args: str, code: int | None) -> None:
    assert serving.stop_code(agnhost, ("/agnhost", *args.split())) == code


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (1.5, "1.5s"), (90, "1m30s"), (3661, "1h1m1s"), (0.0125, "12.5ms"), (1e-7, "100ns"),
     (-2, "-2s"), (60, "1m0s")],
)  # fmt: skip
def test_durations_are_read_and_written_as_go_does(seconds: float, text: str) -> None:
    assert golang.duration(seconds) == text
    assert golang.seconds(text) == pytest.approx(seconds)
    assert golang.seconds("soon") is None
