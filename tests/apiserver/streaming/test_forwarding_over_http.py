"""port-forward in its four ways: SPDY, SPDY in WebSocket messages, and two kinds of channels."""

import asyncio
import base64
from typing import Any

import aiohttp
from stream_world import SpdyPeer, World, path
from test_commands_over_http import run

PROTOCOL = "portforward.k8s.io"
TUNNEL = "SPDY/3.1+portforward.k8s.io"


def pair(peer: SpdyPeer, port: int, request: str) -> tuple[int, int]:
    """The error and the data stream of a connection, as kubectl opens them."""
    named = {"requestid": request} if request else {}
    error = peer.open(streamtype="error", port=str(port), **named)
    peer.send(error, b"", fin=True)
    return error, peer.open(streamtype="data", port=str(port), **named)


def test_connections_are_pairs_of_spdy_streams() -> None:
    async def story(world: World) -> None:
        async with world.spdy(path("web", "portforward"), PROTOCOL) as peer:
            assert f"X-Stream-Protocol-Version: {PROTOCOL}" in peer.head
            first, second = pair(peer, 80, "0"), pair(peer, 80, "1")
            peer.send(first[1], b"one", fin=True)
            peer.send(second[1], b"two", fin=True)
            await peer.until(lambda: {*first, *second} <= set(peer.ended))
            assert [peer.data[number] for number in (*first, *second)] == [b"", b"one", b"", b"two"]
        start, _ = world.kubelet.forwarded
        assert (start.node, start.namespace, start.pod, start.port) == ("n1", "default", "web", 80)
        assert start.uid

    run(story)


def test_pairs_of_clients_without_request_ids_are_found_by_their_numbers() -> None:
    async def story(world: World) -> None:
        async with world.spdy(path("web", "portforward")) as peer:
            _, data = pair(peer, 80, "")
            peer.send(data, b"x", fin=True)
            await peer.until(lambda: data in peer.ended)
            assert peer.data[data] == b"x"

    run(story)


def test_a_port_that_nobody_serves_is_told_of_on_the_error_stream() -> None:
    async def story(world: World) -> None:
        async with world.spdy(path("web", "portforward"), PROTOCOL) as peer:
            error, data = pair(peer, 81, "0")
            await peer.until(lambda: {error, data} <= set(peer.ended))
            assert peer.data[error].startswith(b"error forwarding port 81 to pod web, uid ")
            assert peer.data[error].endswith(b": connect: connection refused")
            _, data = pair(peer, 80, "1")  # the connection itself lives on
            peer.send(data, b"x", fin=True)
            await peer.until(lambda: data in peer.ended)

    run(story)


def test_streams_without_a_port_or_a_type_are_reset() -> None:
    async def story(world: World) -> None:
        async with world.spdy(path("web", "portforward"), PROTOCOL) as peer:
            bad = [
                peer.open(streamtype="data"),
                peer.open(streamtype="data", port="x"),
                peer.open(streamtype="data", port="70000"),
                peer.open(streamtype="colour", port="80"),
            ]
            await peer.until(lambda: set(bad) <= set(peer.ended))
            assert [peer.ended[number] for number in bad] == [False] * 4

    run(story)


def test_two_streams_of_one_kind_are_no_pair() -> None:
    async def story(world: World) -> None:
        async with world.spdy(path("web", "portforward"), PROTOCOL) as peer:
            first = peer.open(streamtype="error", port="80", requestid="0")
            second = peer.open(streamtype="error", port="80", requestid="0")
            await peer.until(lambda: {first, second} <= set(peer.ended))
            assert b"error stream already assigned" in peer.data[first]

    run(story)


def test_a_client_that_goes_ends_its_connections() -> None:
    async def story(world: World) -> None:
        async with world.spdy(path("web", "portforward"), PROTOCOL) as peer:
            _, data = pair(peer, 80, "0")
            peer.send(data, b"x")
            await peer.until(lambda: peer.data[data] == b"x")
            assert world.kubelet.running == 1
            peer.writer.transport.abort()
            await world.kubelet.idle.wait()

    run(story)


def test_more_connections_than_the_limit_of_streams_one_after_another() -> None:
    async def story(world: World) -> None:
        async with world.spdy(path("web", "portforward"), PROTOCOL) as peer:
            for number in range(600):  # 1,200 streams, of which 1,024 may be open
                _, data = pair(peer, 80, str(number))
                peer.send(data, b"x", fin=True)
                await peer.until(lambda data=data: data in peer.ended)
            assert peer.data[data] == b"x"

    run(story)


class Tunnel:
    """Looks like a connection's two streams to a SpdyPeer, over a WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._out = b""

    def write(self, data: bytes) -> None:
        self._out += data

    async def drain(self) -> None:
        out, self._out = self._out, b""
        for start in range(0, len(out), 7):  # messages need not be frames
            await self._socket.send_bytes(out[start : start + 7])

    async def read(self, _size: int) -> bytes:
        data: bytes = (await self._socket.receive()).data
        return data


def test_spdy_is_tunnelled_in_websocket_messages() -> None:
    async def story(world: World) -> None:
        async with world.websocket(path("web", "portforward"), TUNNEL) as socket:
            assert socket.protocol == TUNNEL
            tunnel: Any = Tunnel(socket)
            peer = SpdyPeer("", tunnel, tunnel)
            _, data = pair(peer, 80, "0")
            peer.send(data, b"hello" * 100, fin=True)
            await peer.until(lambda: data in peer.ended)
            assert peer.data[data] == b"hello" * 100

    run(story)


def test_ports_are_pairs_of_channels_that_begin_with_their_number() -> None:
    async def story(world: World) -> None:
        where = path("web", "portforward", "ports=80&ports=81")
        async with world.websocket(where, "v4.channel.k8s.io") as socket:
            heard: dict[int, bytes] = {}
            await socket.send_bytes(b"\x00hello")
            async with asyncio.timeout(10):
                while len(heard.get(0, b"")) < 7 or len(heard.get(3, b"")) < 3:
                    message = await socket.receive()
                    heard[message.data[0]] = heard.get(message.data[0], b"") + message.data[1:]
        assert heard[0] == b"\x50\x00hello"
        assert heard[1] == b"\x50\x00"
        assert heard[2] == b"\x51\x00"
        assert heard[3].startswith(b"\x51\x00error forwarding port 81 to pod web")

    run(story)


def test_ports_in_base64() -> None:
    async def story(world: World) -> None:
        where = path("web", "portforward", "ports=80")
        async with world.websocket(where, "v4.base64.channel.k8s.io") as socket:
            assert (await socket.receive()).data == "0" + base64.b64encode(b"\x50\x00").decode()
            assert (await socket.receive()).data[0] == "1"
            await socket.send_str("0" + base64.b64encode(b"x").decode())
            assert (await socket.receive()).data == "0" + base64.b64encode(b"x").decode()

    run(story)


def test_channels_need_ports() -> None:
    async def story(world: World) -> None:
        headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
        answer = await world.api.call("GET", path("web", "portforward"), **headers)
        assert (answer.status, answer.json["message"]) == (
            400, 'query parameter "ports" is required',
        )  # fmt: skip

    run(story)
