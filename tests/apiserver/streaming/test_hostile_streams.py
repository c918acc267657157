"""Clients that send anything, and a server that stops: nothing hangs, nothing is left."""

import asyncio
import contextlib
from random import Random

import aiohttp
import pytest
from rest_world import PODS
from stream_world import World, path
from test_commands_over_http import command, run
from test_forwarding_over_http import PROTOCOL, pair

from cluster.streams.spdy import frames

QUERY = f"{command('hang')}&stdin=1&stdout=1&stderr=1"
V4 = "v4.channel.k8s.io"


def noise(random: Random) -> bytes:
    """Bytes that are noise, or frames that make no sense."""
    encoder = frames.Encoder()
    made: list[bytes] = []
    for _ in range(random.randrange(1, 12)):
        number = random.choice([0, 1, 2, 3, 5, 7, 2**31 - 1])
        headers = (("streamtype", random.choice(["error", "data", "stdin", "x"])), ("port", "80"))
        frame = random.choice(
            [
                frames.SynStream(number, headers, random.random() < 0.3, random.random() < 0.2),
                frames.SynReply(number, headers),
                frames.Data(number, random.randbytes(random.randrange(200)), random.random() < 0.3),
                frames.RstStream(number, random.randrange(20)),
                frames.WindowUpdate(number, random.choice([0, 1, 2**31 - 1])),
                frames.Settings(((7, random.choice([0, 1, 2**31])),)),
                frames.GoAway(number),
                frames.Ping(random.randrange(100)),
            ]
        )
        made.append(encoder.encode(frame))
    raw = b"".join(made)
    if random.random() < 0.5:
        at = random.randrange(len(raw))
        raw = raw[:at] + random.randbytes(random.randrange(1, 30)) + raw[at:]
    return raw


@pytest.mark.parametrize("seed", range(4))
def test_noise_in_place_of_spdy(seed: int) -> None:
    async def story(world: World) -> None:
        random = Random(seed)
        for number in range(60):
            where = path("web", "exec", QUERY) if number % 2 else path("web", "portforward")
            version = V4 if number % 2 else PROTOCOL
            async with world.spdy(where, version) as peer:
                peer.writer.write(noise(random))
                await peer.writer.drain()
                for _ in range(20):
                    await asyncio.sleep(0)
        while world.kubelet.running:
            await asyncio.sleep(0)
        assert (await world.api.get(PODS)).status == 200

    run(story)


@pytest.mark.parametrize("seed", range(4))
def test_noise_in_websocket_messages(seed: int) -> None:
    async def story(world: World) -> None:
        random = Random(seed)
        ways = [
            (path("web", "exec", QUERY), "v5.channel.k8s.io"),
            (path("web", "exec", QUERY), "base64.channel.k8s.io"),
            (path("web", "portforward", "ports=80"), V4),
            (path("web", "portforward"), "SPDY/3.1+portforward.k8s.io"),
        ]
        for number in range(60):
            async with world.websocket(*ways[number % 4]) as socket:
                try:
                    for _ in range(5):
                        await socket.send_bytes(random.randbytes(random.randrange(40)))
                        await socket.send_str("ab\u20ac"[: random.randrange(4)])
                    await socket.send_bytes(noise(random))
                except (ConnectionError, aiohttp.ClientError):
                    continue  # it was shown the door
        while world.kubelet.running:
            await asyncio.sleep(0)
        assert (await world.api.get(PODS)).status == 200

    run(story)


def test_a_message_that_is_too_large_ends_the_stream() -> None:
    async def story(world: World) -> None:
        async with world.websocket(path("web", "exec", QUERY), V4) as socket:
            await socket.receive()
            while not world.kubelet.running:
                await asyncio.sleep(0)
            with contextlib.suppress(ConnectionError):  # it need not be read to its end
                await socket.send_bytes(bytes(5 << 20))
            await world.kubelet.idle.wait()

    run(story)


def test_a_client_that_opens_streams_for_ever_is_shown_the_door() -> None:
    async def story(world: World) -> None:
        async with world.spdy(path("web", "exec", QUERY), V4) as peer:
            for kind in ("error", "stdin", "stdout", "stderr"):
                peer.open(streamtype=kind)
            await peer.flush()
            while not world.kubelet.running:
                await asyncio.sleep(0)
            with contextlib.suppress(ConnectionError):
                for _ in range(100):
                    peer.open(streamtype="stdin")
                await peer.flush()
            async with asyncio.timeout(5):
                await world.kubelet.idle.wait()
        assert (await world.api.get(PODS)).status == 200

    run(story)


def test_a_server_that_stops_ends_its_streams() -> None:
    async def story(world: World) -> None:
        async with (
            world.websocket(path("web", "exec", QUERY), V4) as socket,
            world.spdy(path("web", "portforward"), PROTOCOL) as peer,
        ):
            _, data = pair(peer, 80, "0")
            peer.send(data, b"x")
            await peer.until(lambda: peer.data[data] == b"x")
            while world.kubelet.running < 2:
                await asyncio.sleep(0)
            async with asyncio.timeout(5):
                await world.api.stop()
                await world.kubelet.idle.wait()
                while (await socket.receive()).type == aiohttp.WSMsgType.BINARY:
                    pass
                await peer.reader.read()

    run(story)
