"""Carries bytes between a client of the shim and a process, or a connection in a pod."""

import asyncio
import contextlib
import errno
import socket
from typing import Final

from cluster.aio import tasks
from cluster.runtime.oci import frames
from cluster.runtime.oci.shim import console, waiting
from cluster.runtime.oci.shim.command import Failed
from cluster.runtime.oci.shim.containers import DRAIN_SECONDS

_CONNECT_SECONDS: Final = 10.0


async def session(
    streams: console.Console,
    readers: list[tuple[int, asyncio.StreamReader]],
    end: asyncio.Future[int],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Carry a command's streams until it has ended, or nobody listens any more."""

    async def sink(kind: int, data: bytes) -> None:
        writer.write(frames.pack(kind, data))
        await writer.drain()

    async with tasks.Group("exec") as group:
        fed = group.spawn(feed(reader, streams), "input")
        outputs = [
            group.spawn(console.carry(kind, one, sink), f"output/{kind}") for kind, one in readers
        ]
        await waiting.first(fed, end)
        if end.done():
            await waiting.settled(outputs, DRAIN_SECONDS)
        group.cancel()
    if end.done():
        writer.write(frames.document({"code": end.result()}))
        await writer.drain()


async def first_that_connects(found: list[socket.socket], port: int) -> socket.socket:
    """Failed where none does, with Go's words for each."""
    loop = asyncio.get_running_loop()
    errors = []
    for one, host in zip(found, ("127.0.0.1", "::1"), strict=False):
        one.setblocking(False)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await loop.sock_connect(one, (host, port))
        except (OSError, TimeoutError) as error:
            errors.append("i/o timeout" if isinstance(error, TimeoutError) else _connecting(error))
            one.close()
        else:
            for other in found:
                if other is not one:
                    other.close()
            return one
    raise Failed("|".join(errors))


def _connecting(error: OSError) -> str:
    known = {errno.ECONNREFUSED: "connection refused",
             errno.EADDRNOTAVAIL: "cannot assign requested address"}  # fmt: skip
    return f"connect: {known.get(error.errno or 0, str(error.strerror).lower())}"


async def copy_out(inner: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry what a connection in a pod says."""
    with contextlib.suppress(OSError):
        while data := await inner.read(frames.PIECE):
            writer.write(frames.pack(frames.DATA, data))
            await writer.drain()
        writer.write(frames.pack(frames.END))
        await writer.drain()


async def copy_in(
    reader: asyncio.StreamReader, inner: asyncio.StreamWriter, out: asyncio.Task[None]
) -> None:
    """Carry what a client says to a connection in a pod; `out` ends with the client."""
    with contextlib.suppress(OSError, frames.Broken):
        while (frame := await frames.read(reader)) is not None:
            if frame[0] == frames.END:
                inner.write_eof()
                continue
            inner.write(frame[1])
            await inner.drain()
    out.cancel()  # who asked has gone


async def feed(
    reader: asyncio.StreamReader, streams: console.Console, *, keep: bool = False
) -> None:
    """Carry a client's input. It ends when the client goes; with `keep` also at the input's end,
    which leaves stdin open.
    """
    with contextlib.suppress(frames.Broken):
        while (frame := await frames.read(reader)) is not None:
            kind, data = frame
            if kind == frames.DATA:
                await streams.feed(data)
            elif kind == frames.RESIZE and len(data) == frames.SIZE.size:
                streams.resize(*frames.SIZE.unpack(data))
            elif kind == frames.END and keep:
                return
            elif kind == frames.END:
                streams.end_input()
