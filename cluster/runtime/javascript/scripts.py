"""Scripts, as the runtime has them: each in a process of its own (`host`), which it may crash.

On virtual time (the lab) there are no processes: the engine is in this one there, and what a script
can do to it is the test's own fault.
"""

import asyncio
import importlib.util
import json
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from cluster.aio import virtual
from cluster.runtime.javascript import host
from cluster.runtime.javascript.engine import Engine, Missing, Overrun

MAX_SCRIPTS: Final = 1000
"""Scripts of one runtime at once."""
_SECONDS: Final = 30.0
"""How long an answer is waited for: far more than a process may compute, for a busy machine."""
_MAX_ANSWER: Final = 64 << 20
_CRASHED: Final = (
    "the process of the script's engine ended: the script used up the engine's memory, or computed "
    f"for more than {host.CPU_SECONDS:g} seconds at once"
)

Commands = Sequence[Sequence[Any]]


class Script(Protocol):
    """A script that was begun; events are told one after the other."""

    async def event(self, now: float, name: str, *args: Any) -> Commands:
        """Tell it what happened; the commands that it gives. Overrun."""

    def close(self) -> None:
        """It is not needed any more."""


async def begin(given: Mapping[str, Any]) -> Script:
    """A script, not yet run. `given` is what it knows of its world. Missing, Overrun."""
    if isinstance(asyncio.get_running_loop(), virtual.VirtualLoop):
        return _Here(Engine(given))
    if importlib.util.find_spec("quickjs") is None:
        raise Missing
    return await _Apart.begin(given)


class _Here:
    """A script in this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def event(self, now: float, name: str, *args: Any) -> Commands:
        return _commands(self._engine.ask(now, name, *args))

    def close(self) -> None:
        return


class _Host:
    """The process that forks those of scripts, started where there is none."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self.scripts = 0

    def fork(self, link: socket.socket) -> None:
        """Have a script's process serve `link`. OSError."""
        control = self._control
        if control is None or self._process is None or self._process.poll() is not None:
            if control is not None:
                control.close()
            control = self._control = self._start()
        socket.send_fds(control, [b"\0"], [link.fileno()])

    def _start(self) -> socket.socket:
        control, theirs = socket.socketpair()
        control.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", host.__name__], stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL, start_new_session=True, cwd="/",
            )  # fmt: skip
        return control


_host: Final = _Host()


class _Apart:
    """A script in a process of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._closed = False
        _host.scripts += 1

    @classmethod
    async def begin(cls, given: Mapping[str, Any]) -> "_Apart":
        if _host.scripts >= MAX_SCRIPTS:
            raise Overrun(f"more than {MAX_SCRIPTS} scripts run on the node")
        try:
            ours, theirs = socket.socketpair()
            with theirs:
                _host.fork(theirs)
            script = cls(*await asyncio.open_connection(sock=ours))
        except OSError as error:
            raise Overrun(f"the engine's process cannot be started: {error}") from error
        try:
            await script._ask(given)
        except BaseException:
            script.close()
            raise
        return script

    async def event(self, now: float, name: str, *args: Any) -> Commands:
        return _commands(await self._ask([now, name, *args]))

    async def _ask(self, told: Any) -> str:
        data = json.dumps(told).encode()
        try:
            async with asyncio.timeout(_SECONDS):
                self._writer.write(len(data).to_bytes(4, "big") + data)
                await self._writer.drain()
                size = int.from_bytes(await self._reader.readexactly(4), "big")
                if not 0 < size <= _MAX_ANSWER:
                    raise Overrun(_CRASHED)
                answer = await self._reader.readexactly(size)
        except TimeoutError as error:
            raise Overrun(f"its engine did not answer within {_SECONDS:g} seconds") from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Overrun(_CRASHED) from error
        if answer[:1] == host.MISSING:
            raise Missing
        text = answer[1:].decode("utf-8", "replace")
        if answer[:1] == host.OVERRUN:
            raise Overrun(text)
        return text

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            _host.scripts -= 1
            self._writer.transport.abort()


def _commands(text: str) -> Commands:
    found: Commands = json.loads(text)
    return found
