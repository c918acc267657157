"""`redis-server`: the engine on a pod's sockets, files and clock."""

import asyncio
import contextlib
import datetime
import random
import signal
from collections.abc import Sequence
from typing import Final

from cluster.aio import tasks
from cluster.runtime.emulated import releases, serving
from cluster.runtime.emulated.redis import rdb, settings
from cluster.runtime.emulated.redis.engine import Engine
from cluster.runtime.emulated.redis.following import Following
from cluster.runtime.emulated.redis.resp import Fault
from cluster.runtime.emulated.redis.session import Session
from cluster.runtime.emulated.redis.settings import Bad, Settings
from cluster.runtime.vos import sockets
from cluster.runtime.vos.kernel import Call

VERSION: Final = "7.4.1"
_FLUSH: Final = 64 << 10
_BATCH: Final = 256
"""Requests of one client between two pauses."""


class Server:
    """A server in a container; the engine's `Host`."""

    def __init__(self, call: Call, told: Settings, version: str) -> None:
        self._call = call
        self._told = told
        self._lines: list[str] = []
        self._ended = asyncio.Event()
        self._saving: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None
        # What is drawn (SPOP, RANDOMKEY) is drawn anew for each container, and always the same.
        chance = random.Random(f"{call.kernel.hostname}/{call.kernel.started}")  # noqa: S311
        self.engine = Engine(told, self, chance, version)
        self._group = tasks.Group(f"redis/{call.kernel.hostname}")
        self._following = Following(call, self.engine, self._group)

    # ---- what the engine wants ---------------------------------------------------------------

    def now(self) -> int:
        """See Host."""
        return int(self._call.kernel.clock.now() * 1000)

    def log(self, text: str, level: str = "*") -> None:
        """See Host."""
        role = "S" if self._told.leader() else "M"
        self._lines.append(f"{self._call.process.pid}:{role} {stamp(self.now())} {level} {text}\n")

    def store(self, data: bytes) -> bool:
        """See Host."""
        files = self._call.files
        path = self._call.path(f"{self.folder}/{self.engine.settings['dbfilename']}")
        temporary = f"{path}.{self._call.process.pid}.temp"
        try:
            files.put(temporary, data)
            files.move(temporary, path)
        except OSError as error:
            self.log(f"Failed opening the temp RDB file {temporary}: {error.strerror}", "#")
            with contextlib.suppress(OSError):
                files.remove(temporary)
            return False
        self.log("DB saved on disk")
        return True

    def changed(self) -> None:
        """See Host."""
        if self._saving is None:
            self._plan_saving()

    def follow(self) -> None:
        """See Host."""
        self._following.restart()

    def end(self) -> None:
        """See Host."""
        self._ended.set()

    # ------------------------------------------------------------------------------------------

    @property
    def folder(self) -> str:
        """Where data are kept."""
        return self.engine.settings["dir"] or self._call.cwd

    async def run(self, began: Sequence[str]) -> int:
        """Serve until it is asked to end; the exit code."""
        for line in began:
            await self._call.out(line)
        port = int(self.engine.settings["port"])
        try:
            listener = self._call.net.listen(port)
        except OSError as error:
            why = f"bind: {error.strerror}"
            self.log(f"Warning: Could not create server TCP listening socket *:{port}: {why}", "#")
            self.log(f"Failed listening on port {port} (tcp), aborting.", "#")
            await self.flush()
            return 1
        self.log(f"Running mode=standalone, port={port}.")
        self.log("Server initialized")
        if not self._load():
            await self.flush()
            return 1
        self.log("Ready to accept connections tcp")
        await self.flush()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._call.process.handlers[int(number)] = self._asked
        async with self._group as group:
            self._following.restart()
            group.spawn(self._accept(listener), "accept")
            await self._ended.wait()
            group.cancel()
        await self.flush()
        return 0

    def _asked(self, number: int) -> None:
        name = "SIGTERM" if number == int(signal.SIGTERM) else "SIGINT"
        self.log(f"Received {name} scheduling shutdown...", "#")
        self.log("User requested shutdown...")
        with contextlib.suppress(Fault):
            self.engine.shut_down(save=None)
            self.log("Redis is now ready to exit, bye bye...", "#")
        # What cannot be saved does not keep a pod from ending: the kubelet would kill it anyway.
        self.end()

    def _load(self) -> bool:
        path = self._call.path(f"{self.folder}/{self.engine.settings['dbfilename']}")
        try:
            data = self._call.files.read(path)
        except OSError:
            return True
        try:
            loaded = self.engine.load(data)
        except rdb.Unreadable as bad:
            self.log(f"Fatal error loading the DB, check server logs. Exiting: {bad}", "#")
            return False
        self.log(f"Done loading RDB, keys loaded: {loaded}, keys expired: 0.")
        self.log("DB loaded from disk: 0.000 seconds")
        return True

    async def flush(self) -> None:
        """Write the lines of the log."""
        lines, self._lines = self._lines, []
        if lines:
            await self._call.out("".join(lines))

    # ---- clients -----------------------------------------------------------------------------

    async def _accept(self, listener: sockets.Listener) -> None:
        while True:
            stream = await listener.accept()
            client = _Client(self, stream)
            if client.session is None:
                with contextlib.suppress(OSError):
                    await stream.send(b"-ERR max number of clients reached\r\n")
                stream.close()
                continue
            self._group.spawn(client.serve(), f"client/{client.session.id}")

    async def settle(self) -> None:
        """After requests: timers and the log."""
        if len(self.engine.waiting):
            self._plan_expiry()
        if self._lines:
            await self.flush()

    def _plan_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        left = self.engine.lapse()
        if left is not None:
            loop = asyncio.get_running_loop()
            self._expiry = loop.call_later(left / 1000, self._plan_expiry)

    def _plan_saving(self) -> None:
        """Save when it is time; look again once more changes may have made it sooner."""
        self._saving = None
        left = self.engine.next_save()
        if left is not None and left <= 0:
            with contextlib.suppress(Fault):
                self.engine.save()
            left = None if self.engine.save_worked else 5000
        elif left is None and self.engine.dirty and self.engine.settings.save_points():
            left = 60_000
        if left is not None and not self._ended.is_set():
            loop = asyncio.get_running_loop()
            self._saving = loop.call_later(min(left, 60_000) / 1000, self._plan_saving)

    def close(self) -> None:
        """Drop what is planned."""
        for timer in (self._saving, self._expiry):
            if timer is not None:
                timer.cancel()


