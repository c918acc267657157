"""port-forward as a client: one connection to a port, over a pair of streams of SPDY.

Source: k8s.io/client-go/tools/portforward. Each connection has a SPDY connection of its own here.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from cluster.aio import tasks
from cluster.pb.cluster.v1 import kubelet_pb2 as pb
from cluster.streams import dialing
from cluster.streams.forwarding import SPDY_VERSIONS
from cluster.streams.spdy.connection import Stream

_AHEAD: Final = 4
_MOST_WORDS: Final = 1 << 16

Outputs = asyncio.Queue[pb.PortForwardOutput | None]


async def run(
    url: str, port: int, inputs: AsyncIterator[pb.PortForwardInput]
) -> AsyncIterator[pb.PortForwardOutput]:
    """What comes from a port of the sandbox that a URL stands for, up to the connection's end.

    dialing.Refused, OSError, TimeoutError where it cannot be begun. Who leaves it early hangs up.
    """
    connection, pipe, _ = await dialing.dial(url, SPDY_VERSIONS)
    outputs: Outputs = asyncio.Queue(_AHEAD)
    try:
        async with tasks.Group("port-forward") as group:
            serving = group.spawn(dialing.served(connection), "connection")
            headers = (("port", str(port)), ("requestid", "0"))
            error = await connection.open((("streamtype", "error"), *headers))
            await error.close()
            data = await connection.open((("streamtype", "data"), *headers))
            feeding = group.spawn(_feed(data, inputs), "input")
            reading = group.spawn(_read(data, error, outputs), "output")
            yield pb.PortForwardOutput(connected=True)
            while (output := await outputs.get()) is not None:
                yield output
                if output.WhichOneof("output") == "error":
                    break
            for task in (serving, feeding, reading):
                task.cancel()
    finally:
        pipe.close()


async def _feed(data: Stream, inputs: AsyncIterator[pb.PortForwardInput]) -> None:
    with contextlib.suppress(ConnectionError):
        async for one in inputs:
            kind = one.WhichOneof("input")
            if kind == "data":
                await data.write(one.data)
            elif kind == "closed":
                await data.close()


async def _read(data: Stream, error: Stream, outputs: Outputs) -> None:
    """What the port says, and what went wrong; None at the end of both."""
    async with tasks.Group("output") as group:
        group.spawn(_pass_on(data, outputs), "data")
        words = b""
        with contextlib.suppress(ConnectionError):
            while part := await error.read():
                words = (words + part)[:_MOST_WORDS]
        if words:
            await outputs.put(pb.PortForwardOutput(error=words.decode(errors="replace")))
    await outputs.put(None)


async def _pass_on(data: Stream, outputs: Outputs) -> None:
    with contextlib.suppress(ConnectionError):
        while part := await data.read():
            await outputs.put(pb.PortForwardOutput(data=part))
    await outputs.put(pb.PortForwardOutput(closed=True))
