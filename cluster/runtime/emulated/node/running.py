"""A script that runs: carries out what it wants done, and tells it what happens."""

import asyncio
import errno
import signal
from collections.abc import Sequence
from typing import Any, Final

from cluster.aio import tasks
from cluster.runtime.emulated.node import answers, asking
from cluster.runtime.emulated.web.messages import Request, Response
from cluster.runtime.emulated.web.serving import Server, Site
from cluster.runtime.javascript import scripts
from cluster.runtime.javascript.engine import FULL, Overrun
from cluster.runtime.vos.kernel import Call, encoded
from cluster.runtime.vos.sockets import Listener

ABORTED: Final = 134
"""SIGABRT, by which Node ends where it has no memory."""
_MAX_TIMERS: Final = 1000
_MAX_ASKS: Final = 1000
"""Requests that a script makes at once: as many as it may have sockets, nearly."""
_MAX_EVENTS: Final = 2000
"""What happened and the script has not been told of; one of its servers has 512 clients."""


class Node:
    """A script, running. `main` is its file, "" where it has none; `version` that of Node."""

    def __init__(
        self, call: Call, script: scripts.Script, group: tasks.Group, *, main: str, version: str
    ) -> None:
        self._call = call
        self._main = main
        self._version = version
        self._script = script
        self._group = group
        self._events: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue(_MAX_EVENTS)
        self._timers: dict[int, tuple[asyncio.TimerHandle, bool]] = {}
        self._listeners: dict[int, tuple[Listener, Server]] = {}
        self._answers: dict[int, answers.Answer] = {}
        self._pending = 0
        self._next = 1
        self._code: int | None = None
        self._flooded = False

    async def run(self) -> int:
        """Run until nothing is left to be done, or it ends itself; the exit code."""
        await self._happened("main")
        while self._code is None:
            if self._events.empty() and not self._alive():
                await self._happened("exit", 0)
                return self._code or 0
            if self._flooded:
                await self._end(f"more than {_MAX_EVENTS} events wait for the script")
            else:
                await self._happened(*await self._events.get())
        return self._code

    def _tell(self, *event: Any) -> None:
        """Have the script told of something, in its turn."""
        self._flooded = self._flooded or self._events.full()
        if not self._flooded:
            self._events.put_nowait(event)

    async def _end(self, why: str) -> None:
        await self._call.io.stderr.write(encoded(f"FATAL ERROR: {why}\n"))
        self._code = ABORTED

    def _alive(self) -> bool:
        timers = any(kept for _, kept in self._timers.values())
        return timers or bool(self._listeners) or self._pending > 0

    async def _happened(self, name: str, *args: Any) -> None:
        """Tell the script, and do what it wants."""
        await self._call.kernel.step()
        try:
            now = self._call.kernel.clock.now()
            commands = await self._script.event(now, name, *args)
        except Overrun as overrun:
            await self._end(str(overrun))
            return
        for word, *rest in commands:
            if self._code is None or word in ("out", "err"):
                await getattr(self, f"_do_{word}")(*rest)

    # ---- what a script wants done, `_do_WORD` each -----------------------------------------------

    async def _do_out(self, text: str) -> None:
        await self._call.io.stdout.write(text.encode("utf-8", "replace"))

    async def _do_err(self, text: str) -> None:
        await self._call.io.stderr.write(text.encode("utf-8", "replace"))

    async def _do_exit(self, code: int) -> None:
        self._code = code & 0xFF

    async def _do_full(self) -> None:
        await self._end(FULL)

    async def _do_uncaught(self, text: str) -> None:
        shown = text.replace("<input>", self._main or "[eval]")
        await self._call.io.stderr.write(encoded(f"{shown}\n\nNode.js v{self._version}\n"))
        self._code = 1

    async def _do_timer(self, number: int, milliseconds: float, repeat: bool) -> None:
        if len(self._timers) >= _MAX_TIMERS:
            await self._do_uncaught(f"Error: more than {_MAX_TIMERS} timers at once")
            return
        self._set(number, min(milliseconds, 2**31) / 1000, repeat=repeat)

    def _set(self, number: int, seconds: float, *, repeat: bool) -> None:
        loop = asyncio.get_running_loop()
        kept = self._timers[number][1] if number in self._timers else True
        handle = loop.call_later(seconds, self._due, number, seconds, repeat)
        self._timers[number] = (handle, kept)

    def _due(self, number: int, seconds: float, repeat: bool) -> None:
        if self._events.qsize() < _MAX_TIMERS:
            self._tell("timer", number)
        if repeat:
            self._set(number, seconds, repeat=True)
        else:
            self._timers.pop(number, None)

    async def _do_unref(self, number: int) -> None:
        if number in self._timers:
            self._timers[number] = (self._timers[number][0], False)

    async def _do_clear(self, number: int) -> None:
        if number in self._timers:
            self._timers.pop(number)[0].cancel()

    async def _do_heed(self, name: str) -> None:
        number = getattr(signal, name, None)
        if isinstance(number, int) and number != signal.SIGKILL:
            self._call.process.handlers[int(number)] = lambda _number: self._tell(
                "signal", name, int(number)
            )

    async def _do_kill(self, pid: int, name: str) -> None:
        number = getattr(signal, name, signal.SIGTERM)
        self._call.kernel.signal(int(pid), int(number))

    async def _do_write(self, path: str, data: str, append: bool) -> None:
        files = self._call.files
        try:
            files.write(files.create(path, append=append), data.encode("latin-1"), path)
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, "EIO")
            await self._do_uncaught(f"Error: {name}: {error.strerror}, open '{path}'")

    # ---- servers ---------------------------------------------------------------------------------

    async def _do_listen(self, number: int, port: int, host: str) -> None:
        where = "" if host in ("", "0.0.0.0", "::", "localhost") else host
        try:
            listener = self._call.net.listen(port, where)
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, "EADDRINUSE")
            self._tell("refused", number, port, name, error.errno)
            return

        async def handle(request: Request) -> Response:
            return await self._request(number, request)

        site = Site(handler=handle, now=self._call.kernel.clock.now, idle=65.0)
        server = Server(site, self._group)
        self._listeners[number] = (listener, server)
        server.listen(listener)
        self._tell("listening", number, host, listener.local.port)

    async def _do_unlisten(self, number: int) -> None:
        if number in self._listeners:
            listener, server = self._listeners.pop(number)
            listener.close()
            server.drain()

    async def _request(self, server: int, request: Request) -> Response:
        body = await request.body(asking.MAX_BODY)
        number, self._next = self._next, self._next + 1
        answer = self._answers[number] = answers.Answer(lambda: self._forget(number))
        about = {
            "method": request.method, "url": request.target, "pairs": list(request.headers),
            "minor": request.minor, "peer": [f"::ffff:{request.peer.address}", request.peer.port],
            "local": [f"::ffff:{request.local.address}", request.local.port],
        }  # fmt: skip
        self._tell("request", server, number, about, body.decode("latin-1"))
        try:
            return await answer.head
        except BaseException:
            self._forget(number)
            raise

    def _forget(self, number: int) -> None:
        """The client has left before its answer was whole."""
        if self._answers.pop(number, None) is not None:
            self._tell("closed", number)

    async def _do_respond(
        self, number: int, status: int, reason: str, pairs: Sequence[tuple[str, str]]
    ) -> None:
        if number in self._answers:
            self._answers[number].begin(status, reason, pairs)

    async def _do_piece(self, number: int, data: str) -> None:
        if number in self._answers:
            self._answers[number].piece(data.encode("latin-1"))

    async def _do_finish(self, number: int) -> None:
        if number in self._answers:
            self._answers.pop(number).end()

    # ---- asking others ---------------------------------------------------------------------------

    async def _do_ask(self, number: int, *question: Any) -> None:
        if self._pending >= _MAX_ASKS:
            await self._do_uncaught(f"Error: more than {_MAX_ASKS} requests at once")
            return
        self._pending += 1
        self._group.spawn(self._ask(number, asking.Question(*question)), f"ask-{number}")

    async def _ask(self, number: int, question: asking.Question) -> None:
        event = await asking.asked(self._call, number, question)
        self._pending -= 1
        self._tell(*event)
