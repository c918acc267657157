"""The streams of a process: pipes or a terminal; what comes out goes to a log and to whoever
listens, and no faster than they take it.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from cluster.runtime.oci import frames
from cluster.runtime.oci.shim.program import Stdio

_CONSOLE_SECONDS: Final = 30.0
Sink = Callable[[int, bytes], Awaitable[None]]
"""Takes a piece of output: DATA (stdout, or all of a terminal) or ERROR (stderr)."""


class Console:
    """Streams of one process. Use it so: `prepare`, start the process with `stdio` and `socket`,
    `begin`, and `close` in any case.
    """

    def __init__(self, folder: Path, *, tty: bool, stdin: bool) -> None:
        self.tty = tty
        self._stdin = stdin
        self._folder = folder
        self._theirs: list[int] = []
        self._outs: list[tuple[int, int]] = []
        self._in = -1
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Future[int] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._transports: list[asyncio.BaseTransport] = []
        self.socket = ""
        self.stdio: Stdio = (-1, -1, -1)
        self.master = -1

    def prepare(self) -> None:
        """Make what the process is started with. OSError.

        crun gives these descriptors to the container's user: none is a device of the machine.
        """
        if self.tty:
            nothing = os.memfd_create("stdio", os.MFD_CLOEXEC)
            self._theirs.append(nothing)
            listener = self._listener = socket.socket(socket.AF_UNIX)
            listener.setblocking(False)
            (self._folder / "console.sock").unlink(missing_ok=True)
            # The address of a socket has 107 bytes, whatever the length of the folder's path.
            folder = os.open(self._folder, os.O_PATH | os.O_CLOEXEC)
            self._theirs.append(folder)
            self.socket = f"/proc/{os.getpid()}/fd/{folder}/console.sock"
            listener.bind(self.socket)
            listener.listen(1)
            self.stdio = (nothing, nothing, nothing)
            return
        # Who has no stdin reads the end of a pipe.
        given, self._in = os.pipe2(os.O_CLOEXEC)
        self._theirs.append(given)
        if not self._stdin:
            os.close(self._in)
            self._in = -1
        ends = []
        for kind in (frames.DATA, frames.ERROR):
            ours, theirs = os.pipe2(os.O_CLOEXEC)
            self._outs.append((kind, ours))
            self._theirs.append(theirs)
            ends.append(theirs)
        self.stdio = (given, ends[0], ends[1])

    async def terminal(self) -> None:
        """Take the terminal that the runtime made. It has to be asked for while it starts."""
        if self._listener is None:
            return
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_CONSOLE_SECONDS):
            connection, _ = await loop.sock_accept(self._listener)
            with connection:
                await frames.readable(connection.fileno())
                _, descriptors, _, _ = socket.recv_fds(connection, 4096, 1)
        self.master = descriptors[0]
        self._outs.append((frames.DATA, os.dup(self.master)))
        self._in = os.dup(self.master)

    async def begin(self) -> list[tuple[int, asyncio.StreamReader]]:
        """The process has been started: the readers of its output."""
        self._release()
        loop = asyncio.get_running_loop()
        readers = []
        while self._outs:
            kind, descriptor = self._outs.pop()
            reader = asyncio.StreamReader(frames.PIECE)
            transport, _ = await loop.connect_read_pipe(
                lambda reader=reader: _Output(reader),  # type: ignore[misc]
                os.fdopen(descriptor, "rb", 0),
            )
            self._transports.append(transport)
            readers.append((kind, reader))
        if self._in >= 0:
            descriptor, self._in = self._in, -1
            into, protocol = await loop.connect_write_pipe(
                asyncio.streams.FlowControlMixin, os.fdopen(descriptor, "wb", 0)
            )
            self._writer = asyncio.StreamWriter(into, protocol, None, loop)
        return readers

    async def feed(self, data: bytes) -> None:
        """Give it input; one that takes none throws it away."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(data)
            with contextlib.suppress(OSError):
                await self._writer.drain()

    def end_input(self) -> None:
        """No more input will come."""
        if self._writer is not None:
            if self.tty:
                with contextlib.suppress(OSError):
                    self._writer.write(b"\x04")
            else:
                self._writer.close()

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has another size."""
        if self.master >= 0 and columns and rows:
            with contextlib.suppress(OSError):
                fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def close(self) -> None:
        """Let everything go."""
        self._release()
        for _, descriptor in self._outs:
            os.close(descriptor)
        self._outs.clear()
        for transport in self._transports:
            transport.close()
        self._transports.clear()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for descriptor in (self._in, self.master):
            if descriptor >= 0:
                os.close(descriptor)
        self._in = self.master = -1

    def _release(self) -> None:
        """What the process was started with is its own from now on."""
        for descriptor in self._theirs:
            os.close(descriptor)
        self._theirs.clear()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            (self._folder / "console.sock").unlink(missing_ok=True)


class _Output(asyncio.StreamReaderProtocol):
    """Ends as a file does. A terminal whose last user went says EIO, and a reader that is told of
    an error would throw away what came before it.
    """

    def connection_lost(self, _error: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(None)


async def carry(kind: int, reader: asyncio.StreamReader, sink: Sink) -> None:
    """Carry one output to its end."""
    while data := await reader.read(frames.PIECE):
        await sink(kind, data)
