"""exec and attach, from a client's socket to a kubelet's messages and back."""

import asyncio
import base64
import json
from typing import Any

import aiohttp
import pytest
from stream_world import HEADERS, World, path, streaming

from cluster.api import errors

OUTPUT = "stdout=1&stderr=1"
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
SUCCESS = {"metadata": {}, "status": "Success"}


def run(story: Any) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20), streaming() as world:
            await story(world)

    asyncio.run(whole())


async def messages(socket: aiohttp.ClientWebSocketResponse) -> dict[int, bytes]:
    """All that a binary client hears, by channel."""
    found: dict[int, bytes] = {}
    async for message in socket:
        found[message.data[0]] = found.get(message.data[0], b"") + message.data[1:]
    return found


def command(*words: str) -> str:
    return "&".join(f"command={word}" for word in words)


@pytest.mark.parametrize("protocol", [V5, V4])
def test_a_command_says_its_words_and_then_its_status(protocol: str) -> None:
    async def story(world: World) -> None:
        query = f"{command('echo', 'hi')}&{OUTPUT}"
        async with world.websocket(path("web", "exec", query), protocol) as socket:
            assert socket.protocol == protocol
            assert (await socket.receive()).data == b"\x01"  # the greeting
            heard = await messages(socket)
        assert heard[1] == b"hi\n"
        assert json.loads(heard[3]) == SUCCESS
        (start,) = world.kubelet.starts
        assert (start.container.node, start.container.pod, start.container.container) == (
            "n1", "web", "c",
        )  # fmt: skip
        assert (list(start.command), start.stdin, start.stdout, start.stderr, start.tty) == (
            ["echo", "hi"], False, True, True, False,
        )  # fmt: skip

    run(story)


def test_an_exit_code_is_a_cause_of_the_status() -> None:
    async def story(world: World) -> None:
        query = f"{command('exit', '3')}&{OUTPUT}"
        async with world.websocket(path("web", "exec", query), V4) as socket:
            status = json.loads((await messages(socket))[3])
        assert (status["status"], status["reason"]) == ("Failure", "NonZeroExitCode")
        assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]

    run(story)


def test_a_command_that_cannot_run_is_an_internal_error() -> None:
    async def story(world: World) -> None:
        query = f"{command('nosuch')}&{OUTPUT}"
        async with world.websocket(path("web", "exec", query), V4) as socket:
            status = json.loads((await messages(socket))[3])
        assert (status["reason"], status["code"]) == ("InternalError", 500)
        assert 'error executing command in container: exec: "nosuch"' in status["message"]

    run(story)


def test_a_refusal_of_the_kubelet_is_a_connection_that_is_not_upgraded() -> None:
    async def story(world: World) -> None:
        world.kubelet.refusal = errors.InternalError('container not found ("c")')
        query = f"{command('echo')}&{OUTPUT}"
        async with world.websocket(path("web", "exec", query), V4) as socket:
            status = json.loads((await messages(socket))[3])
        said = 'unable to upgrade connection: container not found ("c")'
        assert (status["reason"], status["code"]) == ("InternalError", 500)
        assert status["message"] == f"Internal error occurred: {said}"
        assert status["details"] == {"causes": [{"message": said}]}

    run(story)


def test_stdin_is_passed_on_and_closed_by_the_signal_of_v5() -> None:
    async def story(world: World) -> None:
        query = f"{command('cat')}&{OUTPUT}&stdin=1"
        big = bytes(range(256)) * 1000
        async with world.websocket(path("web", "exec", query), V5) as socket:
            await socket.send_bytes(b"\x00" + big)
            await socket.send_bytes(b"\xff\x00")
            heard = await messages(socket)
        assert heard[1] == big
        assert json.loads(heard[3]) == SUCCESS

    run(story)


def test_a_terminal_hears_of_its_size() -> None:
    async def story(world: World) -> None:
        query = f"{command('size')}&stdout=1&stdin=1&tty=1"
        async with world.websocket(path("web", "exec", query), V4) as socket:
            await socket.send_bytes(b"\x04nonsense")
            await socket.send_bytes(b'\x04{"Width":120,"Height":40}')
            assert (await messages(socket))[1] == b"120x40\n"

    run(story)


