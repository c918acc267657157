"""What gRPC holds for one who does not read any more is little, however quickly he read before."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from cluster.aio.grpcserver import GrpcServer
from cluster.client import channel

PIECE = bytes(32 << 10)
QUICKLY = 50 << 20
MOST = 1 << 20
STREAMS = 3


class Flood:
    """Serves streams without end, and counts the bytes that gRPC took for them."""

    def __init__(self) -> None:
        self.sent = 0

    async def talk(self, _requests: Any, _context: Any) -> AsyncIterator[bytes]:
        while True:
            yield PIECE
            self.sent += len(PIECE)

    def server(self) -> GrpcServer:
        handlers = {"Talk": grpc.stream_stream_rpc_method_handler(self.talk)}
        server = GrpcServer(grace=0)

        def register(_servicer: object, to: Any) -> None:
            generic = grpc.method_handlers_generic_handler("test.Flood", handlers)
            to.add_generic_rpc_handlers((generic,))

        server.add("test.Flood", register, None)
        return server


async def at_rest(flood: Flood) -> int:
    """What has been sent, once no more is taken."""
    before = -1
    while before != flood.sent:
        before = flood.sent
        await asyncio.sleep(0.2)
    return before


def test_little_is_held_for_who_stops_reading() -> None:
    async def main() -> None:
        flood = Flood()
        server = flood.server()
        port = server.listen("127.0.0.1:0")
        async with asyncio.timeout(30), server, channel.connect([f"127.0.0.1:{port}"]) as opened:
            method = opened.stream_stream("/test.Flood/Talk", request_serializer=bytes)
            calls = [method() for _ in range(STREAMS)]
            read = 0
            while read < QUICKLY:
                for call in calls:
                    read += len(await call.read())
            held = await at_rest(flood) - read
            for call in calls:
                call.cancel()
            assert held < STREAMS * MOST, f"{held / 1e6:.1f} MB"

    asyncio.run(main())
