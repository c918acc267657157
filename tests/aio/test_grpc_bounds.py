"""What one connection of gRPC may hold at a time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from cluster.aio import tasks
from cluster.aio.grpcserver import GrpcServer


async def _endless(request: bytes, context: Any) -> AsyncIterator[bytes]:
    yield b"begun"
    await asyncio.get_running_loop().create_future()


def _register(_: object, server: Any) -> None:
    handler = grpc.unary_stream_rpc_method_handler(_endless)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", {"X": handler}),))


def test_a_connection_has_so_many_streams_and_others_have_their_own() -> None:
    async def story() -> None:
        server = GrpcServer(streams=2, grace=0.1)
        server.add("t.T", _register, object())
        port = server.listen("127.0.0.1:0")

        own = [("grpc.use_local_subchannel_pool", 1)]
        address = f"127.0.0.1:{port}"
        async with (
            server,
            grpc.aio.insecure_channel(address, own) as one,
            grpc.aio.insecure_channel(address, own) as other,
        ):
            calls = [one.unary_stream("/t.T/X")(b"") for _ in range(3)]
            begun: asyncio.Queue[int] = asyncio.Queue(3)

            async def read(number: int) -> None:
                assert await calls[number].read() == b"begun"
                begun.put_nowait(number)

            async with asyncio.timeout(30), tasks.Group("streams") as group:
                for number in range(3):
                    group.spawn(read(number), f"stream {number}")
                first, second = await begun.get(), await begun.get()
                more = other.unary_stream("/t.T/X")(b"")
                assert await more.read() == b"begun"
                assert begun.empty()
                calls[first].cancel()
                assert {first, second, await begun.get()} == {0, 1, 2}
            for call in (*calls, more):
                call.cancel()

    asyncio.run(story())