class _Client:
    """A client's connection: one task reads and answers, another sends what is pushed."""

    def __init__(self, server: Server, stream: sockets.Stream) -> None:
        self._server = server
        self._stream = stream
        self._news = asyncio.Event()
        self._sending = asyncio.Lock()
        self.session: Session | None = server.engine.connect(str(stream.peer), self._news.set)

    async def serve(self) -> None:
        """Serve it until it goes."""
        session = self.session
        if session is None:
            return
        try:
            async with tasks.Group(f"redis-client/{session.id}") as group:
                pusher = group.spawn(self._push(session), "push")
                await self._converse(session)
                pusher.cancel()
        except OSError:
            pass  # it is gone
        finally:
            self._server.engine.gone(session)
            self._stream.close()

    async def _converse(self, session: Session) -> None:
        while not session.closing:
            data = await self._stream.receive()
            if not data:
                return
            session.receive(data)
            await self._work(session)

    async def _work(self, session: Session) -> None:
        done = 0
        while session.step():
            done += 1
            if done % _BATCH == 0:
                await asyncio.sleep(0)
            if session.behind > _FLUSH:
                await self._send(session)
        await self._server.settle()
        await self._send(session)

    async def _send(self, session: Session) -> None:
        async with self._sending:
            while data := session.take():
                await self._stream.send(data)

    async def _push(self, session: Session) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if session.closing:
                self._stream.abort()
                return
            # One who waited may have sent more meanwhile.
            await self._work(session)


