"""Requests to the shim, one a connection. What fails is told as `{"error": …}`."""

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import socket
import tempfile
import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from cluster.aio import tasks
from cluster.runtime import logs
from cluster.runtime.following import MOST_SECONDS
from cluster.runtime.oci import frames
from cluster.runtime.oci.shim import carrying, cgroups, console, namespaces, waiting
from cluster.runtime.oci.shim.command import Failed
from cluster.runtime.oci.shim.containers import Containers
from cluster.runtime.oci.shim.program import Program
from cluster.runtime.oci.shim.reaper import Reaper
from cluster.runtime.oci.shim.rootfs import RootFileSystems

_FIRST_SECONDS: Final = 10.0
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
        self._watchers: dict[asyncio.Queue[Mapping[str, Any]], asyncio.StreamWriter] = {}
        self.watched, self.unwatched = asyncio.Event(), asyncio.Event()
        self.unwatched.set()
        self.leave = asyncio.Event()
        self._answers: dict[str, Answer] = {
            "sandbox": containers.sandbox, "create": containers.create, "start": containers.start,
            "kill": self._kill, "update": self._update, "delete": self._delete,
            "clear": self._clear, "stats": self._stats, "reopen": self._reopen,
            "forget": self._forget, "pack": self._pack, "cgroup": self._cgroup,
            "shutdown": self._shutdown,
        }  # fmt: skip
        self._streams: dict[str, Callable[..., Awaitable[None]]] = {
            "events": self._events, "exec": self._exec, "attach": self._attach,
            "connect": self._connect, "log": self._log, "run": self._run, "plug": self._plug,
        }  # fmt: skip

    def tell(self, event: Mapping[str, Any]) -> None:
        """Let all who listen know. Who takes nothing is cut off: nobody may miss an end and not
        know of it, and who comes again is told of all that is here.
        """
        for queue, writer in list(self._watchers.items()):
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                del self._watchers[queue]
                writer.transport.abort()

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
            if name not in self._answers:
                raise Failed(f"no request is called {name!r}")
            answer = await self._answers[name](request)
            if name in _MAKING and reader.at_eof():
                # Who asked has given up, and knows nothing of what was made.
                await self._containers.delete(request["id"])
        except Failed as failed:
            answer = {"error": str(failed)}
        except frames.Broken:
            raise
        except OSError as error:
            answer = {"error": _worded(error)}
        except Exception as error:  # noqa: BLE001  (told, with all of it in the log)
            traceback.print_exception(error)
            answer = {"error": f"the shim failed: {error!r}"}
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

    async def _pack(self, request: dict[str, Any]) -> dict[str, Any]:
        bundle = self._containers.bundle(request["id"])
        await self._roots.pack(bundle, request["path"], request["without"], request["epoch"])
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
        self._watchers[queue] = writer
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
            self._watchers.pop(queue, None)
            if not self._watchers:
                self.watched.clear()
                self.unwatched.set()

    async def _log(
        self, request: dict[str, Any], _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        part = await self._part(request)
        told = {
            "offset": part.offset, "start": part.start, "end": part.end, "ended": part.ended,
        }  # fmt: skip
        writer.write(frames.document(told) + frames.pack(frames.DATA, part.data))
        await writer.drain()

    async def _part(self, request: dict[str, Any]) -> logs.Part:
        """What was asked for of a log; who follows waits for it. Failed."""
        name, offset, limit = request["id"], request["offset"], request["limit"]
        following = self._containers.following
        if name not in self._containers.all:
            left = following.read_left(name, offset, limit)
            if left is not None:
                return left
        found = self._containers.get(name)
        if found.log is None:
            raise Failed("a sandbox has no log")
        wait = min(float(request.get("wait", 0)), MOST_SECONDS)
        return await following.read(
            name, found.log, offset, limit, wait=wait, ended=lambda: found.code is not None
        )

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
                await carrying.session(streams, readers, end, reader, writer)
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

    async def _run(
        self, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Start a container, and carry all that it says to its end. It goes with who asked."""
        name = request["id"]
        await self._roots.remember(self._containers.bundle(name))

        async def sink(kind: int, data: bytes) -> None:
            with contextlib.suppress(OSError):
                writer.write(frames.pack(kind, data))
                await writer.drain()

        await self._containers.start(request)
        found = self._containers.get(name)
        found.listeners[sink] = None  # before any of its output can have been read
        writer.write(frames.document({}))
        async with tasks.Group("run") as group:
            gone = group.spawn(reader.read(1), "gone")
            await waiting.first(gone, group.spawn(found.ended.wait(), "ended"))
            group.cancel()
        if found.code is None:
            await self._containers.delete(name)
            return
        writer.write(frames.document({"code": found.code}))
        await writer.drain()

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
                fed = group.spawn(
                    carrying.feed(reader, found.console, keep=not request["once"]), "input"
                )
                ended = group.spawn(found.ended.wait(), "ended")
                await waiting.first(fed, ended)
                group.cancel()
        finally:
            found.listeners.pop(sink, None)
            if request["once"]:
                found.console.end_input()

    async def _plug(
        self, request: dict[str, Any], _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """The interface of a pod: who asked gets the descriptor of its other end."""
        made = self._containers.plugged(request["id"], request["interface"])
        with writer.get_extra_info("socket").dup() as connection:
            socket.send_fds(connection, [frames.document({})], [made])

    async def _connect(
        self, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """A connection to a port of a sandbox, at its loopback address."""
        pid, port = request["pid"], request["port"]
        found = namespaces.inside(f"/proc/{pid}/ns/net", namespaces.stream_sockets)
        connection = await carrying.first_that_connects(found, port)
        inner_reader, inner_writer = await asyncio.open_connection(sock=connection)
        writer.write(frames.document({}))
        try:
            async with tasks.Group("connection") as group:
                out = group.spawn(carrying.copy_out(inner_reader, writer), "out")
                group.spawn(carrying.copy_in(reader, inner_writer, out), "in")
                await out
                group.cancel()
        finally:
            inner_writer.close()


def _worded(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "no space left on device"
    return str(error)
