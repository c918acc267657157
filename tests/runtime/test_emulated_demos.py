"""Small servers of tutorials: who answers what, on which port, from which image."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Awaitable, Callable

import pytest
from webworld import Box, World

from cluster.aio import virtual
from cluster.runtime.emulated import catalog, serving


def ask(
    path: str, check: Callable[[World, Box], Awaitable[None]], *args: str, tag: str = "latest",
    files: dict[str, str] | None = None, **env: str,
) -> Box:  # fmt: skip
    """Run an image's own program, and a check on it."""
    kept: list[Box] = []

    async def main() -> None:
        world = World()
        image = catalog.find(path)
        assert image is not None
        box = world.box(image, tag, files=files, **env)
        kept.append(box)
        await box.begin(*args)
        await check(world, box)

    virtual.run(main())
    return kept[0]


@pytest.mark.parametrize(
    ("path", "tag", "args", "port", "target", "text"),
    [
        ("library/nodeinfo", "latest", (), 8080, "/", "Container Hostname: web-0\n"),
        ("luksa/kubia", "latest", (), 8080, "/", "You've hit web-0\n"),
        ("luksa/kubia", "v2", (), 8080, "/", "This is v2 running in pod web-0\n"),
        ("google-samples/hello-app", "2.0", (), 8080, "/x",
         "Hello, world!\nVersion: 2.0.0\nHostname: web-0\n"),
        ("hashicorp/http-echo", "1.0", ("-text=apple",), 5678, "/", "apple\n"),
        ("hashicorp/http-echo", "1.0", ("-listen=:80", "-text", "pear"), 80, "/", "pear\n"),
        ("traefik/whoami", "v1.10", (), 80, "/?q=1",
         "Hostname: web-0\nIP: 127.0.0.1\nIP: ::1\nIP: 10.244.0.3\nRemoteAddr: 10.244.0.2:"),
        ("traefik/whoami", "v1.10", ("--port=8081",), 8081, "/bench", "1"),
        ("kicbase/echo-server", "1.0", (), 8080, "/a?b",
         "Request served by web-0\n\nHTTP/1.1 GET /a?b\n\nHost: 10.244.0.3:8080\nX-Own: 7\n"),
        ("echoserver", "1.4", (), 8080, "/", "CLIENT VALUES:\nclient_address=10.244.0.2\n"),
        ("echoserver", "1.10", (), 8080, "/", "\n\nHostname: web-0\n\nPod Information:\n"),
        ("library/httpd", "2.4", (), 80, "/", "<html><body><h1>It works!</h1></body></html>\n"),
        ("stefanprodan/podinfo", "6.1.0", (), 9898, "/healthz", '{\n  "status": "OK"\n}'),
    ],
)  # fmt: skip
def test_an_image_answers(
    path: str, tag: str, args: tuple[str, ...], port: int, target: str, text: str
) -> None:
    async def check(world: World, box: Box) -> None:
        got = await world.get(box, target, port=port, headers={"X-Own": "7"})
        assert got.status == 200
        assert got.text.startswith(text)
        head = await world.get(box, target, port=port, method="HEAD")
        assert (head.status, head.body) == (200, b"")

    ask(path, check, *args, tag=tag)


@pytest.mark.parametrize("path", [one for one in catalog.BUILT_IN if catalog.BUILT_IN[one] in
                                  ("nginx", "httpd", "demos", "frontend")])  # fmt: skip
def test_each_is_found_by_its_name_and_sleeps(path: str) -> None:
    image = catalog.find(path)
    assert image is not None
    argv = (*image.entrypoint, *image.cmd)
    assert serving.stop_code(catalog.program(image, argv[0]), argv) is not None
    assert image.ports


def test_echoes_in_json_tell_what_they_were_asked() -> None:
    async def ealen(world: World, box: Box) -> None:
        got = await world.get(box, "/p?a=1&a=2", headers={"X-Own": "7"}, method="POST", body=b"{}")
        found = json.loads(got.body)
        assert found["host"]["ip"] == "::ffff:10.244.0.2"
        assert found["request"]["query"] == {"a": ["1", "2"]}
        assert found["request"]["headers"]["x-own"] == "7"
        assert found["http"]["method"] == "POST"
        told = await world.get(box, "/?echo_code=404&echo_body=none&echo_header=X-A:1")
        assert (told.status, told.text) == (404, '"none"')

    async def mendhak(world: World, box: Box) -> None:
        got = await world.get(
            box, "/p?a=1", port=8080, method="POST", body=b'{"n":1}',
            headers={"Content-Type": "application/json", "X-Set-Response-Status-Code": "201"},
        )  # fmt: skip
        assert got.status == 201
        found = json.loads(got.body)
        assert (found["path"], found["json"], found["os"]) == (
            "/p", {"n": 1}, {"hostname": "web-0"})  # fmt: skip

    ask("ealen/echo-server", ealen)
    ask("mendhak/http-https-echo", mendhak)


def test_http_echo_wants_a_text() -> None:
    async def main() -> None:
        image = catalog.find("hashicorp/http-echo")
        box = World().box(image)
        assert (await box.begin()).code == 127
        assert box.errors == "Missing -text option!\n"

    virtual.run(main())


