"""Requests to the shim, one a connection. What fails is told as `{"error": …}`."""

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from cluster.aio import tasks
from cluster.runtime import logs
from cluster.runtime.oci import frames
from cluster.runtime.oci.shim import cgroups, console, namespaces, waiting
from cluster.runtime.oci.shim.command import Failed
from cluster.runtime.oci.shim.containers import DRAIN_SECONDS, Containers
from cluster.runtime.oci.shim.program import Program
from cluster.runtime.oci.shim.reaper import Reaper
from cluster.runtime.oci.shim.rootfs import RootFileSystems

_FIRST_SECONDS: Final = 10.0
_CONNECT_SECONDS: Final = 10.0
_MAX_EVENTS: Final = 10_000
_MAKING: Final = ("sandbox", "create", "start")
Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Serving:
    """Answers requests. `leave` is set when the shim is to end."""

    def __init__(
        self,
        containers: Containers,
        program: Program,
        reaper: Reaper,
        roots: RootFileSystems,
        about: Mapping[str, Any],
    ) -> None:
        self._containers = containers
        self._program = program
        self._reaper = reaper
        self._roots = roots
        self._about = about
        self._watchers: dict[asyncio.Queue[Mapping[str, Any]], None] = {}
        self.watched, self.unwatched = asyncio.Event(), asyncio.Event()
        self.unwatched.set()
        self.leave = asyncio.Event()
        self._answers: dict[str, Answer] = {
            "sandbox": containers.sandbox, "create": containers.create, "start": containers.start,
            "kill": self._kill, "update": self._update, "delete": self._delete,
            "clear": self._clear, "stats": self._stats, "reopen": self._reopen,
            "forget": self._forget, "cgroup": self._cgroup, "shutdown": self._shutdown,
        }  # fmt: skip
        self._streams: dict[str, Callable[..., Awaitable[None]]] = {
            "events": self._events, "exec": self._exec, "attach": self._attach,
            "connect": self._connect, "log": self._log,
        }  # fmt: skip

    def tell(self, event: Mapping[str, Any]) -> None:
        """Let all who listen know."""
        for queue in self._watchers:
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait(event)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        try:
            async with asyncio.timeout(_FIRST_SECONDS):
                request = await frames.read_document(reader)
            if request is not None:
                await self._answer(request, reader, writer)
        except (frames.Broken, TimeoutError, OSError):
            pass  # who asked went away
        finally:
            writer.close()

    async def _answer(
        self, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        name = request.get("do")
        try:
            if name in self._streams:
                await self._streams[name](request, reader, writer)
                return
            answer = await self._answers[str(name)](request)
            if name in _MAKING and reader.at_eof():
                # Who asked has given up, and knows nothing of what was made.
                await self._containers.delete(request["id"])
        except Failed as failed:
            answer = {"error": str(failed)}
        except KeyError as missing:
            answer = {"error": f"a request without {missing}, or of no such name"}
        except OSError as error:
            answer = {"error": _worded(error)}
        writer.write(frames.document(answer))
        await writer.drain()

    # ---- questions ---------------------------------------------------------------------------

    async def _kill(self, request: dict[str, Any]) -> dict[str, Any]:
        await self._containers.kill(request["id"], request["signal"])
        return {}

    async def _update(self, request: dict[str, Any]) -> dict[str, Any]:
        await self._containers.update(request["id"], request["resources"])
        return {}

    async def _delete(self, request: dict[str, Any]) -> dict[str, Any]:
        await self._containers.delete(request["id"])
        return {}

    async def _clear(self, _request: dict[str, Any]) -> dict[str, Any]:
        await self._containers.clear()
        return {}

    async def _forget(self, request: dict[str, Any]) -> dict[str, Any]:
        self._roots.forget(request["kept"])
        return {}

    async def _cgroup(self, request: dict[str, Any]) -> dict[str, Any]:
        cgroups.remove(request["path"])
        return {}

    async def _shutdown(self, _request: dict[str, Any]) -> dict[str, Any]:
        self.leave.set()
        return {}

    async def _stats(self, request: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for one in request["ids"]:
            known = self._containers.all.get(one)
            if known is not None and known.code is None:
                found[one] = cgroups.usage(known.place, known.pid)
        return {"stats": found}

    async def _reopen(self, request: dict[str, Any]) -> dict[str, Any]:
        log = self._containers.get(request["id"]).log
        if log is not None and isinstance(log.kept, logs.InFiles):
            log.kept.reopen()
        return {}

    # ---- streams -----------------------------------------------------------------------------

    async def _events(
        self, _request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Everything that is here, then every end, for as long as somebody listens."""
        queue: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue(_MAX_EVENTS)
        self._watchers[queue] = None
        self.watched.set()
        self.unwatched.clear()
        known = [one.told() for one in self._containers.all.values()]
        writer.write(frames.document({**self._about, "containers": known}))

        async def send() -> None:
            while True:
                writer.write(frames.document(await queue.get()))
                await writer.drain()

        try:
            async with tasks.Group("events") as group:
                group.spawn(send(), "send")
                # Nothing comes: what is read is the end of who listens.
                gone = group.spawn(reader.read(1), "gone")
                await waiting.first(gone, group.spawn(self.leave.wait(), "leave"))
                group.cancel()
        finally:
            del self._watchers[queue]
            if not self._watchers:
                self.watched.clear()
                self.unwatched.set()

    async def _log(
        self, request: dict[str, Any], _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        log = self._containers.get(request["id"]).log
        if log is None:
            raise Failed("a sandbox has no log")
        part = logs.part(log.kept, request["offset"], request["limit"])
        told = {"offset": part.offset, "start": part.start, "end": part.end}
        writer.write(frames.document(told) + frames.pack(frames.DATA, part.data))
        await writer.drain()

    async def _exec(
        self, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        found = self._containers.get(request["id"])
        folder = Path(tempfile.mkdtemp(prefix="exec-", dir=found.bundle))
        streams = console.Console(folder, tty=request["tty"], stdin=request["stdin"])
        try:
            streams.prepare()
            pid = await self._execute(request, folder, streams)
            end = self._reaper.end_of(pid)
            try:
                readers = await streams.begin()
                writer.write(frames.document({"pid": pid}))
                await _session(streams, readers, end, reader, writer)
            finally:
                if not end.done():  # nobody listens any more
                    os.kill(pid, signal.SIGKILL)
        finally:
            streams.close()
            shutil.rmtree(folder, ignore_errors=True)

    async def _execute(
        self, request: dict[str, Any], folder: Path, streams: console.Console
    ) -> int:
        name, process = request["id"], request["process"]
        if not streams.tty:
            return await self._program.exec(name, process, folder, streams.stdio)
        async with tasks.Group("terminal") as group:
            taken = group.spawn(streams.terminal(), "taken")
            try:
                pid = await self._program.exec(name, process, folder, streams.stdio, streams.socket)
                await taken
            finally:
                taken.cancel()
        return pid

    async def _attach(
        self, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        found = self._containers.get(request["id"])
        if len(found.listeners) >= request["most"]:
            raise Failed(f"more than {request['most']} are attached already")

        async def sink(kind: int, data: bytes) -> None:
            try:
                writer.write(frames.pack(kind, data))
                await writer.drain()
            except OSError:
                found.listeners.pop(sink, None)

        found.listeners[sink] = None
        writer.write(frames.document({}))
        try:
            async with tasks.Group("attach") as group:
                fed = group.spawn(_feed(reader, found.console, keep=not request["once"]), "input")
                ended = group.spawn(found.ended.wait(), "ended")
                await waiting.first(fed, ended)
                group.cancel()
        finally:
            found.listeners.pop(sink, None)
            if request["once"]:
                found.console.end_input()

    async def _connect(
        self, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """A connection to a port of a sandbox, at its loopback address."""
        pid, port = request["pid"], request["port"]
        found = namespaces.inside(f"/proc/{pid}/ns/net", namespaces.stream_sockets)
        connection = await _first_that_connects(found, port)
        inner_reader, inner_writer = await asyncio.open_connection(sock=connection)
        writer.write(frames.document({}))
        try:
            async with tasks.Group("connection") as group:
                out = group.spawn(_copy_out(inner_reader, writer), "out")
                group.spawn(_copy_in(reader, inner_writer, out), "in")
                await out
                group.cancel()
        finally:
            inner_writer.close()


async def _session(
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
        fed = group.spawn(_feed(reader, streams), "input")
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


async def _first_that_connects(found: list[socket.socket], port: int) -> socket.socket:
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


async def _copy_out(inner: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await inner.read(frames.PIECE):
            writer.write(frames.pack(frames.DATA, data))
            await writer.drain()
        writer.write(frames.pack(frames.END))
        await writer.drain()


async def _copy_in(
    reader: asyncio.StreamReader, inner: asyncio.StreamWriter, out: asyncio.Task[None]
) -> None:
    with contextlib.suppress(OSError, frames.Broken):
        while (frame := await frames.read(reader)) is not None:
            if frame[0] == frames.END:
                inner.write_eof()
                continue
            inner.write(frame[1])
            await inner.drain()
    out.cancel()  # who asked has gone


async def _feed(
    reader: asyncio.StreamReader, streams: console.Console, *, keep: bool = False
) -> None:
    """Carry a client's input. It ends when the client goes; `keep` leaves stdin open then."""
    with contextlib.suppress(frames.Broken):
        while (frame := await frames.read(reader)) is not None:
            kind, data = frame
            if kind == frames.DATA:
                await streams.feed(data)
            elif kind == frames.RESIZE and len(data) == frames.SIZE.size:
                streams.resize(*frames.SIZE.unpack(data))
            elif kind == frames.END and not keep:
                streams.end_input()


def _worded(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "no space left on device"
    return str(error)
