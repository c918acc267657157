"""The HTTP server of emulated images: clients that leave while something is done for them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from webworld import World

from cluster.aio import tasks, virtual
from cluster.runtime.emulated.web.messages import Headers, Request, Response
from cluster.runtime.emulated.web.serving import Server, Site

ASKED = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Slow:
    """A server whose handler, or whose answer's second piece, takes ten minutes."""

    def __init__(self, *, streams: bool) -> None:
        self.streams = streams
        self.begun = self.left = self.done = 0

    async def handle(self, _request: Request) -> Response:
        self.begun += 1
        if self.streams:
            return Response(200, Headers([("Content-Length", "2")]), self._pieces())
        await self._wait()
        return Response(200, Headers(), b"ok")

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield b"o"
        await self._wait()
        yield b"k"

    async def _wait(self) -> None:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            self.left += 1
            raise
        self.done += 1


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("how", ["close", "abort"])
def test_what_is_done_for_a_client_that_left_is_given_up(how: str, streams: bool) -> None:
    async def main() -> None:
        world, slow = World(), Slow(streams=streams)
        pod = world.pod()
        async with tasks.Group("test") as group:
            server = Server(Site(handler=slow.handle, now=lambda: 0.0, most=4), group)
            server.listen(listener := pod.listen(80))
            for _ in range(8):  # more than it has room for at once
                stream = await world.client.connect(pod.addresses[0], 80)
                await stream.send(ASKED)
                await asyncio.sleep(1)
                assert server.connections == 1
                getattr(stream, how)()
                await asyncio.sleep(1)
                assert server.connections == 0
            assert (slow.begun, slow.left, slow.done) == (8, 8, 0)
            listener.close()
            group.cancel()

    virtual.run(main())


def test_who_said_all_and_left_before_is_given_up_too() -> None:
    async def main() -> None:
        world, slow = World(), Slow(streams=False)
        pod = world.pod()
        async with tasks.Group("test") as group:
            server = Server(Site(handler=slow.handle, now=lambda: 0.0), group)
            server.listen(pod.listen(80))
            stream = await world.client.connect(pod.addresses[0], 80)
            await stream.send(ASKED)
            stream.close()
            await asyncio.sleep(1)
            assert (slow.begun, slow.left, server.connections) == (1, 1, 0)
            group.cancel()

    virtual.run(main())


def test_who_only_says_no_more_is_waited_for() -> None:
    async def main() -> None:
        world, slow = World(), Slow(streams=False)
        pod = world.pod()
        async with tasks.Group("test") as group:
            Server(Site(handler=slow.handle, now=lambda: 0.0), group).listen(pod.listen(80))
            stream = await world.client.connect(pod.addresses[0], 80)
            await stream.send(ASKED)
            stream.end()
            assert (await stream.receive()).startswith(b"HTTP/1.1 200")
            assert (slow.left, slow.done) == (0, 1)
            group.cancel()

    virtual.run(main())