def test_podinfo_turns_unready_and_counts() -> None:
    async def check(world: World, box: Box) -> None:
        async def status(target: str, method: str = "GET") -> int:
            return (await world.get(box, target, port=9898, method=method)).status

        assert await status("/readyz") == 200
        assert await status("/readyz/disable", "POST") == 202
        assert await status("/readyz") == 503
        assert await status("/status/418") == 418
        assert await status("/nope") == 404
        metrics = (await world.get(box, "/metrics", port=9898)).text
        assert 'http_requests_total{method="GET",path="readyz",status="503"} 1\n' in metrics
        about = await world.get(box, "/api/info", port=9898)
        assert json.loads(about.body)["hostname"] == "web-0"

    ask("stefanprodan/podinfo", check)


def test_a_websocket_echoes() -> None:
    async def check(world: World, box: Box) -> None:
        stream = await world.client.connect(box.address, 8080)
        key = base64.b64encode(b"0123456789abcdef").decode()
        await stream.send(
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n"
            "Upgrade: websocket\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        mask = b"\1\2\3\4"
        data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(b"hello"))
        await stream.send(b"\x81\x85" + mask + data)
        found = b""
        async with asyncio.timeout(10):
            while not found.endswith(b"\x81\x05hello"):
                found += await stream.receive()
        assert found.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        made = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        assert b"Sec-WebSocket-Accept: %b\r\n" % base64.b64encode(made) in found
        assert b"\x81\x17Request served by web-0" in found

    ask("kicbase/echo-server", check)


def test_httpd_serves_files_and_logs_in_the_common_form() -> None:
    async def check(world: World, box: Box) -> None:
        assert (await world.get(box, "/a.txt", headers={"Range": "bytes=1-2"})).body == b"bc"
        assert (await world.get(box, "/none")).text.startswith("<!DOCTYPE HTML PUBLIC")
        moved = await world.get(box, "/sub")
        assert (moved.status, moved.headers.get("location")) == (301, "http://10.244.0.3:80/sub/")
        assert '<a href="b.txt"> b.txt</a>' in (await world.get(box, "/sub/")).text
        refused = await world.get(box, "/", method="DELETE")
        assert "The requested method DELETE is not allowed" in refused.text

    root = "/usr/local/apache2/htdocs"
    box = ask("library/httpd", check, tag="2.4.58",
              files={f"{root}/a.txt": "abc", f"{root}/sub/b.txt": "b"})  # fmt: skip
    assert '10.244.0.2 - - [01/Jan/2026:00:00:00 +0000] "GET /a.txt HTTP/1.1" 206 2\n' in box.log
    assert "Apache/2.4.58 (Unix) configured -- resuming normal operations" in box.errors
    assert "AH00558: httpd: Could not reliably determine" in box.errors


def test_the_guestbook_keeps_its_entries_in_redis() -> None:
    async def main() -> None:
        world = World()
        image = catalog.find("google-samples/gb-frontend")
        redis = world.pod()
        hosts = f"127.0.0.1 localhost\n{redis.addresses[0]} redis-leader redis-follower\n"
        box = world.box(image, "v5", files={"/etc/hosts": hosts})
        await box.begin()
        down = await world.get(box, "/guestbook.php?cmd=set&key=k&value=v")
        assert (down.status, down.text) == (
            500, "Connection refused [tcp://redis-leader:6379]\n")  # fmt: skip
        listener = redis.listen(6379)
        said: list[bytes] = []

        async def serve() -> None:
            for answer in (b"+OK\r\n", b"$3\r\na,b\r\n"):
                stream = await listener.accept()
                said.append(await stream.receive())
                await stream.send(answer)

        async with asyncio.TaskGroup() as group:
            group.create_task(serve())
            done = await world.get(box, "/guestbook.php?cmd=set&key=guestbook&value=a%2Cb")
            assert done.text == '{"message": "Updated"}'
            found = await world.get(box, "/guestbook.php?cmd=get&key=guestbook")
            assert found.text == '{"data": "a,b"}'
        assert said == [
            b"*3\r\n$3\r\nSET\r\n$9\r\nguestbook\r\n$3\r\na,b\r\n",
            b"*2\r\n$3\r\nGET\r\n$9\r\nguestbook\r\n",
        ]
        old = world.box(image, "v4")
        await old.begin()
        lost = await world.get(old, "/guestbook.php?cmd=get&key=k")
        assert lost.status == 500
        assert "redis-slave" in lost.text
        assert "<title>Guestbook</title>" in (await world.get(old)).text

    virtual.run(main())


@pytest.mark.parametrize(
    "registry", ["google-samples/containers/gke", "google-samples", "google_samples"]
)
def test_the_guestbook_reads_what_it_wrote_from_a_follower(registry: str) -> None:
    async def main() -> None:
        world = World()
        leader = world.box(catalog.find("library/redis"))
        hosts = {"/etc/hosts": f"{leader.address} redis-leader\n"}
        follower = world.box(catalog.find(f"{registry}/gb-redis-follower"), files=hosts)
        for redis in (leader, follower):
            await redis.begin()
        hosts["/etc/hosts"] += f"{follower.address} redis-follower\n"
        front = world.box(catalog.find(f"{registry}/gb-frontend"), "v5", files=hosts)
        await front.begin()
        await asyncio.sleep(5)
        done = await world.get(front, "/guestbook.php?cmd=set&key=messages&value=hello")
        assert done.text == '{"message": "Updated"}'
        await asyncio.sleep(1)
        found = await world.get(front, "/guestbook.php?cmd=get&key=messages")
        assert found.text == '{"data": "hello"}'

    virtual.run(main())