def test_base64_clients_speak_and_hear_text() -> None:
    async def story(world: World) -> None:
        query = f"{command('cat')}&stdout=1&stdin=1"
        protocol = "v4.base64.channel.k8s.io"
        async with world.websocket(path("web", "exec", query), protocol) as socket:
            assert (await socket.receive()).data == "1"
            await socket.send_str("0" + base64.b64encode(b"hello").decode())
            assert (await socket.receive()).data == "1" + base64.b64encode(b"hello").decode()

    run(story)


@pytest.mark.parametrize(("words", "told"), [(("echo",), None), (("exit", "2"), b"exit status 2")])
def test_old_clients_are_told_words_and_only_of_failures(
    words: tuple[str, ...], told: bytes | None
) -> None:
    async def story(world: World) -> None:
        query = f"{command(*words)}&{OUTPUT}"
        async with world.websocket(path("web", "exec", query)) as socket:
            heard = await messages(socket)
        assert (3 in heard) == (told is not None)
        assert (told or b"") in heard.get(3, b"")

    run(story)


@pytest.mark.parametrize("how", ["close", "abort"])
def test_a_client_that_goes_ends_its_command(how: str) -> None:
    async def story(world: World) -> None:
        query = f"{command('hang')}&{OUTPUT}"
        async with world.websocket(path("web", "exec", query), V4) as socket:
            await socket.receive()
            while not world.kubelet.running:
                await asyncio.sleep(0)
            if how == "abort":
                assert socket._response.connection is not None
                assert socket._response.connection.transport is not None
                socket._response.connection.transport.abort()
            else:
                await socket.close()
            await world.kubelet.idle.wait()

    run(story)


def test_a_client_that_reads_nothing_holds_the_command_back() -> None:
    async def story(world: World) -> None:
        query = f"{command('yes', '3000')}&{OUTPUT}"
        async with world.websocket(path("web", "exec", query), V4) as socket:
            for _ in range(5000):
                await asyncio.sleep(0)
            assert 0 < world.kubelet.said < 1500  # what fits between the two ends
            size = 0
            async for message in socket:
                size += len(message.data) - 1 if message.data[0] == 1 else 0
        assert (size, world.kubelet.said) == (3000 * 16384, 3000)

    run(story)


def test_spdy_streams_carry_a_command() -> None:
    async def story(world: World) -> None:
        query = f"{command('cat')}&stdin=1&{OUTPUT}"
        async with world.spdy(path("web", "exec", query), V4, "v3.channel.k8s.io") as peer:
            assert f"X-Stream-Protocol-Version: {V4}" in peer.head
            error, stdin, stdout, stderr = (
                peer.open(streamtype=kind) for kind in ("error", "stdin", "stdout", "stderr")
            )
            peer.send(stdin, b"hello" * 20_000)
            peer.send(stdin, b"", fin=True)
            await peer.until(lambda: {error, stdout, stderr} <= set(peer.ended))
            assert sorted(peer.replied) == [error, stdin, stdout, stderr]
            assert peer.data[stdout] == b"hello" * 20_000
            assert json.loads(peer.data[error]) == SUCCESS

    run(story)


def test_spdy_terminals_and_streams_that_nobody_asked_for() -> None:
    async def story(world: World) -> None:
        query = f"{command('size')}&stdin=1&stdout=1&tty=1"
        async with world.spdy(path("web", "exec", query), V4) as peer:
            odd = peer.open(streamtype="colour")
            kinds = ("error", "stdin", "stdout", "resize")
            error, _, stdout, resize = (peer.open(streamtype=kind) for kind in kinds)
            peer.send(resize, b'{"Width":1')
            await peer.flush()
            peer.send(resize, b'00,"Height":50}\n')
            await peer.until(lambda: {error, stdout} <= set(peer.ended))
            assert peer.ended[odd] is False
            assert peer.data[stdout] == b"100x50\n"

    run(story)


