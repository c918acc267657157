"""Streams both ways over real gRPC: nothing that a server has said is lost."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from cluster.aio import grpcstreams
from cluster.aio.grpcserver import GrpcServer

METHOD = "/test.Streams/Talk"


async def hasty(requests: Any, context: Any) -> AsyncIterator[bytes]:
    """Says three words to the first that it hears, and hangs up."""
    await anext(aiter(requests))
    for word in (b"a", b"b", b"c"):
        yield word


async def echoing(requests: Any, context: Any) -> AsyncIterator[bytes]:
    async for each in requests:
        yield each


async def failing(requests: Any, context: Any) -> AsyncIterator[bytes]:
    yield b"a"
    await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")


@contextlib.asynccontextmanager
async def served(handler: Any) -> AsyncIterator[Any]:
    """How to call a server that answers by `handler`."""
    server = GrpcServer(grace=0)
    handlers = {"Talk": grpc.stream_stream_rpc_method_handler(handler)}

    def register(_servicer: object, to: Any) -> None:
        generic = grpc.method_handlers_generic_handler("test.Streams", handlers)
        to.add_generic_rpc_handlers((generic,))

    server.add("test.Streams", register, None)
    port = server.listen("127.0.0.1:0")
    async with server, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel.stream_stream(METHOD, request_serializer=bytes)


async def heard(handler: Any, inputs: AsyncIterator[bytes], times: int = 1) -> list[list[bytes]]:
    """What a client hears of a server, so many times."""
    async with served(handler) as method:
        return [[each async for each in grpcstreams.exchange(method, inputs)] for _ in range(times)]


def run(work: Any) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(30):
            return await work

    return asyncio.run(bounded())


async def ceaseless() -> AsyncIterator[bytes]:
    while True:
        yield b"x"
        await asyncio.sleep(0)


class Ceaseless:
    """Inputs without end, for any number of calls."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return ceaseless()


async def some(*items: bytes) -> AsyncIterator[bytes]:
    for item in items:
        yield item


def test_what_a_server_says_as_it_hangs_up_is_heard() -> None:
    inputs: Any = Ceaseless()
    assert run(heard(hasty, inputs, times=300)) == [[b"a", b"b", b"c"]] * 300


def test_both_ways_are_in_order_and_end() -> None:
    sent = [str(number).encode() for number in range(500)]
    assert run(heard(echoing, some(*sent))) == [sent]


def test_a_failure_is_told_after_what_was_said() -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        run(heard(failing, some()))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_call_that_is_left_early_is_free_at_once() -> None:
    # Each probe over HTTP kept 16 KiB of gRPC's until the collector came.
    async def story() -> None:
        async with served(echoing) as method:
            calls = []

            def made() -> Any:
                calls.append(weakref.ref(call := method()))
                return call

            inputs: Any = Ceaseless()
            async with contextlib.aclosing(grpcstreams.exchange(made, inputs)) as stream:
                assert await anext(stream) == b"x"
            await asyncio.sleep(0.1)  # its tasks hear that it is over
            assert [call() for call in calls] == [None]

    gc.disable()
    try:
        run(story())
    finally:
        gc.enable()
