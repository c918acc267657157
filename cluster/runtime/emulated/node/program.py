"""The program `node`: runs a script, carries out what it wants done, and tells it what happens."""

import asyncio
import errno
import json
import posixpath
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, NamedTuple

from cluster.aio import tasks
from cluster.runtime.emulated import releases
from cluster.runtime.emulated.web import client, names
from cluster.runtime.emulated.web.messages import PHRASES, Headers, Request, Response, TooLarge
from cluster.runtime.emulated.web.serving import Server, Site
from cluster.runtime.javascript import scripts
from cluster.runtime.javascript.engine import FULL, Missing, Overrun
from cluster.runtime.vos.files import FileSystem
from cluster.runtime.vos.kernel import Call, encoded
from cluster.runtime.vos.nodes import File
from cluster.runtime.vos.sockets import Listener

VERSION: Final = "20.19.5"
_ABORTED: Final = 134
"""SIGABRT, by which Node ends where it has no memory."""
_MAX_TIMERS: Final = 1000
_MAX_ASKS: Final = 1000
"""Requests that a script makes at once: as many as it may have sockets, nearly."""
_MAX_EVENTS: Final = 2000
"""What happened and the script has not been told of; one of its servers has 512 clients."""
_MAX_FILE: Final = 256 << 10
_MAX_FILES: Final = 4 << 20
_MAX_NUMBER: Final = 2000
_MAX_STDIN: Final = 1 << 20
_HELD: Final = 1 << 20
"""Bytes of an answer that wait for a slow client; a script that writes more is cut off."""
_ASK_SECONDS: Final = 60.0
_MAX_ANSWER: Final = 1 << 20
_SKIPPED: Final = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/proc", "/sys",
                   "/dev", "/lib")  # fmt: skip
_UNBUILT: Final = (
    "net", "tls", "https", "http2", "dns", "dgram", "crypto", "zlib", "stream", "child_process",
    "cluster", "worker_threads", "readline", "repl", "vm", "v8", "perf_hooks", "async_hooks",
    "string_decoder", "tty", "inspector", "module", "diagnostics_channel", "stream/promises",
)  # fmt: skip


def version(tag: str) -> str:
    """The version of Node that an image's tag means: `20-alpine`, `18.19.0`, `latest`."""
    return releases.version(tag, VERSION, releases.NODE)


def _files(tree: FileSystem, first: str) -> dict[str, str]:
    """The files that a script may read while it runs: those of its own folder first, then all
    others but programs and devices, as far as there is room.
    """
    found: dict[str, str] = {}
    room = _MAX_FILES
    queue = deque(dict.fromkeys((first, "/")))
    while queue and room > 0 and len(found) < _MAX_NUMBER:
        folder = queue.popleft()
        try:
            inside = tree.names(folder)
        except OSError:
            continue
        for name in inside:
            path = posixpath.join(folder, name)
            if path in _SKIPPED or path in found:
                continue
            try:
                node = tree.find(path)
                if not isinstance(node, File):
                    queue.append(path)
                elif node.size <= min(_MAX_FILE, room):
                    found[path] = node.content().decode("latin-1")
                    room -= node.size + len(path)
            except OSError:
                continue
    return found


class _Question(NamedTuple):
    """A request that a script makes."""

    host: str
    port: int
    method: str
    path: str
    pairs: Sequence[tuple[str, str]]
    body: str


class _Answer:
    """An answer that a script gives, piece by piece. `left` is called where the client leaves."""

    def __init__(self, left: Callable[[], None]) -> None:
        self._left = left
        self.head: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._ended = self._cut = False
        self._changed = asyncio.Event()

    def begin(self, status: int, reason: str, pairs: Sequence[tuple[str, str]]) -> None:
        """Its head is there."""
        headers = Headers((str(name), str(value)) for name, value in pairs)
        if "connection" not in headers:
            headers.add("Connection", "keep-alive")
            headers.add("Keep-Alive", "timeout=5")
        if not self.head.done():
            self.head.set_result(Response(status, headers, self._stream(), reason))

    def piece(self, data: bytes) -> None:
        """More of its body."""
        self._held += len(data)
        self._cut |= self._held > _HELD and len(self._pieces) > 0
        self._pieces.append(data)
        self._changed.set()

    def end(self) -> None:
        """No more is coming."""
        self._ended = True
        self._changed.set()

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._taken():
                yield piece
        except BaseException:
            self._left()
            raise

    async def _taken(self) -> AsyncIterator[bytes]:
        while True:
            while self._pieces:
                data = self._pieces.popleft()
                self._held -= len(data)
                yield data
            if self._cut:
                raise ConnectionResetError(errno.ECONNRESET, "the answer was not taken in time")
            if self._ended:
                return
            self._changed.clear()
            await self._changed.wait()