def test_old_spdy_clients_are_told_words() -> None:
    async def story(world: World) -> None:
        query = f"{command('exit', '4')}&stdout=1"
        async with world.spdy(path("web", "exec", query)) as peer:
            assert "X-Stream-Protocol-Version: channel.k8s.io" in peer.head
            error, _ = peer.open(streamtype="error"), peer.open(streamtype="stdout")
            await peer.until(lambda: error in peer.ended)
            assert peer.data[error].endswith(b"exit status 4")

    run(story)


def test_a_spdy_client_that_talks_nonsense_is_cut_off() -> None:
    async def story(world: World) -> None:
        query = f"{command('hang')}&stdout=1"
        async with world.spdy(path("web", "exec", query), V4) as peer:
            peer.writer.write(b"\x80\x02" + b"\xff" * 100)
            frames = await peer.reader.read()
            assert frames[:4] == b"\x80\x03\x00\x07"  # GOAWAY, and the end
        assert world.kubelet.running == 0

    run(story)


def test_a_token_among_the_protocols_is_none_to_be_spoken() -> None:
    async def story(world: World) -> None:
        token = "base64url.bearer.authorization.k8s.io.c2VjcmV0"
        where = path("web", "exec", f"{command('echo', 'hi')}&{OUTPUT}")
        async with world.websocket(where, token, V4) as socket:
            assert socket.protocol == V4
            assert (await messages(socket))[1] == b"hi\n"

    run(story)


def test_attaching_joins_the_container_itself() -> None:
    async def story(world: World) -> None:
        async with world.websocket(path("web", "attach", OUTPUT), V4) as socket:
            heard = await messages(socket)
        assert heard[1] == b"attached\n"
        assert json.loads(heard[3]) == SUCCESS

    run(story)


LS = f"{command('ls')}&{OUTPUT}"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
REFUSED = [
    ("web", "exec", LS, {}, 400, "Upgrade request required"),
    ("web", "attach", OUTPUT, {}, 400, "Upgrade request required"),
    ("web", "portforward", "", {}, 400, "Upgrade request required"),
    ("none", "exec", LS, UPGRADE, 404, 'pods "none" not found'),
    ("idle", "exec", LS, UPGRADE, 400, "pod idle does not have a host assigned"),
    ("web", "exec", LS + "&container=x", UPGRADE, 400, "container x is not valid for pod web"),
    ("web", "exec", command("ls"), UPGRADE, 400, "you must specify at least 1 of stdin"),
    ("web", "exec", LS, UPGRADE | {"X-Stream-Protocol-Version": "v9"}, 403,
     "unable to upgrade: unable to negotiate protocol: client supports [v9], server accepts [v4"),
    ("web", "exec", LS, {"Connection": "Upgrade", "Upgrade": "websocket"}, 400,
     "unable to upgrade websocket connection"),
    ("web", "exec", LS,
     {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Protocol": "x, y"}, 400,
     "requested protocol(s) are not supported: [x y]; supports [v5.channel.k8s.io"),
]  # fmt: skip


@pytest.mark.parametrize(("pod", "sub", "query", "headers", "code", "words"), REFUSED)
def test_what_is_refused_before_the_upgrade(
    pod: str, sub: str, query: str, headers: dict[str, str], code: int, words: str
) -> None:
    async def story(world: World) -> None:
        url = world.api.url + path(pod, sub, query)
        async with world.api.session.get(url, headers=HEADERS | headers) as answer:
            status = await answer.json()
        assert (answer.status, status["kind"], status["code"]) == (code, "Status", code)
        assert words in status["message"]

    run(story)


def test_a_kubelet_that_cannot_be_reached_is_told_of_before_the_upgrade() -> None:
    async def story(world: World) -> None:
        world.connector.broken = "dial tcp 10.0.0.1:10250: connect: connection refused"
        answer = await world.api.call("POST", path("web", "exec", LS), b"", **UPGRADE)
        assert answer.status == 500
        assert answer.json["message"] == f"error dialing backend: {world.connector.broken}"
        assert "reason" not in answer.json

    run(story)


def test_a_pod_on_a_node_that_is_gone() -> None:
    async def story(world: World) -> None:
        await world.pod("lost", nodeName="n9")
        answer = await world.api.call("POST", path("lost", "exec", LS), b"", **UPGRADE)
        assert (answer.status, answer.json["message"]) == (404, 'nodes "n9" not found')

    run(story)