def stamp(now: int) -> str:
    """A moment in milliseconds as Redis logs it: `21 Nov 2026 12:00:00.000`."""
    moment = datetime.datetime.fromtimestamp(now / 1000, datetime.UTC)
    return f"{moment:%d %b %Y %H:%M:%S}.{now % 1000:03d}"


def version_of(call: Call) -> str:
    """The version that an image's tag says, as far as it does."""
    return releases.version(call.kernel.image_tag, VERSION, releases.REDIS)


def configured(call: Call, words: Sequence[str], told: Settings) -> str:
    """Take settings from a file and from flags; the file's path, "" where none is named. Bad."""
    rest = list(words)
    path = ""
    if rest and not rest[0].startswith("-"):
        path = call.path(rest.pop(0))
        try:
            text = call.files.read(path).decode(errors="replace")
        except OSError as error:
            raise Bad(f"Fatal error, can't open config file '{path}': {error.strerror}") from error
        for number, name, values in settings.lines(text):
            _set(told, name, values, f"Reading the configuration file, at line {number}")
    for name, values in settings.flags([word for word in rest if word != "-"]):
        _set(told, name, values, "Reading the configuration from the command line")
    return path


def _set(told: Settings, name: str, values: Sequence[str], where: str) -> None:
    try:
        told.configure(name, values)
    except Bad as bad:
        line = " ".join([name, *(f'"{one}"' for one in values)])
        raise Bad(f"{where}\n>>> '{line}'\n{bad}") from bad


def _asks(words: Sequence[str]) -> bool:
    return list(words[:1]) in (["-v"], ["--version"], ["-h"], ["--help"])


_NAMES: Final = ("docker-entrypoint.sh", "redis-server", "valkey-server")


def sleeps(argv: Sequence[str]) -> bool:
    """Whether a server of this command line has nothing to do by itself: one that follows another
    is at work, and one with a file may have a bad one, which is seen at once.
    """
    words = [word for word in argv if word.rpartition("/")[2] not in _NAMES]
    told = Settings()
    try:
        for name, values in settings.flags(words):
            told.configure(name, values)
    except Bad:
        return False
    return told.leader() is None


@serving.server(when=sleeps)
async def redis_server(call: Call) -> int:
    """`redis-server [FILE] [--SETTING VALUE…]`."""
    version = version_of(call)
    words = call.argv[1:]
    if _asks(words):
        if words[0] in ("-v", "--version"):
            await call.out(f"Redis server v={version} sha=00000000:0 malloc=libc bits=64 build=0\n")
        else:
            await call.out("Usage: ./redis-server [/path/to/redis.conf] [options] [-]\n")
        return 0
    told = Settings()
    try:
        path = configured(call, words, told)
    except Bad as bad:
        text = f"\n*** FATAL CONFIG FILE ERROR (Redis {version}) ***\n{bad}\n"
        await call.io.stderr.write(text.encode(errors="replace"))
        return 1
    server = Server(call, told, version)
    server.engine.config_file = path
    try:
        return await server.run(_banner(call, server, path))
    finally:
        server.close()


def _banner(call: Call, server: Server, path: str) -> list[str]:
    version, pid = server.engine.version, call.process.pid
    at = stamp(server.now())
    first = "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo"
    second = (
        f"Redis version={version}, bits=64, commit=00000000, modified=0, pid={pid}, just started"
    )
    third = "* Configuration loaded" if path or len(call.argv) > 1 else (
        "# Warning: no config file specified, using the default config. In order to specify a "
        "config file use redis-server /path/to/redis.conf"
    )  # fmt: skip
    return [f"{pid}:C {at} {line}\n" for line in (f"* {first}", f"* {second}", third)]