class _Node:
    """A script, running."""

    def __init__(self, call: Call, script: scripts.Script, group: tasks.Group, main: str) -> None:
        self._call = call
        self._main = main
        self._script = script
        self._group = group
        self._events: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue(_MAX_EVENTS)
        self._timers: dict[int, tuple[asyncio.TimerHandle, bool]] = {}
        self._listeners: dict[int, tuple[Listener, Server]] = {}
        self._answers: dict[int, _Answer] = {}
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
        self._code = _ABORTED

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
        node = f"Node.js v{version(self._call.kernel.image_tag)}"
        await self._call.io.stderr.write(encoded(f"{shown}\n\n{node}\n"))
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
        body = await request.body(_MAX_ANSWER)
        number, self._next = self._next, self._next + 1
        answer = self._answers[number] = _Answer(lambda: self._forget(number))
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
        self._group.spawn(self._ask(number, _Question(*question)), f"ask-{number}")

    async def _ask(self, number: int, question: "_Question") -> None:
        host, port, method, path, pairs, body = question
        headers = Headers((str(name), str(value)) for name, value in pairs)
        if "host" not in headers:
            headers.pairs.insert(0, ("Host", host if port == 80 else f"{host}:{port}"))
        headers.set("Connection", "close")
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                stream = await names.connected(self._call, host, port)
                talk = client.Conversation(stream)
                try:
                    await talk.send(method, path, headers, body.encode("latin-1"))
                    answer = await talk.answer()
                    data = await talk.everything(_MAX_ANSWER)
                finally:
                    stream.close()
            event: tuple[Any, ...] = (
                "answered", number, answer.status, answer.reason, list(answer.headers),
                data.decode("latin-1"),
            )  # fmt: skip
        except names.Unknown as unknown:
            code = "EAI_AGAIN" if unknown.again else "ENOTFOUND"
            event = ("failed", number, code, f"getaddrinfo {code} {host}", 3008)
        except (client.Empty, client.Cut):
            event = ("failed", number, "ECONNRESET", "socket hang up", 104)
        except (client.Malformed, TooLarge, ValueError) as error:
            event = ("failed", number, "HPE_INVALID", f"Parse Error: {error}", 0)
        except OSError as error:
            value = error.errno or errno.ETIMEDOUT
            code = errno.errorcode.get(value, "EIO")
            event = ("failed", number, code, f"connect {code} {host}:{port}", value)
        self._pending -= 1
        self._tell(*event)


async def node(call: Call) -> int:
    """`node FILE [ARG…]`, `node -e CODE`, `node -v`; `node` and `node -` run what stdin has."""
    words = list(call.argv[1:])
    number = version(call.kernel.image_tag)
    code: str | None = None
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word in ("-v", "--version"):
            await call.out(f"v{number}\n")
            return 0
        if word in ("-e", "--eval", "-p", "--print") and words:
            code = words.pop(0)
            code = f"console.log(eval({json.dumps(code)}))" if word in ("-p", "--print") else code
            break
    if code is None and words[:1] in ([], ["-"]):
        if call.process.tty is not None and call.io.stdin is call.process.tty and not words:
            return await call.complain("a prompt is not built in the emulated node: name a script")
        code = await _typed(call)
        if code is None:
            return await call.complain(f"a script from stdin has {_MAX_STDIN} bytes at most")
    main = "" if code is not None else call.path(words[0])
    if code is None:
        found = next((one for one in (main, f"{main}.js", posixpath.join(main, "index.js"))
                      if is_file(call, one)), "")  # fmt: skip
        if not found:
            await call.io.stderr.write(encoded(
                "node:internal/modules/cjs/loader\n  throw err;\n  ^\n\nError: Cannot find module "
                f"'{main}'\n  code: 'MODULE_NOT_FOUND',\n  requireStack: []\n\nNode.js v{number}\n"
            ))  # fmt: skip
            return 1
        main = found
    return await _run(call, main, code, words)


async def _typed(call: Call) -> str | None:
    """The script that stdin has; None where it is too long."""
    found = bytearray()
    while data := await call.io.stdin.read():
        found += data
        if len(found) > _MAX_STDIN:
            return None
    return found.decode(errors="replace")


def is_file(call: Call, path: str) -> bool:
    """Whether there is one in the container."""
    try:
        return isinstance(call.files.find(path), File)
    except OSError:
        return False


async def _run(call: Call, main: str, source: str | None, words: Sequence[str]) -> int:
    kernel = call.kernel
    argv = ["/usr/local/bin/node", *([main, *words[1:]] if source is None else words)]
    first = posixpath.dirname(main) or call.cwd
    given: dict[str, Any] = {
        "files": _files(call.files, first if first != "/" else call.cwd), "main": main,
        "code": source, "argv": argv, "env": dict(call.env), "cwd": call.cwd, "uid": 0,
        "pid": call.process.pid, "version": f"v{version(kernel.image_tag)}",
        "hostname": kernel.hostname,
        "addresses": list(call.net.addresses), "now": kernel.clock.now(), "unbuilt": _UNBUILT,
        "statuses": {str(status): words for status, words in PHRASES.items()},
    }  # fmt: skip
    if main and main not in given["files"]:
        given["files"][main] = call.files.read(main).decode("latin-1")
    try:
        script = await scripts.begin(given)
    except Missing:
        return await call.complain(
            "there is no JavaScript engine: install the extra `node` (pip install kubemu[node])"
        )
    except Overrun as overrun:
        await call.io.stderr.write(encoded(f"FATAL ERROR: {overrun}\n"))
        return _ABORTED
    async with tasks.Group("node") as group:
        try:
            code = await _Node(call, script, group, main).run()
        finally:
            script.close()
            group.cancel()
    return code
