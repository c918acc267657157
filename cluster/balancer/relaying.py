"""Passes bytes between a client and a server until both have ended.

Whoever ends its side (half-close) is heard by the other, which may go on; whoever reads slowly
slows the other down, for no more than a buffer of each way is held.
"""

import asyncio
import contextlib

from cluster.aio import tasks

CHUNK = 1 << 16
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def relay(client: Streams, server: Streams) -> None:
    """Pass bytes both ways until both have ended; what breaks on one side ends the other."""
    try:
        async with tasks.Group("connection") as group:
            group.spawn(_pass(client[0], server[1]), "to the server")
            group.spawn(_pass(server[0], client[1]), "to the client")
    except OSError:
        pass
    finally:
        for _, writer in (client, server):
            writer.transport.abort() if writer.transport.is_closing() else writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK):
        writer.write(chunk)
        await writer.drain()
    with contextlib.suppress(OSError):  # it has ended, too
        writer.write_eof()
