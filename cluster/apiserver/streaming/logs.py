"""A container's log, streamed to the client as plain text."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

from aiohttp import web

from cluster.aio import tasks
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.streams.options import Log

HEADERS: Final = {"Content-Type": "text/plain", "Cache-Control": "no-cache, private"}
_AHEAD: Final = 4
_FIRST_SECONDS: Final = 0.5
"""How long the first words, or an error, are waited for before the answer begins without them."""


def request(wanted: Log, container: pb.ContainerRef) -> pb.LogsRequest:
    """What the kubelet is asked for."""
    return pb.LogsRequest(
        container=container,
        follow=wanted.follow,
        previous=wanted.previous,
        timestamps=wanted.timestamps,
        since_seconds=wanted.since_seconds,
        since_time=wanted.since_time,
        tail_lines=wanted.tail_lines,
        limit_bytes=wanted.limit_bytes,
        stream=wanted.stream,
    )


def empty() -> web.Response:
    """The log of a pod that is on no node yet."""
    return web.Response(body=b"", headers=HEADERS)


async def answer(
    http: web.BaseRequest, chunks: AsyncIterator[pb.LogsResponse], touch: Callable[[], None]
) -> web.StreamResponse:
    """Stream a log. errors.StatusError, rpc.Failure where it fails before its first word;
    ConnectionAbortedError where it fails later, for the client must see that it is cut.
    """
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)

    async def fetch() -> None:
        async with contextlib.aclosing(chunks) as stream:  # type: ignore[type-var]
            async for chunk in stream:
                await queue.put(chunk.data)
        await queue.put(None)

    response = web.StreamResponse(headers=HEADERS)
    response.enable_chunked_encoding()
    begun = False
    try:
        async with tasks.Group("log") as group:
            group.spawn(fetch(), "fetch")
            first = await _soon(queue)
            begun = True
            await response.prepare(http)
            if first:
                await response.write(first)
            while first is not None and (data := await queue.get()) is not None:
                touch()
                if data:
                    await response.write(data)
            await response.write_eof()
    except ConnectionError:
        raise
    except Exception as error:
        if begun:
            raise ConnectionAbortedError(f"the log was cut: {error}") from error
        raise
    return response


async def _soon(queue: "asyncio.Queue[bytes | None]") -> bytes | None:
    """The first chunk, b"" where it takes its time; None where there is none."""
    try:
        async with asyncio.timeout(_FIRST_SECONDS):
            return await queue.get()
    except TimeoutError:
        return b""
