"""The runtime's side of the shim: it starts one where none is, asks it, and hears of ends."""

import asyncio
import contextlib
import hashlib
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Final, cast

from cluster.aio import rpc, tasks
from cluster.runtime.config import Unusable
from cluster.runtime.oci import facts as machines
from cluster.runtime.oci import frames
from cluster.runtime.oci.settings import ORPHAN_SECONDS, Settings

SOCKET: Final = "shim.sock"
LOG: Final = "shim.log"
_START_SECONDS: Final = 30.0
_ASK_SECONDS: Final = 120.0
_MAP_SECONDS: Final = 5.0

Listener = Callable[[Mapping[str, Any]], None]


class Refused(Exception):
    """The shim could not do it; the message is what it said."""


class Link:
    """Talks to the shim of `settings.folder`. `listener` hears of each container that ended, `lost`
    is called where the shim went, and `again` where only the connection did and `known` is new.
    """

    def __init__(
        self,
        settings: Settings,
        listener: Listener,
        lost: Callable[[], None],
        again: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._lost = lost
        self._again = again
        self._returning = tasks.Background("shim", lambda _name, _error: self._lost())
        self._process: subprocess.Popen[bytes] | None = None
        self._events: _Events | None = None
        self.known: dict[str, dict[str, Any]] = {}
        """The containers that the shim told of when it was found, the last time."""

    @property
    def cgroup(self) -> str:
        """The cgroup of all its containers, "" where there are none."""
        if not self._settings.facts.cgroups:
            return ""
        return f"/kubemu-{hashlib.sha256(str(self._settings.folder).encode()).hexdigest()[:12]}"

    async def open(self) -> None:
        """Find the shim, or start one, and listen. config.Unusable."""
        self._settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(OSError, frames.Broken):
            await self._listen()
            return
        await self._start()
        try:
            await self._listen()
        except (OSError, frames.Broken) as error:
            raise Unusable(f"The shim of the oci driver does not answer: {error}") from error

    def close(self, *, end: bool) -> None:
        """Listen no more; `end` tells the shim to end all and itself, for which nobody waits."""
        self._returning.cancel()
        if self._events is not None:
            self._events.close()
        if end:
            shut_down(self._settings.folder)

    async def ask(self, name: str, seconds: float = _ASK_SECONDS, **what: Any) -> dict[str, Any]:
        """The answer to a question. Refused; rpc.Failure UNAVAILABLE where nobody answers."""
        try:
            async with asyncio.timeout(seconds), self._connected(name, what) as (reader, _):
                answer = await frames.read_document(reader)
        except (OSError, TimeoutError, frames.Broken) as error:
            raise _unreachable(error) from error
        return _checked(answer)

    async def descriptor(self, name: str, **what: Any) -> int:
        """The file descriptor that answers a question. As `ask`."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                connection.setblocking(False)
                with _short(self._settings.folder) as path:
                    connection.connect(path)
                connection.sendall(frames.document({**what, "do": name}))
                await frames.readable(connection.fileno())
            data, descriptors, _, _ = socket.recv_fds(connection, frames.PIECE, 1)
        except (OSError, TimeoutError) as error:
            raise _unreachable(error) from error
        finally:
            connection.close()
        found = [frames.loads(piece) for _, piece in frames.taken(bytearray(data))]
        _checked(found[0] if found else None)
        if not descriptors:
            raise _unreachable(ConnectionResetError("it gave nothing"))
        return descriptors[0]

    @contextlib.asynccontextmanager
    async def stream(
        self, name: str, **what: Any
    ) -> AsyncIterator[tuple[dict[str, Any], asyncio.StreamReader, asyncio.StreamWriter]]:
        """A stream: the answer that begins it, and both its ends. As `ask`."""
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                connection = await self._open(name, what)
                answer = await frames.read_document(connection[0])
        except (OSError, TimeoutError, frames.Broken) as error:
            raise _unreachable(error) from error
        try:
            yield _checked(answer), *connection
        finally:
            connection[1].close()

    # ------------------------------------------------------------------------------------------

    async def _open(
        self, name: str, what: Mapping[str, Any]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        with _short(self._settings.folder) as path:
            reader, writer = await asyncio.open_unix_connection(path)
        writer.write(frames.document({**what, "do": name}))
        return reader, writer

    @contextlib.asynccontextmanager
    async def _connected(
        self, name: str, what: Mapping[str, Any]
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await self._open(name, what)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        first: asyncio.Future[Mapping[str, Any]] = loop.create_future()
        events = _Events(first, self._listener, self._went)
        with _short(self._settings.folder) as path:
            await loop.create_unix_connection(lambda: events, path)
        async with asyncio.timeout(_START_SECONDS):
            about = await first
        self._events = events
        self.known = {one["id"]: one for one in about["containers"]}

    def _went(self) -> None:
        self._events = None
        self._returning.spawn(self._return(), "listen again")

    async def _return(self) -> None:
        """Listen again, once: a connection may break though the shim lives."""
        try:
            await self._listen()
        except (OSError, frames.Broken):
            self._lost()
        else:
            self._again()

    async def _start(self) -> None:
        """Start a shim, a process that is not ended with this one. config.Unusable."""
        settings, facts = self._settings, self._settings.facts
        ours, theirs = os.pipe()
        told = {
            "folder": str(settings.folder), "program": facts.program, "ready": theirs,
            "cgroup": self.cgroup, "rootless": facts.rootless,
            "hide_unified": facts.hybrid and Path(facts.program).name == "crun",
            "orphan_seconds": 0.0 if settings.keep else ORPHAN_SECONDS,
        }  # fmt: skip
        argv = [sys.executable, "-m", "cluster.runtime.oci.shim", json.dumps(told)]
        log = settings.folder / LOG
        try:
            with log.open("ab") as output:
                self._process = subprocess.Popen(  # noqa: ASYNC220  (it is not waited for)
                    argv, stdin=subprocess.PIPE, stdout=output, stderr=output, close_fds=True,
                    pass_fds=(theirs,), start_new_session=True, cwd="/",
                )  # fmt: skip
        finally:
            os.close(theirs)
        try:
            await self._wait_ready(ours)
        finally:
            os.close(ours)

    async def _wait_ready(self, descriptor: int) -> None:
        said = ""
        try:
            async with asyncio.timeout(_START_SECONDS):
                while (said := await _line(descriptor)) == "map":
                    await asyncio.to_thread(self._map)  # it waits for other programs
        except TimeoutError:
            said = f"it is not ready after {_START_SECONDS:g} s"
        if said != "ready":
            said = said or f"it ended; see {self._settings.folder / LOG}"
            raise Unusable(
                f"The oci driver cannot work here: {said}. It needs root (in a container: "
                "--privileged) or user namespaces; --driver sim needs neither."
            )

    def _map(self) -> None:
        """Give the shim its users: us as root, and after that those that /etc/subuid gives us."""
        process = self._process
        if process is None or process.stdin is None:
            return
        for kind, own in (("uid", os.getuid()), ("gid", os.getgid())):
            if self._settings.facts.mapped:
                found = machines.subordinate(f"/etc/sub{kind}", machines.own_names())
                begin, length = found or (0, 0)
                argv = [f"new{kind}map", str(process.pid), "0", str(own), "1"]
                argv += ["1", str(begin), str(length)] if length else []
                with contextlib.suppress(OSError, subprocess.SubprocessError):
                    subprocess.run(argv, timeout=_MAP_SECONDS, check=True, capture_output=True)
                continue
            folder = Path(f"/proc/{process.pid}")
            with contextlib.suppress(OSError):
                if kind == "gid":
                    (folder / "setgroups").write_text("deny")
                (folder / f"{kind}_map").write_text(f"0 {own} 1")
        with contextlib.suppress(OSError):
            process.stdin.write(b"\n")
            process.stdin.close()


class _Events(asyncio.Protocol):
    """The connection by which the shim tells what happens."""

    def __init__(
        self,
        first: "asyncio.Future[Mapping[str, Any]]",
        listener: Listener,
        lost: Callable[[], None],
    ) -> None:
        self._first = first
        self._listener = listener
        self._on_lost = lost
        self._buffer = bytearray()
        self._transport: asyncio.BaseTransport | None = None
        self._closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(frames.document({"do": "events"}))

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._buffer += data
        for _, piece in frames.taken(self._buffer):
            told = json.loads(piece)
            if not self._first.done():
                self._first.set_result(told)
            else:
                self._listener(told)

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        if not self._first.done():
            self._first.set_exception(error or ConnectionResetError("the shim went"))
        elif not self._closed:
            self._on_lost()

    def close(self) -> None:
        """Listen no more."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()


def shut_down(folder: Path) -> bool:
    """Tell the shim of a folder, if there is one, to end all its containers and itself."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        with _short(folder) as path:
            connection.connect(path)
        connection.sendall(frames.document({"do": "shutdown"}))
        return True
    return False


@contextlib.contextmanager
def _short(folder: Path) -> Any:
    """The path of the socket, however long the folder's is: an address has 107 bytes at most."""
    descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)


async def _line(descriptor: int) -> str:
    """The next line of a pipe, "" at its end."""
    found = bytearray()
    while not found.endswith(b"\n"):
        if not select.select([descriptor], [], [], 0)[0]:
            await frames.readable(descriptor)
        piece = os.read(descriptor, 1)
        if not piece:
            break
        found += piece
    return found.decode(errors="replace").strip()


def _checked(answer: dict[str, Any] | None) -> dict[str, Any]:
    if answer is None:
        raise _unreachable(ConnectionResetError("it went"))
    if "error" in answer:
        raise Refused(str(answer["error"]))
    return answer


def _unreachable(error: Exception) -> rpc.Failure:
    why = str(error) or "it does not answer"
    return rpc.Failure("UNAVAILABLE", f"the shim of the oci driver cannot be reached: {why}")
